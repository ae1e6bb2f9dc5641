-- name: insert_webhook
INSERT INTO webhooks (world_id, id, number_id, url, target, token, created_us, updated_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_webhook
UPDATE webhooks SET url = ?, target = ?, token = ?, updated_us = ? WHERE world_id = ? AND id = ?;

-- name: delete_webhook
DELETE FROM webhooks WHERE world_id = ? AND id = ?;

-- name: find_webhook
SELECT world_id, id, number_id, url, target, token, created_us, updated_us FROM webhooks WHERE world_id = ? AND id = ?;

-- name: find_of_number
SELECT world_id, id, number_id, url, target, token, created_us, updated_us FROM webhooks
WHERE world_id = ? AND number_id = ?;

-- name: count_of_world
SELECT COUNT(*) FROM webhooks WHERE world_id = ? AND number_id IS NULL;

-- name: list_of_world
SELECT world_id, id, number_id, url, target, token, created_us, updated_us FROM webhooks
WHERE world_id = ? AND number_id IS NULL ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: fanned_out
SELECT pos FROM fanned_out;

-- name: set_fanned_out
UPDATE fanned_out SET pos = ?;

-- name: insert_delivery
-- A row starts as the head of its lane, unless an earlier one is pending there.
INSERT INTO deliveries (
    world_id, event_id, call_id, seq, kind, scope, url, endpoint, webhook_id, token, body, created_us, next_at_us
) VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
    CASE WHEN EXISTS (
        SELECT 1 FROM deliveries WHERE world_id = ?1 AND call_id = ?3 AND url = ?7 AND state = 'pending'
    ) THEN NULL ELSE ?12 END
);

-- name: settle_delivery
UPDATE deliveries SET state = ?, attempts = ?, settled_us = ?, last_status = ?, last_error = ?, next_at_us = NULL
WHERE pos = ? AND state = 'pending';

-- name: retry_delivery
UPDATE deliveries SET attempts = ?, next_at_us = ?, last_status = ?, last_error = ? WHERE pos = ? AND state = 'pending';

-- name: promote_lane
UPDATE deliveries SET next_at_us = ? WHERE next_at_us IS NULL AND pos = (
    SELECT pos FROM deliveries WHERE world_id = ? AND call_id = ? AND url = ? AND state = 'pending' ORDER BY seq LIMIT 1
);

-- name: find_delivery
-- The token is the webhook's of today, while the webhook still points at this URL. A delivery is withdrawn when neither
-- the call nor any webhook asks for it any more.
SELECT d.pos, d.world_id, d.event_id, d.call_id, d.seq, d.kind, d.scope, d.url,
    CASE WHEN w.target = d.url THEN w.token ELSE d.token END, d.body, d.state, d.attempts, d.created_us, d.next_at_us,
    d.settled_us, d.last_status, d.last_error,
    d.scope <> 'call' AND w.id IS NULL AND NOT EXISTS (
        SELECT 1 FROM webhooks AS other WHERE other.world_id = d.world_id AND other.target = d.url
    )
FROM deliveries AS d LEFT JOIN webhooks AS w ON w.world_id = d.world_id AND w.id = d.webhook_id
WHERE d.pos = ?;

-- name: deliveries_of
SELECT pos, world_id, event_id, call_id, seq, kind, scope, url, token, body, state, attempts, created_us, next_at_us,
    settled_us, last_status, last_error, 0
FROM deliveries INDEXED BY deliveries_of_call WHERE world_id = ? AND call_id = ? ORDER BY seq, pos LIMIT ?;

-- name: due_at_endpoint
SELECT pos FROM deliveries INDEXED BY deliveries_at_endpoint
WHERE world_id = ? AND endpoint = ? AND next_at_us <= ? ORDER BY next_at_us, pos LIMIT ?;

-- name: due_after
SELECT next_at_us, pos, world_id, endpoint FROM deliveries INDEXED BY deliveries_due
WHERE (next_at_us, pos) > (?, ?) AND next_at_us <= ? ORDER BY next_at_us, pos LIMIT ?;

-- name: next_due
SELECT MIN(next_at_us) FROM deliveries INDEXED BY deliveries_due WHERE next_at_us > ?;
