-- name: insert_call
INSERT INTO calls (
    world_id, id, status, direction, source, destination, number_id, called, flow_id, webhook_url, webhook_token, node,
    tags, metadata, created_us, updated_us, reason, answered_us, ended_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_call
UPDATE calls SET status = ?, updated_us = ?, reason = ?, answered_us = ?, ended_us = ? WHERE world_id = ? AND id = ?;

-- name: label_call
UPDATE calls SET tags = ?, metadata = ?, updated_us = ? WHERE world_id = ? AND id = ?;

-- name: insert_leg
INSERT INTO legs (
    world_id, call_id, n, id, direction, source, destination, created_us, dialog,
    status, intent, reason, detail, sip_code, sip_call_id, updated_us, answered_us, ended_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_leg
UPDATE legs SET
    status = ?, intent = ?, reason = ?, detail = ?, sip_code = ?, sip_call_id = ?,
    updated_us = ?, answered_us = ?, ended_us = ?
WHERE world_id = ? AND call_id = ? AND n = ?;

-- name: keep_dialog
UPDATE legs SET dialog = ? WHERE world_id = ? AND call_id = ? AND n = ?;

-- name: forget_dialog
UPDATE legs SET dialog = NULL WHERE world_id = ? AND id = ?;

-- name: forget_unanswered
UPDATE legs INDEXED BY legs_in_dialog SET dialog = NULL
WHERE dialog IS NOT NULL AND ended_us IS NULL AND answered_us IS NULL AND intent IS NOT 'answering' AND EXISTS (
    SELECT 1 FROM calls WHERE calls.world_id = legs.world_id AND calls.id = legs.call_id AND calls.node = ?
);

-- name: dialogs_left
SELECT legs.id, legs.dialog FROM legs INDEXED BY legs_in_dialog
JOIN calls ON calls.world_id = legs.world_id AND calls.id = legs.call_id
WHERE legs.dialog IS NOT NULL AND calls.node = ?;

-- name: insert_entry
INSERT INTO journal (world_id, call_id, seq, at_us, entry) VALUES (?, ?, ?, ?, ?);

-- name: insert_event
INSERT INTO events (world_id, id, call_id, seq, kind, at_us, content) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: heartbeat
INSERT INTO nodes (name, heartbeat_us) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET heartbeat_us = excluded.heartbeat_us;

-- name: last_heartbeat
SELECT heartbeat_us FROM nodes WHERE name = ?;

-- name: find_call
SELECT world_id, id, status, direction, source, destination, number_id, called, flow_id, webhook_url, webhook_token,
    reason, tags, metadata, created_us, updated_us, answered_us, ended_us
FROM calls WHERE world_id = ? AND id = ?;

-- name: live_calls
SELECT world_id, id, status, direction, source, destination, number_id, called, flow_id, webhook_url, webhook_token,
    reason, tags, metadata, created_us, updated_us, answered_us, ended_us
FROM calls INDEXED BY calls_live WHERE node = ? AND ended_us IS NULL;

-- name: last_seqs
SELECT
    (SELECT MAX(seq) FROM journal WHERE world_id = ? AND call_id = ?),
    (SELECT MAX(seq) FROM events WHERE world_id = ? AND call_id = ?);

-- name: last_line
SELECT at_us FROM journal WHERE world_id = ? AND call_id = ? ORDER BY seq DESC LIMIT 1;

-- name: legs_of
SELECT call_id, n, id, direction, source, destination, created_us,
    status, intent, reason, detail, sip_code, sip_call_id, updated_us, answered_us, ended_us
FROM legs WHERE world_id = ? AND call_id = ? ORDER BY n;

-- name: last_leg
SELECT MAX(n) FROM legs WHERE world_id = ? AND call_id = ?;

-- name: page_of_legs
SELECT call_id, n, id, direction, source, destination, created_us,
    status, intent, reason, detail, sip_code, sip_call_id, updated_us, answered_us, ended_us
FROM legs WHERE world_id = ? AND call_id = ? AND n <= ? ORDER BY n DESC LIMIT ?;

-- name: find_leg
SELECT call_id, n, id, direction, source, destination, created_us,
    status, intent, reason, detail, sip_code, sip_call_id, updated_us, answered_us, ended_us
FROM legs WHERE world_id = ? AND id = ?;

-- name: journal_of
SELECT seq, at_us, entry FROM journal WHERE world_id = ? AND call_id = ? ORDER BY seq;

-- name: events_of
SELECT pos, world_id, id, call_id, seq, kind, at_us, content FROM events
WHERE world_id = ? AND call_id = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: events_after
SELECT pos, world_id, id, call_id, seq, kind, at_us, content FROM events
WHERE pos > ? ORDER BY pos LIMIT ?;

-- name: last_event_pos
SELECT MAX(pos) FROM events;

-- name: events_of_call_after
SELECT pos, world_id, id, call_id, seq, kind, at_us, content FROM events
WHERE world_id = ? AND call_id = ? AND pos > ? ORDER BY pos LIMIT ?;

-- name: first_event_after
SELECT pos, at_us FROM events WHERE pos > ? ORDER BY pos LIMIT 1;

-- name: newest_event_ever
SELECT seq FROM sqlite_sequence WHERE name = 'events';

-- name: last_pos
SELECT MAX(pos) FROM calls INDEXED BY calls_by_pos WHERE world_id = ?;

-- name: edge_blocks
SELECT MIN(block), MAX(block) FROM call_blocks
WHERE world_id = ? AND number_id = ? AND level = ? AND block BETWEEN ? AND ?
    AND newest_us >= ? AND oldest_us < ? AND (? OR (last_end_us >= ? AND first_end_us < ?));
