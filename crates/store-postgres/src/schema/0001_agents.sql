-- Durable agents. Names without a schema: the search path of the role decides where they live.

-- One row an agent: its index entry, its place in the queue, its timer and who holds it. What changes with every append
-- is in no index, so that appends of a holder stay on the page (HOT): `queued_at` is null while somebody holds the agent.
create table if not exists seawall_agent (
    number      bigint generated always as identity primary key,
    name        text collate "C" not null unique,
    run         text collate "C" not null,      -- another one for each agent that ever had the name
    tenant      text collate "C",
    template    text collate "C" not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    state       text not null,
    is_archived boolean not null,
    seq         bigint not null,                -- the last number in the log
    epoch       bigint not null,                -- of the lease; raised by every claim, checked by every append
    holder      text collate "C",               -- the worker that holds it
    due         timestamptz,                    -- when somebody has to run it
    queued_at   timestamptz,                    -- the same, while nobody holds it
    entry       json not null                   -- the index entry as it was written
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);

create index if not exists seawall_agent_created on seawall_agent (created_at, name);
create index if not exists seawall_agent_tenant on seawall_agent (tenant, created_at) where tenant is not null;
create index if not exists seawall_agent_queue on seawall_agent (queued_at, number) where queued_at is not null;
create index if not exists seawall_agent_turn on seawall_agent (coalesce(tenant, ''), queued_at, number) where queued_at is not null;
create index if not exists seawall_agent_held on seawall_agent (holder, coalesce(tenant, '')) where holder is not null;

-- Append-only. An event takes the numbers from `seq` to `last_seq`; what is large is a blob.
create table if not exists seawall_agent_event (
    agent    bigint not null,
    last_seq bigint not null,
    seq      bigint not null,
    at       timestamptz not null,
    kind     text not null,
    body     json,
    blob     bytea,
    primary key (agent, last_seq),
    check ((body is null) <> (blob is null))
);

create table if not exists seawall_agent_message (
    agent bigint not null,
    place bigint not null,
    role  text not null,
    at    timestamptz not null,
    body  json not null,
    primary key (agent, place)
);

create table if not exists seawall_agent_call (
    agent      bigint not null,
    step       bigint not null,
    index      bigint not null,
    tool       text not null,
    state      text not null,
    created_at timestamptz not null,
    body       json not null,
    primary key (agent, step, index)
) with (fillfactor = 70);

-- What waits for people.
create index if not exists seawall_agent_call_asked on seawall_agent_call (created_at)
    where state in ('approval_required', 'in_doubt');

-- Names that callers make up may hold any character, the one of number 0 too: they are kept as bytes.
create table if not exists seawall_agent_accepted (
    agent   bigint not null,
    message bytea not null,
    content bytea not null,
    seq     bigint not null,
    at      timestamptz not null,
    primary key (agent, message)
);

create table if not exists seawall_agent_snapshot (
    agent bigint not null,
    id    bytea not null,
    seq   bigint not null,
    body  json not null,
    primary key (agent, id)
);

create table if not exists seawall_agent_state (
    agent       bigint primary key,
    seq         bigint not null,
    window_from bigint not null,
    window_to   bigint not null,
    body        json,
    blob        bytea,
    check ((body is null) <> (blob is null))
) with (fillfactor = 50);

create table if not exists seawall_agent_blob (
    agent bigint not null,
    hash  bytea not null,
    bytes bytea not null,
    primary key (agent, hash)
);
alter table seawall_agent_blob alter column bytes set storage external;

-- Processes that run agents. The clock is this server's alone. One that has lapsed stays for a while, so that it learns it.
create table if not exists seawall_agent_worker (
    id           text collate "C" primary key,
    lease_micros bigint not null,
    lease_until  timestamptz not null,
    max_agents   bigint not null,
    started_at   timestamptz not null default now()
) with (fillfactor = 50);

-- Pieces of answers on their way: nothing is lost with them.
create unlogged table if not exists seawall_agent_shown (
    agent      bigint not null,
    seq        bigint not null,
    body       json not null,
    expires_at timestamptz not null,
    primary key (agent, seq)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index if not exists seawall_agent_shown_expiry on seawall_agent_shown (expires_at);
