import assert from "node:assert/strict";
import { test } from "node:test";
import { LogTail } from "../../../api/domain/log-tail.ts";

for (const sizes of [[3], [10], [25], [4, 4, 4], [1, 30, 1], Array.from({ length: 40 }, () => 1)]) {
  test(`a tail of 10 bytes keeps the last ones of writes of ${sizes.join(", ")}`, () => {
    const tail = new LogTail(10);
    let written = "";
    for (const [index, size] of sizes.entries()) {
      const chunk = Buffer.from(String.fromCodePoint(65 + index).repeat(size));
      tail.write(chunk);
      written += chunk.toString();
      chunk.fill(0);
    }
    assert.equal(Buffer.from(tail.toBase64(), "base64").toString(), written.slice(-10));
  });
}
