-- name: insert_webhook
INSERT INTO webhooks (world_id, id, number_id, url, target, token, events, created_us, updated_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_webhook
UPDATE webhooks SET url = ?, target = ?, token = ?, events = ?, old_token = ?, old_until_us = ?, updated_us = ?
WHERE world_id = ? AND id = ?;

-- name: delete_webhook
DELETE FROM webhooks WHERE world_id = ? AND id = ?;

-- name: find_webhook
SELECT world_id, id, number_id, url, target, token, events, old_token, old_until_us, created_us, updated_us FROM webhooks WHERE world_id = ? AND id = ?;

-- name: find_of_number
SELECT world_id, id, number_id, url, target, token, events, old_token, old_until_us, created_us, updated_us FROM webhooks
WHERE world_id = ? AND number_id = ?;

-- name: count_of_world
SELECT COUNT(*) FROM webhooks WHERE world_id = ? AND number_id IS NULL;

-- name: list_of_world
SELECT world_id, id, number_id, url, target, token, events, old_token, old_until_us, created_us, updated_us FROM webhooks
WHERE world_id = ? AND number_id IS NULL ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: fanned_out
SELECT pos FROM fanned_out;

-- name: set_fanned_out
UPDATE fanned_out SET pos = ?;

-- name: insert_delivery
-- A row starts as the head of its lane, unless an earlier one is waited for there.
INSERT INTO deliveries (
    world_id, id, event_id, call_id, kind, scope, url, endpoint, webhook_id, token, body, created_us, since_us,
    sequence, state, settled_us, last_error, next_at_us
) SELECT
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12,
    (SELECT COALESCE(MAX(sequence), 0) + 1 FROM deliveries WHERE world_id = ?1 AND call_id = ?4 AND url = ?7),
    CASE WHEN refused THEN 'exhausted' ELSE 'pending' END,
    CASE WHEN refused THEN ?12 END,
    CASE WHEN refused THEN 'endpoint_disabled' END,
    CASE WHEN refused OR EXISTS (
        SELECT 1 FROM deliveries
        WHERE world_id = ?1 AND call_id = ?4 AND url = ?7 AND state = 'pending' AND passed = 0
    ) THEN NULL ELSE ?12 END
FROM (
    SELECT EXISTS (SELECT 1 FROM endpoints WHERE world_id = ?1 AND url = ?8 AND disabled_us IS NOT NULL) AS refused
);

-- name: settle_delivery
UPDATE deliveries SET state = ?, attempts = attempts + ?, tries = tries + ?, settled_us = ?, last_status = ?, last_error = ?,
    next_at_us = NULL
WHERE pos = ? AND state = 'pending';

-- name: retry_delivery
UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, next_at_us = ?, last_status = ?, last_error = ?
WHERE pos = ? AND state = 'pending';

-- name: promote_lane
UPDATE deliveries SET next_at_us = ? WHERE next_at_us IS NULL AND pos = (
    SELECT pos FROM deliveries WHERE world_id = ? AND call_id = ? AND url = ? AND state = 'pending' AND passed = 0
    ORDER BY sequence LIMIT 1
);

-- name: insert_attempt
INSERT INTO attempts (
    world_id, delivery_id, n, at_us, headers, status, error, detail, answer_headers, answer, whole, dns_us, connect_us,
    tls_us, head_us, total_us, next_at_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find_delivery
-- The tokens are the webhook's of today, while the webhook still points at this URL. A delivery is withdrawn when neither
-- the call nor any webhook asks for it any more.
SELECT d.pos, d.world_id, d.id, d.event_id, d.call_id, d.sequence, d.kind, d.test, d.scope, d.url, d.endpoint,
    CASE WHEN w.target = d.url THEN w.token ELSE d.token END,
    CASE WHEN w.target = d.url THEN w.old_token END,
    CASE WHEN w.target = d.url THEN w.old_until_us END,
    d.body, d.state, d.passed, d.attempts, d.tries, d.created_us, d.since_us, d.next_at_us, d.settled_us, d.last_status,
    d.last_error,
    d.scope <> 'call' AND w.id IS NULL AND NOT EXISTS (
        SELECT 1 FROM webhooks AS other WHERE other.world_id = d.world_id AND other.target = d.url
    )
FROM deliveries AS d LEFT JOIN webhooks AS w ON w.world_id = d.world_id AND w.id = d.webhook_id
WHERE d.pos = ?;

-- name: deliveries_of
SELECT pos, world_id, id, event_id, call_id, sequence, kind, test, scope, url, endpoint, token, NULL, NULL, body, state,
    passed, attempts, tries, created_us, since_us, next_at_us, settled_us, last_status, last_error, 0
FROM deliveries WHERE world_id = ? AND call_id = ? ORDER BY pos LIMIT ?;

-- name: due_at_endpoint
SELECT pos FROM deliveries INDEXED BY deliveries_at_endpoint
WHERE world_id = ? AND endpoint = ? AND next_at_us <= ? ORDER BY next_at_us, pos LIMIT ?;

-- name: due_after
SELECT next_at_us, pos, world_id, endpoint FROM deliveries
WHERE (next_at_us, pos) > (?, ?) AND next_at_us <= ? ORDER BY next_at_us, pos LIMIT ?;

-- name: next_due
SELECT MIN(next_at_us) FROM deliveries WHERE next_at_us > ?;
