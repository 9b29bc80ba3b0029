import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** A sandbox as it is on record; times are microseconds since the epoch. */
export interface SandboxRow {
  readonly id: string;
  readonly state: string;
  /** What it was opened with, as JSON. */
  readonly spec: string;
  readonly metadata: string;
  readonly start: string;
  readonly createdAtUs: number;
  readonly expiresAtUs: number;
  readonly endedAtUs: number | null;
  readonly endReason: string | null;
}

/** A command of a sandbox as it is on record. */
export interface SandboxCommandRow {
  readonly id: string;
  readonly sandboxId: string;
  readonly pid: number;
  readonly args: string;
  readonly cwd: string | null;
  readonly user: string | null;
  readonly tag: string | null;
  readonly hasTerminal: 0 | 1;
  readonly startedAtUs: number;
  readonly endedAtUs: number | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
}

/** Something that happened to a sandbox. */
export interface SandboxEventRow {
  readonly seq: number;
  readonly sandboxId: string;
  readonly type: string;
  readonly atUs: number;
  readonly detail: string | null;
}

export interface SandboxQuery {
  state?: string | undefined;
  /** Each of these must be in the metadata as it is. */
  metadata: Readonly<Record<string, string>>;
  before: string;
  limit: number;
}

const columns = `id, state, spec, metadata, start, created_at_us AS createdAtUs,
  expires_at_us AS expiresAtUs, ended_at_us AS endedAtUs, end_reason AS endReason`;
const commandColumns = `id, sandbox_id AS sandboxId, pid, args, cwd, user, tag, has_terminal AS hasTerminal,
  started_at_us AS startedAtUs, ended_at_us AS endedAtUs, exit_code AS exitCode, signal, reason`;

const eventColumns = "seq, sandbox_id AS sandboxId, type, at_us AS atUs, detail";

/** Which commands of a sandbox are asked for. */
interface CommandsQuery {
  sandboxId: string;
  /** Those with a lesser id. */
  before: string;
  state: "running" | "ended" | null;
  limit: number;
}

/** Sandboxes, their commands and what happened to them. */
export class SandboxStore {
  readonly #connection: Sqlite.Database;
  readonly #insert: Sqlite.Statement<[SandboxRow]>;
  readonly #update: Sqlite.Statement<[object]>;
  readonly #get: Sqlite.Statement<[string], SandboxRow>;
  readonly #list: Sqlite.Statement<[object], SandboxRow>;
  readonly #insertCommand: Sqlite.Statement<[SandboxCommandRow]>;
  readonly #endCommand: Sqlite.Statement<[object]>;
  readonly #loseCommands: Sqlite.Statement<[object]>;
  readonly #command: Sqlite.Statement<[string, string], SandboxCommandRow>;
  readonly #commands: Sqlite.Statement<[CommandsQuery], SandboxCommandRow>;
  readonly #note: Sqlite.Statement<[object]>;
  readonly #eventsOf: Sqlite.Statement<[string, number, number], SandboxEventRow>;
  readonly #events: Sqlite.Statement<[number, number], SandboxEventRow>;
  readonly #lastSeq: Sqlite.Statement<[], number>;
  readonly #prune: Sqlite.Statement<[number, number]>;
  readonly #oldestEnded: Sqlite.Statement<[], number>;
  readonly #listeners = new Set<() => void>();

