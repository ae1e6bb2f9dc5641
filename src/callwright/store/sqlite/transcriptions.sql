-- name: insert
INSERT INTO transcriptions (
    world_id, id, recording_id, call_id, leg_id, language, created_us, status, error, key_id, data_key, content, updated_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update
UPDATE transcriptions SET status = ?, error = ?, key_id = ?, data_key = ?, content = ?, updated_us = ?
WHERE world_id = ? AND id = ?;

-- name: find
SELECT world_id, id, recording_id, call_id, leg_id, language, created_us, status, error, key_id, updated_us
FROM transcriptions WHERE world_id = ? AND id = ?;

-- name: content
SELECT key_id, data_key, content FROM transcriptions WHERE world_id = ? AND id = ?;

-- name: count_of_world
SELECT COUNT(*) FROM transcriptions INDEXED BY transcriptions_by_pos WHERE world_id = ?;

-- name: of_world
SELECT world_id, id, recording_id, call_id, leg_id, language, created_us, status, error, key_id, updated_us
FROM transcriptions INDEXED BY transcriptions_by_pos
WHERE world_id = ? AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: count_of_recording
SELECT COUNT(*) FROM transcriptions INDEXED BY transcriptions_of_recording WHERE world_id = ? AND recording_id = ?;

-- name: of_recording
SELECT world_id, id, recording_id, call_id, leg_id, language, created_us, status, error, key_id, updated_us
FROM transcriptions INDEXED BY transcriptions_of_recording
WHERE world_id = ? AND recording_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: delete_of_recording
DELETE FROM transcriptions WHERE world_id = ? AND recording_id = ?;

-- name: queued
SELECT world_id, id, recording_id, call_id, leg_id, language, created_us, status, error, key_id, updated_us
FROM transcriptions INDEXED BY transcriptions_queued WHERE status IN ('created', 'transcribing') AND EXISTS (
    SELECT 1 FROM recordings WHERE recordings.world_id = transcriptions.world_id
    AND recordings.id = transcriptions.recording_id AND recordings.status IN ('done', 'failed')
) ORDER BY pos LIMIT ?;

-- name: sealed_with_others
SELECT pos, id, key_id, data_key FROM transcriptions INDEXED BY transcriptions_by_key
WHERE key_id <> '' AND key_id <> ? AND pos > ? ORDER BY pos LIMIT ?;

-- name: reseal
UPDATE transcriptions SET key_id = ?, data_key = ? WHERE pos = ? AND key_id = ?;

-- name: count_by_key
SELECT key_id, COUNT(*) FROM transcriptions INDEXED BY transcriptions_by_key WHERE key_id <> '' GROUP BY key_id;
