-- Ids are UUIDs in 16 bytes; times are microseconds since the epoch, UTC; pos grows in commit order and never leaves the store.

-- accounts

CREATE TABLE accounts (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE worlds (
    id BLOB PRIMARY KEY,
    account_id BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('live', 'test')),
    signing_key TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    UNIQUE (account_id, kind)
) WITHOUT ROWID;

CREATE TABLE keys (
    world_id BLOB NOT NULL,
    id BLOB NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    ending TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    revoked_us INTEGER,
    PRIMARY KEY (world_id, id)
) WITHOUT ROWID;

-- numbers and flows

CREATE TABLE flows (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    is_default INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    UNIQUE (world_id, id)
);
CREATE INDEX flows_by_pos ON flows (world_id, pos);
CREATE UNIQUE INDEX flows_default ON flows (world_id) WHERE is_default = 1;

CREATE TABLE numbers (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    number TEXT NOT NULL,
    is_live INTEGER NOT NULL,
    flow_id BLOB,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    UNIQUE (world_id, id),
    UNIQUE (world_id, number)
);
CREATE INDEX numbers_by_pos ON numbers (world_id, pos);
CREATE INDEX numbers_by_flow ON numbers (world_id, flow_id, pos);
-- A number that the network can call belongs to one world only.
CREATE UNIQUE INDEX numbers_live ON numbers (number) WHERE is_live = 1;

-- calls

CREATE TABLE calls (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    number_id BLOB,
    called BLOB,
    webhook_url TEXT,
    webhook_token TEXT,
    node TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    ended_us INTEGER,
    UNIQUE (world_id, id)
);
CREATE INDEX calls_by_pos ON calls (world_id, pos);
CREATE INDEX calls_live ON calls (node) WHERE ended_us IS NULL;

CREATE TABLE legs (
    world_id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    id BLOB NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    status TEXT NOT NULL,
    intent TEXT,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    reason TEXT,
    detail TEXT NOT NULL,
    sip_code INTEGER,
    sip_call_id TEXT NOT NULL,
    dialog BLOB,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    answered_us INTEGER,
    ended_us INTEGER,
    PRIMARY KEY (world_id, call_id, n)
) WITHOUT ROWID;
CREATE UNIQUE INDEX legs_by_id ON legs (world_id, id);
-- A dialog is kept until the leg is over on the wire, so that a successor can end it.
CREATE INDEX legs_in_dialog ON legs (world_id, call_id) WHERE dialog IS NOT NULL;

CREATE TABLE journal (
    world_id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    entry BLOB NOT NULL,
    PRIMARY KEY (world_id, call_id, seq)
) WITHOUT ROWID;

-- The outbox: one row per change a customer may hear of, written in the commit of the change itself.
CREATE TABLE events (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    snapshot BLOB NOT NULL,
    UNIQUE (world_id, call_id, seq)
);

CREATE TABLE nodes (
    name TEXT PRIMARY KEY,
    heartbeat_us INTEGER NOT NULL
) WITHOUT ROWID;

-- webhooks

-- Webhooks of a world (number_id is null) and of a number; a call's own stands with the call. `target` is the URL as it
-- is requested: two spellings of one URL are one receiver.
CREATE TABLE webhooks (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    number_id BLOB,
    url TEXT NOT NULL,
    target TEXT NOT NULL,
    token TEXT,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    UNIQUE (world_id, id)
);
CREATE INDEX webhooks_of_world ON webhooks (world_id, pos) WHERE number_id IS NULL;
CREATE UNIQUE INDEX webhooks_of_number ON webhooks (world_id, number_id) WHERE number_id IS NOT NULL;
CREATE INDEX webhooks_by_target ON webhooks (world_id, target);

-- One row per event and receiver. A lane is (world, call, url); only the first pending row of a lane, its head, has a
-- next_at_us, so that the indexes on it hold exactly what may be sent.
CREATE TABLE deliveries (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('call', 'number', 'account')),
    url TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    webhook_id BLOB,
    token TEXT,
    body BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'exhausted')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_us INTEGER NOT NULL,
    next_at_us INTEGER,
    settled_us INTEGER,
    last_status INTEGER,
    last_error TEXT,
    UNIQUE (world_id, event_id, url)
);
CREATE INDEX deliveries_of_call ON deliveries (world_id, call_id, seq);
CREATE INDEX deliveries_lane ON deliveries (world_id, call_id, url, seq) WHERE state = 'pending';
CREATE INDEX deliveries_at_endpoint ON deliveries (world_id, endpoint, next_at_us) WHERE next_at_us IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (next_at_us) WHERE next_at_us IS NOT NULL;

-- How far the events have been turned into deliveries.
CREATE TABLE fanned_out (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pos INTEGER NOT NULL
);
INSERT INTO fanned_out VALUES (1, 0);
