// Runs a command in a container that has no network: what it sends to a proxy on the loopback goes to a socket
// of the host. Usage: relay.mjs SOCKET COMMAND...
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const [, , socket, command, ...args] = process.argv;
const server = createServer((client) => {
  const host = connect(socket);
  pipeline(client, host, client, () => undefined);
});
server.listen(0, "127.0.0.1", () => {
  const proxy = `http://127.0.0.1:${server.address().port}`;
  const env = { ...process.env, http_proxy: proxy, https_proxy: proxy };
  const child = spawn(command, args, { stdio: "inherit", env });
  child.on("error", (error) => {
    console.error(error.message);
    process.exit(127);
  });
  child.on("exit", (code) => process.exit(code ?? 1));
});
