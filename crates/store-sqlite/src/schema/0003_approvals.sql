-- Questions to a person whether a call of a tool may happen, and what was decided.
CREATE TABLE approval (
    id             BLOB PRIMARY KEY CHECK (length(id) = 16),
    run            BLOB NOT NULL CHECK (length(run) = 16),
    agent          TEXT,
    action         BLOB CHECK (length(action) = 16),
    actor          TEXT NOT NULL,
    tool           TEXT NOT NULL,
    call_id        TEXT,
    -- As people see them; what the approval is bound to is the hash of the exact ones.
    arguments      TEXT NOT NULL,
    arguments_hash BLOB NOT NULL CHECK (length(arguments_hash) = 32),
    summary        TEXT NOT NULL,
    findings       TEXT NOT NULL,
    asked_at       INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('pending', 'allowed', 'denied', 'expired')),
    scope          TEXT CHECK (scope IN ('once', 'arguments', 'run')),
    decided_by     TEXT,
    decided_at     INTEGER,
    note           TEXT,
    used_at        INTEGER,
    recorded       INTEGER NOT NULL DEFAULT 0 CHECK (recorded IN (0, 1)),
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state IN ('allowed', 'denied')) = (scope IS NOT NULL))
) STRICT;
CREATE INDEX approval_asked ON approval (asked_at, id);
CREATE INDEX approval_state ON approval (state, asked_at, id);
CREATE INDEX approval_pending ON approval (expires_at) WHERE state = 'pending';
CREATE INDEX approval_answers ON approval (run, tool) WHERE used_at IS NULL;
CREATE INDEX approval_unrecorded ON approval (id) WHERE state <> 'pending' AND recorded = 0;
