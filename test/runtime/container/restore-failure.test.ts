import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../../runtime/errors.ts";
import { restoreFailure } from "../../../runtime/container/restore-failure.ts";

/** As runsc 0.0~20240729 says it. */
const said: [ErrorCode, RegExp, string][] = [
  [
    "failed_precondition",
    /descriptor of the host/,
    "error executing callbacks: no host FD available for :host:1, map: map[__no_name_0:host:0:256]:",
  ],
  [
    "failed_precondition",
    /descriptor of the host/,
    "error executing callbacks: initFromOptions failed: socket operation on non-socket:",
  ],
  [
    "invalid_argument",
    /its root was another/,
    "inconsistent private memory files on restore: savedMFOwners = [], CtxFilesystemMemoryFileMap = map[]",
  ],
  [
    "invalid_argument",
    /its root was another/,
    'error decoding object ID 123 (tmpfs.filesystem) from &wire.Struct{}: Memory file for "__no_name_0:/" not found in CtxMemoryFileMap:',
  ],
  [
    "invalid_argument",
    /its root was another/,
    "error executing callbacks: erofs.OpenImage failed: invalid argument:",
  ],
  [
    "failed_precondition",
    /a mount/,
    "no server FD available for filesystem with unique ID __no_name_0:/var/task, map: map[]",
  ],
  ["failed_precondition", /a mount/, "no such file or directory"],
  ["failed_precondition", /damaged/, "reading metadata from statefile: bad magic header"],
  ["failed_precondition", /damaged/, "EOF"],
  [
    "runtime_failed",
    /ended meanwhile/,
    "cannot read client sync file: waiting for sandbox to start: EOF",
  ],
  ["failed_precondition", /damaged/, "error decoding from 0x157: unreachable:"],
  ["runtime_failed", /sandbox ended/, 'urpc method "containerManager.Restore" failed: EOF'],
  ["runtime_failed", /weather/, "bad weather"],
];
for (const [code, fact, message] of said) {
  test(`a restore that fails with "${message.slice(0, 60)}" is told as ${code}`, () => {
    const whole = `starting container: restoring container "x": ${message}\ngoroutine 19 [running]:\n EOF`;
    const error = restoreFailure("x", whole);
    assert.equal(error.code, code);
    assert.match(error.message, fact);
    assert.doesNotMatch(error.message, /goroutine/);
  });
}
