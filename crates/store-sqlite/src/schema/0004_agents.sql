-- Durable agents: an index entry each, and the lease of whoever runs it. Everything else of an agent goes with this row.
CREATE TABLE agent (
    number           INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    run              BLOB NOT NULL CHECK (length(run) = 16),
    tenant           TEXT,
    api_key          TEXT,
    request          TEXT,
    template         TEXT NOT NULL,
    template_version TEXT,
    lineage          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    epoch            INTEGER NOT NULL,
    state            TEXT NOT NULL,
    breakpoint       TEXT NOT NULL,
    steps            INTEGER NOT NULL,
    messages         INTEGER NOT NULL,
    cost             TEXT NOT NULL,
    tokens           INTEGER NOT NULL,
    due              INTEGER,
    archived         INTEGER NOT NULL CHECK (archived IN (0, 1)),
    -- Under which epoch it may be written, and by which worker; by none where nobody holds it.
    lease_epoch      INTEGER NOT NULL,
    holder           TEXT
) STRICT;
CREATE INDEX agent_created ON agent (created_at DESC, id);
CREATE INDEX agent_due ON agent (tenant, due, holder) WHERE due IS NOT NULL;
CREATE INDEX agent_held ON agent (holder, tenant) WHERE holder IS NOT NULL;

-- The log. Rows are appended in the order of their writing, and found by the index.
CREATE TABLE agent_event (
    agent    INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    -- The event as JSON; what is large is in agent_blob, under this hash.
    body     TEXT,
    blob     BLOB CHECK (length(blob) = 32),
    CHECK ((body IS NULL) <> (blob IS NULL))
) STRICT;
CREATE UNIQUE INDEX agent_event_seq ON agent_event (agent, seq);

CREATE TABLE agent_message (
    agent INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    role  TEXT NOT NULL,
    body  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_message_place ON agent_message (agent, place);

CREATE TABLE agent_call (
    agent      INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    step       INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    tool       TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_call_place ON agent_call (agent, step, place);

-- Messages that were accepted, by the names that their senders gave them.
CREATE TABLE agent_accepted (
    agent   INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    message TEXT NOT NULL,
    content BLOB NOT NULL CHECK (length(content) = 32),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_accepted_message ON agent_accepted (agent, message);

CREATE TABLE agent_snapshot (
    agent INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    id    TEXT NOT NULL,
    label TEXT,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_snapshot_id ON agent_snapshot (agent, id);

-- The fold of a log up to an event, so that not the whole log is read when an agent is taken up.
CREATE TABLE agent_state (
    agent       INTEGER PRIMARY KEY REFERENCES agent (number) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    window_from INTEGER NOT NULL,
    window_to   INTEGER NOT NULL,
    body        TEXT,
    blob        BLOB CHECK (length(blob) = 32),
    CHECK ((body IS NULL) <> (blob IS NULL))
) STRICT;

CREATE TABLE agent_blob (
    agent INTEGER NOT NULL REFERENCES agent (number) ON DELETE CASCADE,
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_blob_hash ON agent_blob (agent, hash);

-- Processes that run agents, each with the time at which its lease lapses.
CREATE TABLE agent_worker (
    id         TEXT PRIMARY KEY,
    until      INTEGER NOT NULL,
    lease      INTEGER NOT NULL,
    max_agents INTEGER NOT NULL
) STRICT;