  constructor({ connection }: Database) {
    this.#connection = connection;
    this.#insert = connection.prepare(
      `INSERT INTO sandboxes
         (id, state, spec, metadata, start, created_at_us, expires_at_us, ended_at_us, end_reason)
       VALUES
         (@id, @state, @spec, @metadata, @start, @createdAtUs, @expiresAtUs, @endedAtUs, @endReason)`,
    );
    this.#update = connection.prepare(
      `UPDATE sandboxes SET state = @state, metadata = @metadata, spec = @spec,
         expires_at_us = @expiresAtUs, ended_at_us = max(created_at_us, @endedAtUs), end_reason = @endReason
       WHERE id = @id AND state <> 'ended'`,
    );
    this.#get = connection.prepare(`SELECT ${columns} FROM sandboxes WHERE id = ?`);
    this.#list = connection.prepare(
      `SELECT ${columns} FROM sandboxes
       WHERE id < @before AND (@state IS NULL OR state = @state)
         AND NOT EXISTS (
           SELECT 1 FROM json_each(@metadata) AS wanted
           WHERE json_extract(sandboxes.metadata, '$."' || wanted.key || '"') IS NOT wanted.value)
       ORDER BY id DESC LIMIT @limit`,
    );
    this.#insertCommand = connection.prepare(
      `INSERT INTO sandbox_commands
         (id, sandbox_id, pid, args, cwd, user, tag, has_terminal, started_at_us, ended_at_us, exit_code, signal, reason)
       VALUES
         (@id, @sandboxId, @pid, @args, @cwd, @user, @tag, @hasTerminal, @startedAtUs, @endedAtUs, @exitCode, @signal, @reason)`,
    );
    this.#endCommand = connection.prepare(
      `UPDATE sandbox_commands SET ended_at_us = max(started_at_us, @endedAtUs), exit_code = @exitCode, signal = @signal, reason = @reason
       WHERE id = @id AND ended_at_us IS NULL`,
    );
    this.#loseCommands = connection.prepare(
      `UPDATE sandbox_commands SET ended_at_us = max(started_at_us, @atUs), reason = @reason
       WHERE sandbox_id = @sandboxId AND ended_at_us IS NULL`,
    );
    this.#command = connection.prepare(
      `SELECT ${commandColumns} FROM sandbox_commands WHERE sandbox_id = ? AND id = ?`,
    );
    this.#commands = connection.prepare(
      `SELECT ${commandColumns} FROM sandbox_commands WHERE sandbox_id = @sandboxId AND id < @before
         AND (@state IS NULL OR (ended_at_us IS NULL) = (@state = 'running')) ORDER BY id DESC LIMIT @limit`,
    );
    this.#note = connection.prepare(
      `INSERT INTO sandbox_events (sandbox_id, type, at_us, detail) VALUES (@sandboxId, @type, @atUs, @detail)`,
    );
    this.#eventsOf = connection.prepare(
      `SELECT ${eventColumns} FROM sandbox_events WHERE sandbox_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    );
    this.#events = connection.prepare(
      `SELECT ${eventColumns} FROM sandbox_events WHERE seq > ? ORDER BY seq LIMIT ?`,
    );
    // Ids are in the order of time, and what ended so long ago was opened before that.
    this.#prune = connection.prepare(
      `DELETE FROM sandboxes WHERE id IN (
         SELECT id FROM sandboxes WHERE state = 'ended' AND ended_at_us < ? ORDER BY id LIMIT ?)`,
    );
    this.#oldestEnded = connection
      .prepare<[], number>(
        "SELECT ended_at_us FROM sandboxes WHERE state = 'ended' ORDER BY id LIMIT 1",
      )
      .pluck();
    this.#lastSeq = connection
      .prepare<[], number>("SELECT coalesce(max(seq), 0) FROM sandbox_events")
      .pluck();
  }

  /** Tells `listener` of each time that events were written; answers what ends that. */
  onEvents(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Writes a new sandbox with its first event. */
  add(row: SandboxRow): void {
    this.#connection.transaction(() => {
      this.#insert.run(row);
      this.#note.run({ sandboxId: row.id, type: "created", atUs: row.createdAtUs, detail: null });
    })();
    this.#tell();
  }

  /** Writes what has become of a sandbox, and the event that led to it. */
  change(row: SandboxRow, type: string, atUs: number): void {
    this.#connection.transaction(() => {
      if (this.#update.run(row).changes === 0) return;
      this.#note.run({ sandboxId: row.id, type, atUs, detail: row.endReason });
      if (row.state !== "ended") return;
      this.#loseCommands.run({ sandboxId: row.id, atUs, reason: row.endReason });
    })();
    this.#tell();
  }

  get(id: string): SandboxRow | undefined {
    return this.#get.get(id);
  }

  /** The newest first. */
  list({ state, metadata, before, limit }: SandboxQuery): SandboxRow[] {
    const wanted = JSON.stringify(metadata);
    return this.#list.all({ state: state ?? null, metadata: wanted, before, limit });
  }

  addCommand(row: SandboxCommandRow): void {
    this.#insertCommand.run(row);
  }

  endCommand(
    end: Pick<SandboxCommandRow, "id" | "endedAtUs" | "exitCode" | "signal" | "reason">,
  ): void {
    this.#endCommand.run(end);
  }

  command(sandboxId: string, id: string): SandboxCommandRow | undefined {
    return this.#command.get(sandboxId, id);
  }

  /** The newest first. */
  commands(query: CommandsQuery): SandboxCommandRow[] {
    return this.#commands.all(query);
  }

  /** What has happened to one sandbox or to all, the oldest first, behind an event. */
  events(sandboxId: string | undefined, after: number, limit: number): SandboxEventRow[] {
    if (sandboxId === undefined) return this.#events.all(after, limit);
    return this.#eventsOf.all(sandboxId, after, limit);
  }

  /** The number of the last event; 0 where there is none. */
  lastSeq(): number {
    return this.#lastSeq.get() ?? 0;
  }

  /** When the oldest sandbox ended that has done so; undefined where there is none. */
  oldestUs(): number | undefined {
    return this.#oldestEnded.get();
  }

  /** Removes sandboxes that ended before a moment, with their commands and events, up to `limit`; answers how many. */
  prune(endedBeforeUs: number, limit: number): number {
    return this.#prune.run(endedBeforeUs, limit).changes;
  }

  /** Marks what an earlier run left as lost; answers how many sandboxes that were. */
  markLost(atUs: number): number {
    return this.#connection.transaction((): number => {
      const rows = this.#connection
        .prepare<[], SandboxRow>(`SELECT ${columns} FROM sandboxes WHERE state <> 'ended'`)
        .all();
      for (const row of rows) {
        this.change({ ...row, state: "ended", endedAtUs: atUs, endReason: "lost" }, "ended", atUs);
      }
      return rows.length;
    })();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
