-- name: next_world
-- A world that has calls; one step into the counters, over all that the world before it has.
SELECT world_id FROM call_blocks WHERE world_id > ? ORDER BY world_id LIMIT 1;

-- name: spans_ended_until
SELECT block FROM call_blocks
WHERE world_id = ? AND number_id = x'' AND level = 1 AND first_end_us <= ? ORDER BY block;

-- name: blocks_ended_until
-- The bounds of the ends may lie outside of them, never within.
SELECT block, n, last_end_us, incoming_queued + incoming_starting + incoming_ongoing + outgoing_queued + outgoing_starting
    + outgoing_ongoing
FROM call_blocks
WHERE world_id = ? AND number_id = x'' AND level = 0 AND block BETWEEN ? AND ? AND first_end_us <= ? ORDER BY block;

-- name: over_in_block
SELECT id, ended_us, tags FROM calls INDEXED BY calls_by_pos
WHERE world_id = ? AND pos BETWEEN ? AND ? AND ended_us IS NOT NULL ORDER BY pos;

-- name: has_tag
SELECT EXISTS (SELECT 1 FROM call_labels WHERE world_id = ? AND name = '' AND value = ? AND pos BETWEEN ? AND ?);

-- name: end_and_tags
SELECT ended_us, tags FROM calls WHERE world_id = ? AND id = ?;

-- name: waits_for
-- What is still done with a call: it is recorded, it has just happened to it, it is told of it, or what is told is settled so
-- lately that an answer to it may be on its way.
SELECT
    EXISTS (
        SELECT 1 FROM recordings INDEXED BY recordings_of_call
        WHERE world_id = ?1 AND call_id = ?2 AND status NOT IN ('done', 'failed')
    ),
    EXISTS (SELECT 1 FROM events WHERE world_id = ?1 AND call_id = ?2 AND pos > (SELECT pos FROM fanned_out)),
    EXISTS (SELECT 1 FROM deliveries WHERE world_id = ?1 AND call_id = ?2 AND (state = 'pending' OR settled_us > ?3));

-- name: delete_attempts
DELETE FROM attempts WHERE world_id = ?1 AND delivery_id IN (
    SELECT id FROM deliveries WHERE world_id = ?1 AND call_id = ?2
);

-- name: delete_deliveries
DELETE FROM deliveries WHERE world_id = ? AND call_id = ?;

-- name: delete_transcriptions
DELETE FROM transcriptions WHERE world_id = ?1 AND recording_id IN (
    SELECT id FROM recordings WHERE world_id = ?1 AND call_id = ?2
);

-- name: erase_files
INSERT INTO erasures (world_id, recording_id, file, kept)
SELECT world_id, id, file, kept FROM recordings INDEXED BY recordings_of_call WHERE world_id = ? AND call_id = ? ORDER BY pos;

-- name: delete_recordings
DELETE FROM recordings WHERE world_id = ? AND call_id = ?;

-- name: delete_events
DELETE FROM events WHERE world_id = ? AND call_id = ?;

-- name: delete_journal
DELETE FROM journal WHERE world_id = ? AND call_id = ?;

-- name: delete_legs
DELETE FROM legs WHERE world_id = ? AND call_id = ?;

-- name: delete_call
DELETE FROM calls WHERE world_id = ? AND id = ?;
