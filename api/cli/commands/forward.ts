import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { Command, InvalidArgumentError } from "commander";
import type { Sandbox } from "../../client/sandbox.ts";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { printable } from "../terminal.ts";

interface Forwarded {
  readonly port: number;
  /** Ours, which is the same unless another is said; 0 is any. */
  readonly local: number;
}

const examples = ["runlet forward ID 8080", "runlet forward ID 8080:9000 5432"];

/** `runlet forward`. */
export function forwardCommand(): Command {
  const command = new Command("forward")
    .description("have ports of this machine's loopback lead to ports of a sandbox, until Ctrl-C")
    .argument("<id>", "the sandbox")
    .argument(
      "<port[:local]...>",
      "port inside, and the port here unless it is the same",
      portPair,
    );
  return withServer(command, examples).action(
    async (id: string, ports: Forwarded[], options: ServerOptions) => {
      const box = clientOf(options).sandboxes.of(id);
      const { state } = await box.get();
      if (state === "ended") throw new Error(`Cannot forward to sandbox ${id}: it has ended`);
      const ended = Promise.withResolvers<void>();
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, ended.resolve);
      const sockets = new Set<Socket>();
      const servers: Server[] = [];
      try {
        for (const each of ports) servers.push(await listen(box, each, sockets));
        await ended.promise;
      } finally {
        for (const server of servers) server.close();
        for (const socket of sockets) socket.destroy();
      }
    },
  );
}

async function listen(
  box: Sandbox,
  { port, local }: Forwarded,
  sockets: Set<Socket>,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    pass(box, port, socket).catch((error: unknown) => {
      socket.destroy();
      const fact = error instanceof Error ? error.message : String(error);
      process.stderr.write(`${printable(fact, process.stderr)}\n`);
    });
  });
  server.listen(local, "127.0.0.1");
  await once(server, "listening");
  const { port: taken } = server.address() as AddressInfo;
  process.stdout.write(`127.0.0.1:${taken} -> port ${port} of ${box.id}\n`);
  return server;
}

async function pass(box: Sandbox, port: number, socket: Socket): Promise<void> {
  const inside = await box.ports.connect(port);
  // Either side may break off, which the other is told.
  await Promise.allSettled([pipeline(socket, inside), pipeline(inside, socket)]);
}

function portPair(text: string, before: Forwarded[] = []): Forwarded[] {
  const [, port, local = port] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const pair = { port: Number(port), local: Number(local) };
  const isPort = pair.port >= 1 && pair.port <= 65_535 && pair.local <= 65_535;
  if (!isPort) throw new InvalidArgumentError("expected a port, or two with a colon between");
  return [...before, pair];
}
