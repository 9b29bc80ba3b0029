/** The tables of events and of idempotency keys; a part of the first step of the schema. */
export const eventSchema = `
  CREATE TABLE events (
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    function_name TEXT NOT NULL,
    qualifier TEXT,
    content_type TEXT,
    source TEXT NOT NULL,
    trace_id TEXT,
    depth INTEGER NOT NULL,
    callback_url TEXT,
    callback_secret TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    throttles INTEGER NOT NULL,
    next_at_us INTEGER NOT NULL,
    accepted_at_us INTEGER NOT NULL,
    ended_at_us INTEGER,
    dead_condition TEXT,
    error_code TEXT,
    error_message TEXT,
    body_bytes INTEGER NOT NULL,
    body BLOB,
    CHECK ((callback_url IS NULL) = (callback_secret IS NULL))
  ) STRICT;

  CREATE INDEX events_due ON events (kind, next_at_us) WHERE state = 'queued';
  CREATE INDEX events_by_function_due ON events (kind, function_name, next_at_us)
    WHERE state = 'queued';
  CREATE INDEX events_by_function ON events (function_name, id);
  CREATE INDEX events_by_state ON events (state, id);
  CREATE INDEX events_by_function_state ON events (function_name, state, id);
  CREATE INDEX events_succeeded ON events (ended_at_us) WHERE state = 'succeeded';

  CREATE TABLE event_depths (
    function_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (function_name, kind, state)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER events_inserted AFTER INSERT ON events BEGIN
    INSERT INTO event_depths VALUES (NEW.function_name, NEW.kind, NEW.state, 1)
      ON CONFLICT DO UPDATE SET count = count + 1;
  END;
  CREATE TRIGGER events_moved AFTER UPDATE OF state ON events BEGIN
    UPDATE event_depths SET count = count - 1
      WHERE function_name = OLD.function_name AND kind = OLD.kind AND state = OLD.state;
    INSERT INTO event_depths VALUES (NEW.function_name, NEW.kind, NEW.state, 1)
      ON CONFLICT DO UPDATE SET count = count + 1;
  END;
  CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    UPDATE event_depths SET count = count - 1
      WHERE function_name = OLD.function_name AND kind = OLD.kind AND state = OLD.state;
  END;

  CREATE TABLE idempotency_keys (
    function_name TEXT NOT NULL,
    key TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (json_valid(answer)),
    body BLOB,
    expires_at_us INTEGER NOT NULL,
    PRIMARY KEY (function_name, key)
  ) STRICT;

  CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at_us);
`;
