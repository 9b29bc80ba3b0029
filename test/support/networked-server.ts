import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { Client } from "../../api/client/client.ts";
import { within } from "../../runtime/deadline.ts";
import type { Rig } from "../runtime/network/rig.ts";
import { type ChildServer, startChildServer } from "./child-server.ts";

/** A server on the host of a rig, whose URL and client lead to it from here. */
export type NetworkedServer = Pick<ChildServer, "client" | "kill"> & AsyncDisposable;

/** Starts a server on the made-up host of a rig, where sandboxes can have a network. */
export async function startNetworkedServer(rig: Rig): Promise<NetworkedServer> {
  await using stack = new AsyncDisposableStack();
  const namespace = `--net=/run/netns/${rig.host}`;
  const server = stack.use(
    await startChildServer({
      through: ["nsenter", namespace],
      directory: rig.directory,
      env: { RUNLET_DNS_SERVERS: "11.22.44.53" },
    }),
  );
  const socket = join(rig.directory, `${server.pid}.door`);
  const fixture = join(import.meta.dirname, "../fixtures/door.ts");
  const { port: inside } = new URL(server.url);
  const door = spawn("nsenter", [namespace, process.execPath, fixture, socket, inside], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(door, "exit");
  stack.defer(async () => {
    door.kill("SIGKILL");
    await exited;
  });
  await within(once(door.stdout, "data"), "open the door", 30_000);
  const relay = createServer((outer) => {
    const inner = connect(socket);
    outer.on("error", () => inner.destroy()).pipe(inner);
    inner.on("error", () => outer.destroy()).pipe(outer);
  }).listen(0, "127.0.0.1");
  stack.defer(() => void relay.close());
  await once(relay, "listening");
  const { port } = relay.address() as AddressInfo;
  const owned = stack.move();
  return {
    client: new Client({ url: `http://127.0.0.1:${port}` }),
    kill: (signal) => server.kill(signal),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}
