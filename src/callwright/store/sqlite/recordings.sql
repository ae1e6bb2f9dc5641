-- name: insert
INSERT INTO recordings (
    world_id, id, call_id, leg_id, type, tracks, file, key_id, data_key, created_us,
    status, kept, duration_ms, detail, updated_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update
UPDATE recordings SET status = ?, kept = ?, duration_ms = ?, detail = ?, updated_us = ? WHERE world_id = ? AND id = ?;

-- name: delete
DELETE FROM recordings WHERE world_id = ? AND id = ?;

-- name: find
SELECT world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings WHERE world_id = ? AND id = ?;

-- name: data_key
SELECT key_id, data_key FROM recordings WHERE world_id = ? AND id = ?;

-- name: count_of_world
SELECT COUNT(*) FROM recordings INDEXED BY recordings_by_pos WHERE world_id = ?;

-- name: of_world
SELECT world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings INDEXED BY recordings_by_pos WHERE world_id = ? AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: count_of_call
SELECT COUNT(*) FROM recordings INDEXED BY recordings_of_call WHERE world_id = ? AND call_id = ?;

-- name: of_call
SELECT world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings INDEXED BY recordings_of_call WHERE world_id = ? AND call_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: count_of_leg
SELECT COUNT(*) FROM recordings INDEXED BY recordings_of_leg WHERE world_id = ? AND leg_id = ?;

-- name: of_leg
SELECT world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings INDEXED BY recordings_of_leg WHERE world_id = ? AND leg_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: open
SELECT world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings INDEXED BY recordings_open WHERE status NOT IN ('done', 'failed') ORDER BY pos;

-- name: waiting
SELECT pos, world_id, id, call_id, leg_id, type, tracks, file, key_id, created_us, status, kept, duration_ms, detail, updated_us
FROM recordings INDEXED BY recordings_waiting
WHERE kept = 'waiting' AND status IN ('done', 'failed') AND pos > ? ORDER BY pos LIMIT ?;

-- name: moved
UPDATE recordings SET kept = ? WHERE world_id = ? AND id = ? AND kept = 'waiting';

-- name: insert_erasure
INSERT INTO erasures (world_id, recording_id, file, kept) VALUES (?, ?, ?, ?);

-- name: erasures
SELECT pos, file, kept FROM erasures WHERE pos > ? ORDER BY pos LIMIT ?;

-- name: delete_erasure
DELETE FROM erasures WHERE pos = ?;

-- name: sealed_with_others
SELECT pos, id, key_id, data_key FROM recordings INDEXED BY recordings_by_key
WHERE key_id <> '' AND key_id <> ? AND pos > ? ORDER BY pos LIMIT ?;

-- name: reseal
UPDATE recordings SET key_id = ?, data_key = ? WHERE pos = ? AND key_id = ?;

-- name: count_by_key
SELECT key_id, COUNT(*) FROM recordings INDEXED BY recordings_by_key WHERE key_id <> '' GROUP BY key_id;
