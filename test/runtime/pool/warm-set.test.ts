import assert from "node:assert/strict";
import { test } from "node:test";
import { Guest } from "../../../runtime/guest/guest.ts";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import { Machine } from "../../../runtime/machine.ts";
import { WarmSet } from "../../../runtime/pool/warm-set.ts";
import { tempDir } from "../../support/temp-dir.ts";

test("a container that is being ended is given to nobody, though its end is not heard of yet", async () => {
  await using dir = await tempDir();
  await using machine = await Machine.open({ stateDir: dir.file("s"), runsc: "runsc" });
  const image = await new ImageStore({ directory: dir.file("images") }).get("host");
  const options = { runtime: "node", image, tmpBytes: 1_048_576, pids: 32 } as const;
  await using guest = await Guest.start(machine, options);
  await guest.ready();
  const discarded: Guest[] = [];
  const warm = new WarmSet({ maxIdle: () => 9, discard: (each) => void discarded.push(each) });
  warm.give("f:1", guest, 60_000);
  const ending = guest.init.terminate("cancelled");
  assert.equal(guest.init.exit, undefined);
  assert.equal(warm.take("f:1"), undefined);
  assert.deepEqual(discarded, [guest]);
  await ending;
});
