-- calls

-- Events that are not about a call's own change (its recordings, its transcriptions, a receiver that was given up) have no
-- `seq`; those of no call stand under the id of their world. `content` is what the kind says it is.
CREATE TABLE all_events (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    seq INTEGER,
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (world_id, call_id, seq)
);
INSERT INTO all_events SELECT pos, world_id, id, call_id, seq, kind, at_us, snapshot FROM events;
DROP TABLE events;
ALTER TABLE all_events RENAME TO events;

-- accounts

-- A signing key that was replaced stays good until `old_until_us`.
ALTER TABLE worlds ADD COLUMN old_signing_key TEXT;
ALTER TABLE worlds ADD COLUMN old_until_us INTEGER;

-- webhooks

-- `events` lists the types it hears of, separated by commas; null stands for those of the settings. A token that was
-- replaced stays good until `old_until_us`.
ALTER TABLE webhooks ADD COLUMN events TEXT;
ALTER TABLE webhooks ADD COLUMN old_token TEXT;
ALTER TABLE webhooks ADD COLUMN old_until_us INTEGER;
CREATE INDEX webhooks_by_pos ON webhooks (world_id, pos);

-- What is known of a receiver's program, a URL without its query. There is a row once it has failed or was given limits.
-- `failing_us` is when the first of `failures` attempts failed of which none since was good, `failed_us` when the last did.
CREATE TABLE endpoints (
    world_id BLOB NOT NULL,
    url TEXT NOT NULL,
    id BLOB NOT NULL,
    concurrency INTEGER,
    rate REAL,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_us INTEGER,
    failed_us INTEGER,
    disabled_us INTEGER,
    disabled_why TEXT,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (world_id, url),
    UNIQUE (world_id, id)
) WITHOUT ROWID;

-- One row per message and receiver. A lane is (world, call, url), and `sequence` counts it from 1. Only the first row of a
-- lane that is pending and not `passed` has a next_at_us, and so has each that is passed and pending: whatever has one may be
-- sent. A row is passed when its lane no longer waits for it. Of those of a lane that are passed and were not tried since they
-- were resent, the first alone has one: they go out in order. `attempts` counts all that were made, `tries` those since
-- `since_us`, when it was made or last resent; `failed_us` is when the first of these failed. `delivered_us` is when the
-- receiver first had it. `emptied` rows were kept for long enough; they are there for the sequence of their lane alone.
CREATE TABLE all_deliveries (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    event_id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    test INTEGER NOT NULL DEFAULT 0,
    scope TEXT NOT NULL CHECK (scope IN ('call', 'number', 'account')),
    url TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    webhook_id BLOB,
    token TEXT,
    body BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'exhausted')),
    passed INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    created_us INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    failed_us INTEGER,
    next_at_us INTEGER,
    settled_us INTEGER,
    delivered_us INTEGER,
    emptied INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER,
    last_error TEXT,
    UNIQUE (world_id, call_id, url, sequence),
    UNIQUE (world_id, event_id, url)
);
INSERT INTO all_deliveries (
    pos, world_id, id, event_id, call_id, sequence, kind, scope, url, endpoint, webhook_id, token, body, state, attempts,
    tries, created_us, since_us, next_at_us, settled_us, delivered_us, last_status, last_error
) SELECT
    pos, world_id,
    -- A UUIDv7 of the time it was made.
    unhex(printf('%012X7', created_us / 1000) || substr(hex(randomblob(2)), 2) || 'A' || substr(hex(randomblob(8)), 2)),
    event_id, call_id, seq, kind, scope, url, endpoint, webhook_id, token, body, state,
    attempts, attempts, created_us, created_us, next_at_us, settled_us,
    CASE state WHEN 'delivered' THEN COALESCE(settled_us, created_us) END, last_status, last_error
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE all_deliveries RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_by_id ON deliveries (world_id, id);
CREATE INDEX deliveries_by_time ON deliveries (world_id, created_us);
CREATE INDEX deliveries_of_endpoint ON deliveries (world_id, endpoint, state, pos);
CREATE INDEX deliveries_unsent ON deliveries (world_id, state, pos) WHERE state <> 'delivered';
CREATE INDEX deliveries_open ON deliveries (world_id, call_id, url, sequence) WHERE state <> 'delivered';
CREATE INDEX deliveries_resent ON deliveries (world_id, call_id, url, sequence)
    WHERE state = 'pending' AND passed = 1 AND tries = 0;
-- What has been waiting, and what has been settled, for how long.
CREATE INDEX deliveries_by_age ON deliveries (state, COALESCE(settled_us, since_us)) WHERE emptied = 0;
CREATE INDEX deliveries_at_endpoint ON deliveries (world_id, endpoint, next_at_us, pos) WHERE next_at_us IS NOT NULL;

-- One row per attempt. `headers` and `answer_headers` are JSON arrays of pairs; `answer` is the beginning of what came back,
-- `whole` whether that was all. Spans are microseconds, null where the phase did not happen.
CREATE TABLE attempts (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    delivery_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    headers TEXT NOT NULL,
    status INTEGER,
    error TEXT,
    detail TEXT NOT NULL DEFAULT '',
    answer_headers TEXT,
    answer BLOB,
    whole INTEGER NOT NULL DEFAULT 0,
    dns_us INTEGER,
    connect_us INTEGER,
    tls_us INTEGER,
    head_us INTEGER,
    total_us INTEGER NOT NULL,
    next_at_us INTEGER,
    UNIQUE (world_id, delivery_id, n)
);
