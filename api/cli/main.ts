#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// What is compiled once is there in a third of the time. Where temporary files are, which is Node's own choice, another
// account could lay down code for this one to run.
enableCompileCache(
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "runlet", "compiled"),
);
await import("./program.ts");
