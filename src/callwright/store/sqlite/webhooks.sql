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
-- What was given up meanwhile stays so, unless this attempt was good: then the receiver has it.
UPDATE deliveries SET attempts = attempts + ?2, tries = tries + ?2, last_status = ?4, last_error = ?5, next_at_us = NULL,
    settled_us = CASE WHEN state = 'pending' OR ?1 = 'delivered' THEN ?3 ELSE settled_us END,
    state = CASE WHEN state = 'pending' THEN ?1 WHEN ?1 = 'delivered' THEN ?1 ELSE state END
WHERE pos = ?6;

-- name: retry_delivery
UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, passed = MAX(passed, ?2), last_status = ?3, last_error = ?4,
    next_at_us = CASE WHEN state = 'pending' THEN ?1 END
WHERE pos = ?5;

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
    ),
    d.sequence > 1 AND EXISTS (
        SELECT 1 FROM deliveries AS open INDEXED BY deliveries_open
        WHERE open.world_id = d.world_id AND open.call_id = d.call_id AND open.url = d.url AND open.sequence < d.sequence
            AND open.state <> 'delivered'
    )
FROM deliveries AS d LEFT JOIN webhooks AS w ON w.world_id = d.world_id AND w.id = d.webhook_id
WHERE d.pos = ?;

-- name: deliveries_of
SELECT pos, world_id, id, event_id, call_id, sequence, kind, test, scope, url, endpoint, token, NULL, NULL, body, state,
    passed, attempts, tries, created_us, since_us, next_at_us, settled_us, last_status, last_error, 0, 0
FROM deliveries WHERE world_id = ? AND call_id = ? ORDER BY pos LIMIT ?;

-- name: undelivered_before
-- The latest that were not delivered, of those before a sequence in its lane.
SELECT sequence FROM deliveries INDEXED BY deliveries_open
WHERE world_id = ? AND call_id = ? AND url = ? AND sequence < ? AND state <> 'delivered' ORDER BY sequence DESC LIMIT ?;

-- name: waits_behind
SELECT 1 FROM deliveries INDEXED BY deliveries_open
WHERE world_id = ? AND call_id = ? AND url = ? AND sequence > ? AND state <> 'delivered' LIMIT 1;

-- name: look_at_endpoint
-- What is due, the longest first, and the first that is not.
SELECT * FROM (
    SELECT next_at_us, pos FROM deliveries INDEXED BY deliveries_at_endpoint
    WHERE world_id = ?1 AND endpoint = ?2 AND next_at_us <= ?3 ORDER BY next_at_us, pos LIMIT ?4
) UNION ALL SELECT * FROM (
    SELECT next_at_us, pos FROM deliveries INDEXED BY deliveries_at_endpoint
    WHERE world_id = ?1 AND endpoint = ?2 AND next_at_us > ?3 ORDER BY next_at_us, pos LIMIT 1
);

-- name: endpoint_after
-- The next endpoint with something that may be sent, and when the first of that is due: one step into the index, over all
-- that the endpoint before it has.
SELECT world_id, endpoint, next_at_us FROM deliveries INDEXED BY deliveries_at_endpoint
WHERE next_at_us IS NOT NULL AND (world_id, endpoint) > (?, ?) ORDER BY world_id, endpoint, next_at_us LIMIT 1;

-- name: find_endpoint
SELECT id, concurrency, rate, failures, failing_us, disabled_us, disabled_why FROM endpoints WHERE world_id = ? AND url = ?;

-- name: note_failure
INSERT INTO endpoints (world_id, url, id, failures, failing_us, created_us, updated_us) VALUES (?1, ?2, ?3, 1, ?4, ?4, ?4)
ON CONFLICT (world_id, url) DO UPDATE SET
    failures = failures + 1, failing_us = COALESCE(failing_us, excluded.failing_us), updated_us = excluded.updated_us;

-- name: note_success
UPDATE endpoints SET failures = 0, failing_us = NULL, updated_us = ? WHERE world_id = ? AND url = ?;

-- name: disable_endpoint
INSERT INTO endpoints (world_id, url, id, disabled_us, disabled_why, created_us, updated_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?4)
ON CONFLICT (world_id, url) DO UPDATE SET
    disabled_us = excluded.disabled_us, disabled_why = excluded.disabled_why, updated_us = excluded.updated_us;

-- name: enable_endpoint
UPDATE endpoints SET disabled_us = NULL, disabled_why = NULL, failures = 0, failing_us = NULL, updated_us = ?
WHERE world_id = ? AND url = ?;

-- name: first_pending
SELECT pos, created_us FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ? AND endpoint = ? AND state = 'pending' ORDER BY pos LIMIT 1;

-- name: exhaust_disabled
-- The newest first, so that no lane is ever without a head, wherever this ends.
UPDATE deliveries SET state = 'exhausted', settled_us = ?3, last_error = 'endpoint_disabled', next_at_us = NULL
WHERE pos IN (
    SELECT pos FROM deliveries INDEXED BY deliveries_of_endpoint
    WHERE world_id = ?1 AND endpoint = ?2 AND state = 'pending' ORDER BY pos DESC LIMIT ?4
) AND EXISTS (SELECT 1 FROM endpoints WHERE world_id = ?1 AND url = ?2 AND disabled_us IS NOT NULL);

-- name: pending_after
SELECT pos, created_us, since_us, call_id, url FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ? AND endpoint = ? AND state = 'pending' AND pos > ? ORDER BY pos LIMIT ?;

-- name: exhaust_expired
UPDATE deliveries SET state = 'exhausted', settled_us = ?, last_error = COALESCE(last_error, 'expired'), next_at_us = NULL
WHERE pos = ? AND state = 'pending';

-- name: deliveries_from
-- Whether each may be removed: it is settled for long enough, and not the newest of its lane, whose sequence goes on from it.
SELECT pos, created_us, world_id, id,
    settled_us <= CASE state WHEN 'delivered' THEN ?2 ELSE ?3 END AND state <> 'pending' AND EXISTS (
        SELECT 1 FROM deliveries AS later WHERE later.world_id = d.world_id AND later.call_id = d.call_id
            AND later.url = d.url AND later.sequence > d.sequence
    )
FROM deliveries AS d WHERE pos > ?1 ORDER BY pos LIMIT ?4;

-- name: delete_attempts
DELETE FROM attempts WHERE world_id = ? AND delivery_id = ?;

-- name: delete_delivery
DELETE FROM deliveries WHERE pos = ? AND state <> 'pending';
