/** The tables of sandboxes; a part of the first step of the schema. */
export const sandboxSchema = `
  CREATE TABLE sandboxes (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'ended')),
    spec TEXT NOT NULL CHECK (json_valid(spec)),
    metadata TEXT NOT NULL CHECK (json_valid(metadata)),
    start TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER NOT NULL,
    ended_at_us INTEGER,
    end_reason TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX sandboxes_by_state ON sandboxes (state, id);

  CREATE TABLE sandbox_commands (
    id TEXT PRIMARY KEY,
    sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    pid INTEGER NOT NULL,
    args TEXT NOT NULL CHECK (json_valid(args)),
    cwd TEXT,
    user TEXT,
    tag TEXT,
    has_terminal INTEGER NOT NULL,
    started_at_us INTEGER NOT NULL,
    ended_at_us INTEGER,
    exit_code INTEGER,
    signal TEXT,
    reason TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX sandbox_commands_by_sandbox ON sandbox_commands (sandbox_id, id);

  CREATE TABLE sandbox_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sandbox_id TEXT NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    detail TEXT
  ) STRICT;

  CREATE INDEX sandbox_events_by_sandbox ON sandbox_events (sandbox_id, seq);

  CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    sandbox_id TEXT NOT NULL,
    name TEXT,
    metadata TEXT NOT NULL CHECK (json_valid(metadata)),
    state TEXT NOT NULL CHECK (state IN ('ready', 'lost')),
    image TEXT NOT NULL,
    spec TEXT NOT NULL CHECK (json_valid(spec)),
    runsc_release TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX snapshots_by_image ON snapshots (image, id);

  CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    types TEXT NOT NULL CHECK (json_valid(types)),
    after_seq INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;
