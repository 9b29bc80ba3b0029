import assert from "node:assert/strict";
import { test } from "node:test";
import * as argv from "../../../runtime/runsc/options.ts";

const id = "rlt-0123456789abcdef";

const globals: [string, argv.GlobalOptions, string[]][] = [
  ["the least", { root: "/r", log: "/l" }, ["--root=/r", "--log=/l", "--log-format=json"]],
  [
    "everything",
    {
      root: "/r",
      log: "/l",
      network: "none",
      platform: "systrap",
      overlay2: "none",
      ignoreCgroups: true,
      hostUds: "open",
      panicLog: "/p",
      trace: { prefix: "/t", command: "run", hasSandbox: true },
    },
    [
      "--root=/r",
      "--log=/l",
      "--log-format=json",
      "--network=none",
      "--platform=systrap",
      "--overlay2=none",
      "--host-uds=open",
      "--panic-log=/p",
      "--ignore-cgroups",
      "--debug-log=/t.%COMMAND%",
      "--debug-command=run,boot",
    ],
  ],
  [
    "a switch that is off",
    { root: "/r", log: "/l", ignoreCgroups: false },
    ["--root=/r", "--log=/l", "--log-format=json"],
  ],
];
for (const [name, options, expected] of globals) {
  test(`global flags of ${name}`, () => assert.deepEqual(argv.globalArgs(options), expected));
}

const commands: [string[], string[]][] = [
  [argv.createArgs(id, { bundle: "/b" }), ["create", "--bundle=/b", id]],
  [
    argv.createArgs(id, { bundle: "/b", pidFile: "/p", consoleSocket: "/c", userLog: "/u" }),
    ["create", "--bundle=/b", "--pid-file=/p", "--console-socket=/c", "--user-log=/u", id],
  ],
  [argv.runArgs(id, { bundle: "/b" }), ["run", "--bundle=/b", id]],
  [
    argv.runArgs(id, { bundle: "/b", passFds: [{ host: 3, guest: 3 }], detach: true }),
    ["run", "--bundle=/b", "--pass-fd=3:3", "--detach", id],
  ],
  [argv.execArgs(id, { process: "/s" }), ["exec", "--process=/s", id]],
  [
    argv.execArgs(id, { process: "/s", pidFile: "/p", internalPidFile: "/i", detach: true }),
    ["exec", "--process=/s", "--pid-file=/p", "--internal-pid-file=/i", "--detach", id],
  ],
  [argv.killArgs(id, 9, {}), ["kill", id, "9"]],
  [argv.killArgs(id, 9, { all: true }), ["kill", "--all", id, "9"]],
  [argv.killArgs(id, 15, { pid: 4 }), ["kill", "--pid=4", id, "15"]],
  [argv.deleteArgs(id, {}), ["delete", id]],
  [argv.deleteArgs(id, { force: true }), ["delete", "--force", id]],
  [argv.checkpointArgs(id, { imagePath: "/i" }), ["checkpoint", "--image-path=/i", id]],
  [
    argv.checkpointArgs(id, { imagePath: "/i", leaveRunning: true, compression: "none" }),
    ["checkpoint", "--image-path=/i", "--leave-running", "--compression=none", id],
  ],
  [
    argv.restoreArgs(id, { bundle: "/b", imagePath: "/i", detach: true }),
    ["restore", "--bundle=/b", "--image-path=/i", "--detach", id],
  ],
];
for (const [actual, expected] of commands) {
  test(`the command line \`${expected.join(" ")}\``, () => assert.deepEqual(actual, expected));
}
