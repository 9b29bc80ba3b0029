// A context of JavaScript: runs cells one after another in one global scope, and tells what comes of them.
(() => {
  const { writeSync } = require("node:fs");
  const { Session } = require("node:inspector");
  const { Socket } = require("node:net");
  const { inspect } = require("node:util");
  const { Script } = require("node:vm");

  // Node closes them in what it starts.
  const requestsFd = 3;
  const messagesFd = 4;
  const maxMessageBytes = 4 * 1024 * 1024;
  const maxValueChars = 2 * 1024 * 1024;
  const maxErrorChars = 64 * 1024;
  const { parse, stringify } = JSON;
  const { stdout, stderr } = process;
  const displayMethod = Symbol.for("Jupyter.display");
  const slot = Symbol.for("runlet.slot");
  const session = new Session();
  session.connect();
  const guarded = new Script('globalThis[Symbol.for("runlet.slot")]()', {
    filename: "runlet:cell",
  });
  let current;

  function tell(type, fields) {
    if (current === undefined && type !== "ready") return;
    const message = { type, token: current?.token ?? null, ...fields };
    let head = Buffer.from(stringify(message));
    if (head.length > maxMessageBytes) {
      head = Buffer.from(stringify({ ...message, data: {}, cut: Object.keys(fields.data) }));
    }
    const frame = Buffer.alloc(8 + head.length);
    frame.writeUInt32BE(4 + head.length, 0);
    frame.writeUInt32BE(head.length, 4);
    head.copy(frame, 8);
    for (let at = 0; at < frame.length;) at += writeSync(messagesFd, frame, at);
  }

  // Results.

  function bundleOf(value) {
    const own = typeof value?.[displayMethod] === "function" ? value[displayMethod]() : {};
    return {
      "text/plain": typeof own?.["text/plain"] === "string" ? undefined : inspect(value),
      ...own,
    };
  }

  /** Text is cut, what else is too long is left out, and both are named. */
  function show(bundle, isMain) {
    const data = {};
    const cut = [];
    for (const [mime, value] of Object.entries(bundle).slice(0, 32)) {
      if (value === undefined) continue;
      if (!/^[a-z]+\/[\w.+-]{1,100}$/.test(mime)) throw new TypeError(`${mime} is no media type`);
      const isJson = /[/+]json$/.test(mime);
      const text = isJson ? (stringify(value) ?? "null") : textOf(value);
      if (text.length > maxValueChars) cut.push(mime);
      if (text.length <= maxValueChars) data[mime] = isJson ? parse(text) : text;
      else if (mime.startsWith("text/")) data[mime] = text.slice(0, maxValueChars);
    }
    tell("result", { data, isMain, cut });
  }

  function textOf(value) {
    return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : String(value);
  }

  /** Shows a value as a result of the cell; with `raw`, an object of media types as it is. */
  function display(value, { raw = false } = {}) {
    show(raw ? value : bundleOf(value), false);
  }

  function tellError(error, place) {
    const isError = error instanceof Error || typeof error?.stack === "string";
    const name = isError ? String(error.name) : typeof error;
    const message = `${isError ? error.message : inspect(error)}${hintOf(error)}`;
    const lines = isError ? String(error.stack).split("\n") : [`Uncaught ${message}`];
    const end = lines.findIndex((line) => line.includes("at Session.post (node:inspector"));
    const own = end < 0 ? lines : lines.slice(0, end);
    if (place !== undefined && !own.some((line) => line.includes(current.name))) own.push(place);
    const traceback = own.join("\n").slice(0, maxErrorChars);
    tell("error", { name, message: message.slice(0, maxErrorChars), traceback });
  }

  /** The inspector, which lets cells declare things again, knows of no loader of modules. */
  function hintOf(error) {
    const isImport =
      error?.code === "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING" ||
      (error instanceof SyntaxError && error.message.startsWith("Cannot use import statement"));
    return isImport ? ". In a cell require() loads modules, those of ES too" : "";
  }

  // Cells.

  /** Calls what an interrupt ends while it runs, also where it never comes back. */
  function guard(work) {
    Object.defineProperty(globalThis, slot, { value: work, configurable: true });
    guarded.runInThisContext({ breakOnSigint: true });
  }

  function run(cell) {
    current = cell;
    let answer;
    let isReturned = false;
    const params = { expression: `${cell.code}\n//# sourceURL=${cell.name}`, replMode: true };
    try {
      guard(() => {
        // An interrupt that comes from now on is heeded.
        tell("begun");
        session.post(
          "Runtime.evaluate",
          { ...params, awaitPromise: true, objectGroup: "cell" },
          (error, result) => {
            answer = { error, ...result };
            if (isReturned) void finish(cell, answer);
          },
        );
      });
    } catch {
      return void interrupt(cell);
    }
    isReturned = true;
    if (answer !== undefined) void finish(cell, answer);
  }

  async function finish(cell, answer) {
    if (current !== cell || cell.isFinishing) return;
    cell.isFinishing = true;
    await flushed();
    try {
      guard(() => conclude(answer));
    } catch (error) {
      tellError(error);
    }
    await tellDone();
  }

  function conclude({ error, result, exceptionDetails }) {
    if (error) throw new Error(error.message);
    if (exceptionDetails === undefined) {
      const value = valueOf(result);
      if (value !== undefined) show(bundleOf(value), true);
      return;
    }
    const { url, lineNumber, columnNumber, exception } = exceptionDetails;
    // What cannot be read has no name yet.
    const isOfCell = !url || url === current.name;
    const place = `    at ${current.name}:${lineNumber + 1}:${columnNumber + 1}`;
    tellError(valueOf(exception), isOfCell ? place : undefined);
  }

  async function interrupt(cell) {
    if (current !== cell || cell.isFinishing) return;
    cell.isFinishing = true;
    await flushed();
    const message = "The cell was interrupted";
    const name = "InterruptedError";
    tell("error", { name, message, traceback: `${name}: ${message}` });
    await tellDone();
  }

  async function tellDone() {
    await flushed();
    tell("done");
    current = undefined;
    session.post("Runtime.releaseObjectGroup", { objectGroup: "cell" });
  }

  /** What has been written has left; a stream that is broken has nothing left. */
  async function flushed() {
    await Promise.all(
      [stdout, stderr].map(async (stream) => {
        if (stream.writable) await new Promise((resolve) => stream.write("", resolve));
      }),
    );
  }

  let taken;
  const take = (value) => {
    taken = value;
  };
  Object.defineProperty(globalThis, slot, { value: take, configurable: true });
  let taker;
  session.post(
    "Runtime.evaluate",
    { expression: 'globalThis[Symbol.for("runlet.slot")]' },
    (_, answer) => {
      taker = answer.result.objectId;
    },
  );

  /** The value itself of what the inspector tells of. */
  function valueOf({ objectId, value, unserializableValue }) {
    const argument =
      objectId === undefined
        ? unserializableValue === undefined
          ? { value }
          : { unserializableValue }
        : { objectId };
    const functionDeclaration = "function (value) { this(value); }";
    session.post("Runtime.callFunctionOn", {
      objectId: taker,
      functionDeclaration,
      arguments: [argument],
    });
    const found = taken;
    taken = undefined;
    return found;
  }

  Object.defineProperty(globalThis, "display", {
    value: display,
    configurable: true,
    writable: true,
  });
  process.on("SIGINT", () => {
    if (current !== undefined) void interrupt(current);
  });
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => stderr.write(`${inspect(error)}\n`));
  }

  let incoming = Buffer.alloc(0);
  const requests = new Socket({ fd: requestsFd, readable: true, writable: false });
  requests.on("data", (chunk) => {
    incoming = Buffer.concat([incoming, chunk]);
    while (incoming.length >= 8 && incoming.length >= 4 + incoming.readUInt32BE(0)) {
      const rest = 4 + incoming.readUInt32BE(0);
      const { token, code, count } = parse(incoming.toString("utf8", 8, rest));
      incoming = incoming.subarray(rest);
      run({ token, code, name: `cell-${count}` });
    }
  });
  requests.on("end", () => process.exit(0));
  tell("ready");
})();
