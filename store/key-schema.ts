/**
 * The table of API keys; a part of the first step of the schema. Of a key only the SHA-256 hash is kept: 256 random
 * bits cannot be guessed from it, however fast the hash is. `limits` is JSON, times are microseconds since the epoch.
 */
export const keySchema = `
  CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL CHECK (json_valid(scopes)),
    limits TEXT NOT NULL CHECK (json_valid(limits)),
    created_at_us INTEGER NOT NULL,
    expires_at_us INTEGER,
    revoked_at_us INTEGER,
    last_used_at_us INTEGER
  ) STRICT, WITHOUT ROWID;
`;
