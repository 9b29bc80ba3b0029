import { AliasMethods } from "./aliases.ts";
import { CallMethods } from "./calls.ts";
import { ConcurrencyMethods } from "./concurrency.ts";
import { EventMethods } from "./events.ts";
import { FunctionMethods } from "./functions.ts";
import { ImageMethods } from "./images.ts";
import { InvocationMethods } from "./invocations.ts";
import { KeyMethods } from "./keys.ts";
import { joined } from "./methods.ts";
import { Sandboxes } from "./sandbox.ts";
import { SandboxCommandMethods } from "./sandbox-commands.ts";
import { SandboxContextMethods } from "./sandbox-contexts.ts";
import { SandboxFileMethods } from "./sandbox-files.ts";
import { SandboxPortMethods } from "./sandbox-ports.ts";
import { SandboxTerminalMethods } from "./sandbox-terminals.ts";
import { SandboxMethods } from "./sandboxes.ts";
import { ScheduleMethods } from "./schedules.ts";
import { SecretMethods } from "./secrets.ts";
import { ServerMethods } from "./server.ts";
import { SnapshotMethods } from "./snapshots.ts";
import { WebhookMethods } from "./webhooks.ts";

export { ApiError } from "./errors.ts";

/** The HTTP API as methods. Every method throws `ApiError` or `ConnectionError`. */
export class Client extends joined(
  FunctionMethods,
  ConcurrencyMethods,
  AliasMethods,
  CallMethods,
  InvocationMethods,
  EventMethods,
  ScheduleMethods,
  SecretMethods,
  WebhookMethods,
  KeyMethods,
  ImageMethods,
  SandboxMethods,
  SandboxCommandMethods,
  SandboxContextMethods,
  SandboxFileMethods,
  SandboxTerminalMethods,
  SandboxPortMethods,
  SnapshotMethods,
  ServerMethods,
) {
  /** Sandboxes as objects, each of which can be told what to do without its id. */
  get sandboxes(): Sandboxes {
    return new Sandboxes(this);
  }
}
