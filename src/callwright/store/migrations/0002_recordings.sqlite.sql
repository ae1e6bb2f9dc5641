-- recordings

-- `file` is a path below the folder of recordings, and the object's name below its prefix. `kept` says where the file is:
-- on this machine, on this machine until it is copied to object storage, or there alone. `data_key` is the key the file is
-- sealed with, itself sealed with the operator's key `key_id`; null for a plain file.
CREATE TABLE recordings (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    leg_id BLOB NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('ivr', 'transfer', 'call')),
    tracks TEXT NOT NULL CHECK (tracks IN ('from', 'to', 'mix', 'both')),
    file TEXT NOT NULL,
    key_id TEXT NOT NULL,
    data_key BLOB,
    created_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    kept TEXT NOT NULL CHECK (kept IN ('local', 'waiting', 'object')),
    duration_ms INTEGER NOT NULL,
    detail TEXT NOT NULL,
    updated_us INTEGER NOT NULL,
    UNIQUE (world_id, id)
);
CREATE INDEX recordings_by_pos ON recordings (world_id, pos);
CREATE INDEX recordings_of_leg ON recordings (world_id, leg_id, pos);
CREATE INDEX recordings_of_call ON recordings (world_id, call_id, pos);
CREATE INDEX recordings_open ON recordings (pos) WHERE status NOT IN ('done', 'failed');
CREATE INDEX recordings_waiting ON recordings (pos) WHERE kept = 'waiting';
CREATE INDEX recordings_by_key ON recordings (key_id, pos) WHERE key_id <> '';

-- Files of recordings that were deleted, until they are gone from wherever they were.
CREATE TABLE erasures (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    recording_id BLOB NOT NULL,
    file TEXT NOT NULL,
    kept TEXT NOT NULL
);

-- transcriptions

-- `content` is what was heard, as JSON; sealed as a recording's file is when there is a `data_key`.
CREATE TABLE transcriptions (
    pos INTEGER PRIMARY KEY AUTOINCREMENT,
    world_id BLOB NOT NULL,
    id BLOB NOT NULL,
    recording_id BLOB NOT NULL,
    call_id BLOB NOT NULL,
    leg_id BLOB NOT NULL,
    language TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    key_id TEXT NOT NULL,
    data_key BLOB,
    content BLOB,
    updated_us INTEGER NOT NULL,
    UNIQUE (world_id, id)
);
CREATE INDEX transcriptions_of_recording ON transcriptions (world_id, recording_id, pos);
CREATE INDEX transcriptions_queued ON transcriptions (pos) WHERE status IN ('created', 'transcribing');
CREATE INDEX transcriptions_by_key ON transcriptions (key_id, pos) WHERE key_id <> '';
