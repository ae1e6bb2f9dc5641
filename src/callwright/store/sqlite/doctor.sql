-- name: applied
SELECT number, name, checksum FROM migrations ORDER BY number;

-- name: newest_pos
SELECT COALESCE(MAX(pos), 0) FROM calls;

-- name: newest_calls
SELECT world_id, id FROM calls WHERE pos > ? AND ended_us IS NOT NULL ORDER BY pos DESC LIMIT ?;

-- name: ended_with_a_live_leg
SELECT DISTINCT calls.id FROM calls JOIN legs ON legs.world_id = calls.world_id AND legs.call_id = calls.id
WHERE calls.pos > ? AND calls.ended_us IS NOT NULL AND legs.ended_us IS NULL LIMIT ?;

-- name: without_a_leg
SELECT id FROM calls WHERE pos > ? AND NOT EXISTS (
    SELECT 1 FROM legs WHERE legs.world_id = calls.world_id AND legs.call_id = calls.id
) LIMIT ?;

-- name: status_against_end
SELECT DISTINCT calls.id FROM calls JOIN legs ON legs.world_id = calls.world_id AND legs.call_id = calls.id
WHERE calls.pos > ?1 AND (
    (calls.status IN ('queued', 'starting', 'ongoing')) <> (calls.ended_us IS NULL)
    OR (legs.status IN ('starting', 'ringing', 'ongoing')) <> (legs.ended_us IS NULL)
) LIMIT ?2;

-- name: times_out_of_order
SELECT DISTINCT calls.id FROM calls JOIN legs ON legs.world_id = calls.world_id AND legs.call_id = calls.id
WHERE calls.pos > ?1 AND NOT (
    calls.created_us <= COALESCE(calls.ended_us, calls.updated_us)
    AND COALESCE(calls.ended_us, calls.updated_us) <= calls.updated_us
    AND legs.created_us <= COALESCE(legs.answered_us, legs.created_us)
    AND COALESCE(legs.answered_us, legs.created_us) <= COALESCE(legs.ended_us, legs.updated_us)
    AND COALESCE(legs.ended_us, legs.updated_us) <= legs.updated_us
) LIMIT ?2;

-- name: reason_against_end
SELECT DISTINCT calls.id FROM calls JOIN legs ON legs.world_id = calls.world_id AND legs.call_id = calls.id
WHERE calls.pos > ? AND (legs.reason IS NULL) <> (legs.ended_us IS NULL) LIMIT ?;

-- name: live
SELECT id, created_us, (
    SELECT MIN(answered_us) FROM legs WHERE legs.world_id = calls.world_id AND legs.call_id = calls.id
) FROM calls WHERE ended_us IS NULL;

-- name: dialogs_of_ended_legs
SELECT id, ended_us FROM legs WHERE dialog IS NOT NULL AND ended_us IS NOT NULL;

-- name: given_up
-- Test events, and what no webhook asks for any more, are nothing to be sent again.
SELECT d.endpoint, COUNT(*), w.kind, MIN(d.created_us) FROM (
    SELECT world_id, endpoint, state, settled_us, created_us, test, last_error FROM deliveries ORDER BY pos DESC LIMIT ?
) AS d LEFT JOIN worlds AS w ON w.id = d.world_id
WHERE d.state = 'exhausted' AND d.settled_us > ? AND d.test = 0 AND d.last_error IS NOT 'webhook_deleted' GROUP BY d.world_id, d.endpoint ORDER BY COUNT(*) DESC;

-- name: disabled_endpoints
SELECT e.url, e.disabled_us, e.disabled_why, w.kind FROM endpoints AS e JOIN worlds AS w ON w.id = e.world_id
WHERE e.disabled_us IS NOT NULL ORDER BY e.disabled_us DESC LIMIT ?;

-- name: failing_endpoints
-- The oldest that waits there tells how long and why; what waits is not counted to its end, as it may be a million.
SELECT e.url, e.id, w.kind, d.since_us, d.last_status, d.last_error, (
    SELECT COUNT(*) FROM (
        SELECT 1 FROM deliveries INDEXED BY deliveries_of_endpoint
        WHERE world_id = e.world_id AND endpoint = e.url AND state = 'pending' LIMIT ?2
    )
)
FROM endpoints AS e JOIN worlds AS w ON w.id = e.world_id CROSS JOIN deliveries AS d
WHERE e.disabled_us IS NULL AND e.failing_us <= ?1 AND d.pos = (
    SELECT pos FROM deliveries INDEXED BY deliveries_of_endpoint
    WHERE world_id = e.world_id AND endpoint = e.url AND state = 'pending' ORDER BY pos LIMIT 1
) ORDER BY e.failing_us LIMIT ?3;

-- name: overdue
SELECT COUNT(*), MIN(next_at_us) FROM deliveries WHERE next_at_us <= ?;

-- name: lanes_without_a_head
SELECT COUNT(*) FROM (
    SELECT 1 FROM deliveries WHERE state = 'pending' GROUP BY world_id, call_id, url, passed HAVING MAX(next_at_us) IS NULL
);

-- name: outbox
SELECT COUNT(*), MIN(at_us) FROM events WHERE pos > (SELECT pos FROM fanned_out);

-- name: outbox_ahead
-- An event's pos is never given twice, so what was fanned out cannot be beyond the last one given.
SELECT pos - COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) FROM fanned_out;

-- name: pace
SELECT COUNT(*), MIN(created_us), MAX(created_us) FROM calls WHERE pos > ?;

-- name: heartbeats
SELECT name, heartbeat_us FROM nodes;

-- name: recordings_here
SELECT file FROM recordings WHERE status = 'done' AND kept <> 'object' ORDER BY pos DESC LIMIT ?;

-- name: recordings_waiting
SELECT COUNT(*), MIN(updated_us) FROM recordings INDEXED BY recordings_waiting WHERE kept = 'waiting';
