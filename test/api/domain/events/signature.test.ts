import assert from "node:assert/strict";
import { test } from "node:test";
import { signatureHeaders } from "../../../../api/domain/events/delivery/signature.ts";

const message = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  atSeconds: 1_614_265_330,
  body: Buffer.from('{"test": 2432232314}'),
};

test("a message is signed as in the example of the Standard Webhooks specification", () => {
  assert.deepEqual(signatureHeaders(message, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), {
    "webhook-id": message.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("the key is the secret as it is where nothing says that it is base64", () => {
  const bytes = Buffer.from("any words of a person");
  assert.deepEqual(
    signatureHeaders(message, bytes.toString()),
    signatureHeaders(message, `whsec_${bytes.toString("base64")}`),
  );
});
