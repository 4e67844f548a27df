-- How often keys or limits were written, for other processes to see.
CREATE TABLE change (
    id    INTEGER PRIMARY KEY CHECK (id = 0),
    count INTEGER NOT NULL
) STRICT;
INSERT INTO change (id, count) VALUES (0, 0);

CREATE TABLE api_key (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    name          TEXT NOT NULL,
    tenant        TEXT,
    hash          BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    prefix        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    revoked_at    INTEGER,
    rotated_to    BLOB CHECK (length(rotated_to) = 16),
    budget_usd    TEXT,
    budget_window TEXT,
    rpm           INTEGER,
    tpm           INTEGER,
    models        TEXT NOT NULL,
    ips           TEXT NOT NULL,
    policy        TEXT,
    scopes        TEXT NOT NULL,
    CHECK ((budget_usd IS NULL) = (budget_window IS NULL))
) STRICT;
-- A name has one current key.
CREATE UNIQUE INDEX api_key_current ON api_key (name) WHERE revoked_at IS NULL AND rotated_to IS NULL;
CREATE INDEX api_key_name ON api_key (name);

-- Limits that operators set.
CREATE TABLE budget_limit (
    scope         TEXT NOT NULL,
    window        TEXT NOT NULL,
    usd           TEXT,
    tokens        INTEGER,
    on_store_down TEXT NOT NULL CHECK (on_store_down IN ('closed', 'open')),
    set_at        INTEGER NOT NULL,
    PRIMARY KEY (scope, window)
) STRICT, WITHOUT ROWID;

-- The ledger's last snapshot: one row here, and every row of the three tables that follow.
CREATE TABLE ledger (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    journal INTEGER NOT NULL,
    latest  INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger_account (
    ordinal      INTEGER PRIMARY KEY,
    scope        TEXT NOT NULL,
    window       TEXT NOT NULL,
    ceiling      TEXT,
    period       INTEGER NOT NULL,
    spent_usd    TEXT NOT NULL,
    spent_tokens INTEGER NOT NULL,
    minute       TEXT,
    UNIQUE (scope, window)
) STRICT;

-- Live holds, and swept ones that a late settle may still correct.
CREATE TABLE ledger_hold (
    ordinal  INTEGER PRIMARY KEY,
    hold     BLOB NOT NULL UNIQUE CHECK (length(hold) = 16),
    run      BLOB NOT NULL CHECK (length(run) = 16),
    action   BLOB NOT NULL CHECK (length(action) = 16),
    scopes   TEXT NOT NULL,
    usd      TEXT NOT NULL,
    tokens   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    legs     TEXT NOT NULL,
    swept_at INTEGER
) STRICT;

-- Runs, and the newest line of each one's trace.
CREATE TABLE run (
    run         BLOB PRIMARY KEY CHECK (length(run) = 16),
    kind        TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    path        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_unfinished ON run (run) WHERE finished_at IS NULL;

CREATE TABLE head (
    run       BLOB PRIMARY KEY REFERENCES run (run) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    first_seq INTEGER NOT NULL,
    events    INTEGER NOT NULL,
    actions   INTEGER NOT NULL,
    denied    INTEGER NOT NULL,
    cost_usd  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
