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
SELECT COUNT(*) FROM webhooks INDEXED BY webhooks_of_world WHERE world_id = ? AND number_id IS NULL;

-- name: list_of_world
SELECT world_id, id, number_id, url, target, token, events, old_token, old_until_us, created_us, updated_us
FROM webhooks INDEXED BY webhooks_of_world
WHERE world_id = ? AND number_id IS NULL AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: fanned_out
SELECT pos FROM fanned_out;

-- name: set_fanned_out
UPDATE fanned_out SET pos = ?;

-- name: insert_delivery
INSERT INTO deliveries (
    world_id, id, event_id, call_id, sequence, kind, scope, url, endpoint, webhook_id, token, body, created_us, since_us,
    state, settled_us, last_error, next_at_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: ends_of_lanes
-- For each lane, by its number in the list: its last sequence, whether a row is waited for there, and whether its endpoint is
-- disabled.
SELECT lane.key,
    (SELECT COALESCE(MAX(sequence), 0) FROM deliveries AS d
        WHERE d.world_id = lane.world_id AND d.call_id = lane.call_id AND d.url = lane.url),
    EXISTS (SELECT 1 FROM deliveries AS d INDEXED BY deliveries_open
        WHERE d.world_id = lane.world_id AND d.call_id = lane.call_id AND d.url = lane.url AND d.state <> 'delivered'
            AND d.state = 'pending' AND d.passed = 0),
    EXISTS (SELECT 1 FROM endpoints AS e
        WHERE e.world_id = lane.world_id AND e.url = lane.endpoint AND e.disabled_us IS NOT NULL)
FROM (
    SELECT key, unhex(value ->> 0) AS world_id, unhex(value ->> 1) AS call_id, value ->> 2 AS url, value ->> 3 AS endpoint
    FROM json_each(?)
) AS lane;

-- name: settle_delivery
-- What was given up meanwhile stays so, unless this attempt was good: then the receiver has it. What it had before, it still
-- has, however sending it again went.
UPDATE deliveries SET attempts = attempts + ?2, tries = tries + ?2, last_status = ?4, last_error = ?5, next_at_us = NULL,
    settled_us = CASE WHEN state = 'pending' OR ?1 = 'delivered' THEN ?3 ELSE settled_us END,
    delivered_us = COALESCE(delivered_us, CASE ?1 WHEN 'delivered' THEN ?3 END),
    state = CASE
        WHEN ?1 = 'delivered' OR delivered_us IS NOT NULL THEN 'delivered' WHEN state = 'pending' THEN ?1 ELSE state
    END
WHERE pos = ?6;

-- name: settle_delivered
-- The receiver has them, even those that were given up meanwhile.
UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, last_status = ?2, last_error = NULL, next_at_us = NULL,
    settled_us = ?1, delivered_us = COALESCE(delivered_us, ?1), state = 'delivered'
WHERE pos IN (SELECT value FROM json_each(?3));

-- name: retry_delivery
UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, passed = MAX(passed, ?2), last_status = ?3, last_error = ?4,
    failed_us = COALESCE(failed_us, ?6), next_at_us = CASE WHEN state = 'pending' THEN ?1 END
WHERE pos = ?5;

-- name: promote_lane
UPDATE deliveries SET next_at_us = ? WHERE next_at_us IS NULL AND pos = (
    SELECT pos FROM deliveries INDEXED BY deliveries_open
    WHERE world_id = ? AND call_id = ? AND url = ? AND state <> 'delivered' AND state = 'pending' AND passed = 0
    ORDER BY sequence LIMIT 1
);

-- name: release_passed
-- The first of a lane that is sent again, and was not tried yet.
UPDATE deliveries SET next_at_us = ? WHERE next_at_us IS NULL AND pos = (
    SELECT pos FROM deliveries INDEXED BY deliveries_resent
    WHERE world_id = ? AND call_id = ? AND url = ? AND state = 'pending' AND passed = 1 AND tries = 0
    ORDER BY sequence LIMIT 1
);

-- name: release_lanes
-- The same for the lanes of some deliveries.
UPDATE deliveries SET next_at_us = ?1 WHERE next_at_us IS NULL AND pos IN (
    SELECT (
        SELECT pos FROM deliveries AS next INDEXED BY deliveries_resent
        WHERE next.world_id = d.world_id AND next.call_id = d.call_id AND next.url = d.url
            AND next.state = 'pending' AND next.passed = 1 AND next.tries = 0
        ORDER BY next.sequence LIMIT 1
    ) FROM json_each(?2) AS settled CROSS JOIN deliveries AS d ON d.pos = settled.value
);

-- name: promote_lanes
-- As promote_lane for the lanes of some deliveries.
UPDATE deliveries SET next_at_us = ?1 WHERE next_at_us IS NULL AND pos IN (
    SELECT (
        SELECT pos FROM deliveries AS next INDEXED BY deliveries_open
        WHERE next.world_id = d.world_id AND next.call_id = d.call_id AND next.url = d.url AND next.state <> 'delivered'
            AND next.state = 'pending' AND next.passed = 0
        ORDER BY next.sequence LIMIT 1
    ) FROM json_each(?2) AS settled CROSS JOIN deliveries AS d ON d.pos = settled.value
);

-- name: insert_attempt
INSERT INTO attempts (
    world_id, delivery_id, n, at_us, headers, status, error, detail, answer_headers, answer, whole, dns_us, connect_us,
    tls_us, head_us, total_us, next_at_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: find_deliveries
-- The tokens are the webhook's of today, while the webhook still points at this URL. Once it is deleted its token signs nothing,
-- and a delivery is withdrawn unless another asks for it.
SELECT d.pos, d.world_id, d.id, d.event_id, d.call_id, d.sequence, d.kind, d.test, d.scope, d.url, d.endpoint,
    CASE WHEN w.target = d.url THEN w.token WHEN w.pos IS NOT NULL OR d.webhook_id IS NULL THEN d.token END,
    CASE WHEN w.target = d.url THEN w.old_token END,
    CASE WHEN w.target = d.url THEN w.old_until_us END,
    d.body, d.state, d.passed, d.attempts, d.tries, d.created_us, d.since_us, d.next_at_us, d.settled_us, d.last_status,
    d.last_error,
    d.webhook_id IS NOT NULL AND w.pos IS NULL,
    d.sequence > 1 AND EXISTS (
        SELECT 1 FROM deliveries AS open INDEXED BY deliveries_open
        WHERE open.world_id = d.world_id AND open.call_id = d.call_id AND open.url = d.url AND open.sequence < d.sequence
            AND open.state <> 'delivered' AND open.delivered_us IS NULL
    ),
    d.failed_us
FROM deliveries AS d LEFT JOIN webhooks AS w ON w.world_id = d.world_id AND w.id = d.webhook_id
WHERE d.pos IN (SELECT value FROM json_each(?));

-- name: deliveries_of
SELECT pos, world_id, id, event_id, call_id, sequence, kind, test, scope, url, endpoint, token, NULL, NULL, body, state,
    passed, attempts, tries, created_us, since_us, next_at_us, settled_us, last_status, last_error, 0, 0, failed_us
FROM deliveries WHERE world_id = ? AND call_id = ? ORDER BY pos LIMIT ?;

-- name: undelivered_before
-- The latest that were never delivered, of those before a sequence in its lane.
SELECT sequence FROM deliveries INDEXED BY deliveries_open
WHERE world_id = ? AND call_id = ? AND url = ? AND sequence < ? AND state <> 'delivered' AND delivered_us IS NULL
ORDER BY sequence DESC LIMIT ?;

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

-- name: waiting_since
-- What waits to be tried again and first failed since a time. Few do: while an endpoint is down little is tried there.
SELECT pos FROM deliveries INDEXED BY deliveries_at_endpoint
WHERE world_id = ? AND endpoint = ? AND next_at_us > ? AND failed_us >= ? AND pos > ? ORDER BY pos LIMIT ?;

-- name: bring_forward
UPDATE deliveries SET next_at_us = ?1 WHERE pos = ?2 AND state = 'pending' AND next_at_us > ?1;

-- name: endpoint_after
-- The next endpoint with something that may be sent, and when the first and the last of that are due: one step into the index,
-- over all that the endpoint before it has, and one to the end of its own.
SELECT d.world_id, d.endpoint, d.next_at_us, (
    SELECT last.next_at_us FROM deliveries AS last INDEXED BY deliveries_at_endpoint
    WHERE last.world_id = d.world_id AND last.endpoint = d.endpoint AND last.next_at_us IS NOT NULL
    ORDER BY last.next_at_us DESC LIMIT 1
) FROM deliveries AS d INDEXED BY deliveries_at_endpoint
WHERE d.next_at_us IS NOT NULL AND (d.world_id, d.endpoint) > (?, ?) ORDER BY d.world_id, d.endpoint, d.next_at_us LIMIT 1;

-- name: bring_near
-- What waits for a time too far ahead is due now; it was made, and has failed, no later.
UPDATE deliveries SET next_at_us = ?3, since_us = MIN(since_us, ?3), failed_us = MIN(failed_us, ?3) WHERE pos IN (
    SELECT pos FROM deliveries INDEXED BY deliveries_at_endpoint
    WHERE world_id = ?1 AND endpoint = ?2 AND next_at_us > ?4 ORDER BY next_at_us LIMIT ?5
);

-- name: failed_before
-- Nothing has failed later than now.
UPDATE endpoints SET failing_us = MIN(failing_us, ?3), failed_us = MIN(failed_us, ?3) WHERE world_id = ?1 AND url = ?2;

-- name: find_endpoint
SELECT id, concurrency, rate, failures, failing_us, disabled_us, disabled_why, failed_us FROM endpoints
WHERE world_id = ? AND url = ?;

-- name: note_failure
-- A failure after such a long silence that nobody can say how it did meanwhile is the first again.
INSERT INTO endpoints (world_id, url, id, failures, failing_us, failed_us, created_us, updated_us)
VALUES (?1, ?2, ?3, 1, ?4, ?4, ?4, ?4)
ON CONFLICT (world_id, url) DO UPDATE SET
    failures = CASE WHEN failed_us < ?5 THEN 1 ELSE failures + 1 END,
    failing_us = CASE WHEN failed_us < ?5 THEN ?4 ELSE COALESCE(failing_us, ?4) END,
    failed_us = ?4, updated_us = ?4;

-- name: note_success
UPDATE endpoints SET failures = 0, failing_us = NULL, failed_us = NULL, updated_us = ? WHERE world_id = ? AND url = ?;

-- name: disable_endpoint
INSERT INTO endpoints (world_id, url, id, disabled_us, disabled_why, created_us, updated_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?4)
ON CONFLICT (world_id, url) DO UPDATE SET
    disabled_us = excluded.disabled_us, disabled_why = excluded.disabled_why, updated_us = excluded.updated_us;

-- name: enable_endpoint
UPDATE endpoints SET disabled_us = NULL, disabled_why = NULL, failures = 0, failing_us = NULL, failed_us = NULL,
    updated_us = ?
WHERE world_id = ? AND url = ?;

-- name: first_pending
SELECT pos, created_us FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ? AND endpoint = ? AND state = 'pending' ORDER BY pos LIMIT 1;

-- name: exhaust_disabled
-- The newest first, so that no lane is ever without a head, wherever this ends.
UPDATE deliveries SET state = CASE WHEN delivered_us IS NULL THEN 'exhausted' ELSE 'delivered' END, settled_us = ?3,
    last_error = 'endpoint_disabled', next_at_us = NULL
WHERE pos IN (
    SELECT pos FROM deliveries INDEXED BY deliveries_of_endpoint
    WHERE world_id = ?1 AND endpoint = ?2 AND state = 'pending' ORDER BY pos DESC LIMIT ?4
) AND EXISTS (SELECT 1 FROM endpoints WHERE world_id = ?1 AND url = ?2 AND disabled_us IS NOT NULL);

-- name: settled_until
-- What was settled until a time, the longest ago first. The newest of a lane is only emptied, as its sequence goes on from it;
-- the lane of a test goes no further.
SELECT pos, world_id, id, call_id, url, sequence, settled_us, d.test = 0 AND NOT EXISTS (
    SELECT 1 FROM deliveries AS later WHERE later.world_id = d.world_id AND later.call_id = d.call_id
        AND later.url = d.url AND later.sequence > d.sequence
) FROM deliveries AS d INDEXED BY deliveries_by_age
WHERE emptied = 0 AND state = ?1 AND COALESCE(settled_us, since_us) <= ?2 ORDER BY COALESCE(settled_us, since_us) LIMIT ?3;

-- name: delete_attempts
-- Unless it was resent meanwhile.
DELETE FROM attempts WHERE world_id = ?1 AND delivery_id = ?2 AND EXISTS (
    SELECT 1 FROM deliveries WHERE pos = ?3 AND state <> 'pending' AND settled_us IS ?4
);

-- name: delete_delivery
DELETE FROM deliveries WHERE pos = ? AND state <> 'pending' AND settled_us IS ?;

-- name: empty_delivery
UPDATE deliveries SET body = x'', token = NULL, emptied = 1 WHERE pos = ? AND state <> 'pending' AND settled_us IS ?;

-- name: delete_emptied_before
-- Those of its lane that were the newest once.
DELETE FROM deliveries WHERE world_id = ? AND call_id = ? AND url = ? AND sequence < ? AND emptied = 1;

-- The log: what customers see of deliveries. A walk is a bounded look along one index, newest first, from the place given on;
-- the last column says whether the row is asked for.

-- name: log_by_time
SELECT pos, created_us, kind GLOB ?6 AND (?7 IS NULL OR webhook_id = ?7) AND (?8 IS NULL OR test = ?8)
    AND (?9 IS NULL OR url = ?9) AND (?10 IS NULL OR endpoint = ?10) AND instr(?11, state) > 0
    AND created_us >= ?4 AND created_us < ?12
FROM deliveries INDEXED BY deliveries_by_time
WHERE world_id = ?1 AND (created_us, pos) < (?2, ?3) AND created_us >= ?4 ORDER BY created_us DESC, pos DESC LIMIT ?5;

-- name: log_of_endpoint
SELECT pos, created_us, kind GLOB ?6 AND (?7 IS NULL OR webhook_id = ?7) AND (?8 IS NULL OR test = ?8)
    AND (?9 IS NULL OR url = ?9) AND (?10 IS NULL OR endpoint = ?10) AND instr(?11, state) > 0
    AND created_us >= ?4 AND created_us < ?12
FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ?1 AND endpoint = ?13 AND state = ?14 AND pos < ?3 AND pos >= ?15 ORDER BY pos DESC LIMIT ?5;

-- name: log_of_state
SELECT pos, created_us, kind GLOB ?6 AND (?7 IS NULL OR webhook_id = ?7) AND (?8 IS NULL OR test = ?8)
    AND (?9 IS NULL OR url = ?9) AND (?10 IS NULL OR endpoint = ?10) AND instr(?11, state) > 0
    AND created_us >= ?4 AND created_us < ?12
FROM deliveries INDEXED BY deliveries_unsent
WHERE world_id = ?1 AND state = ?14 AND state <> 'delivered' AND pos < ?3 AND pos >= ?15 ORDER BY pos DESC LIMIT ?5;

-- name: log_of_call
-- A call has few enough of them to be put in order here.
SELECT pos, created_us, kind GLOB ?6 AND (?7 IS NULL OR webhook_id = ?7) AND (?8 IS NULL OR test = ?8)
    AND (?9 IS NULL OR url = ?9) AND (?10 IS NULL OR endpoint = ?10) AND instr(?11, state) > 0
    AND created_us >= ?4 AND created_us < ?12
FROM deliveries WHERE world_id = ?1 AND call_id = ?13 AND pos < ?3 ORDER BY pos DESC LIMIT ?5;

-- name: log_of_message
SELECT pos, created_us, kind GLOB ?6 AND (?7 IS NULL OR webhook_id = ?7) AND (?8 IS NULL OR test = ?8)
    AND (?9 IS NULL OR url = ?9) AND (?10 IS NULL OR endpoint = ?10) AND instr(?11, state) > 0
    AND created_us >= ?4 AND created_us < ?12
FROM deliveries WHERE world_id = ?1 AND event_id = ?13 AND pos < ?3 ORDER BY pos DESC LIMIT ?5;

-- name: log_first_since
SELECT pos FROM deliveries INDEXED BY deliveries_by_time
WHERE world_id = ? AND created_us >= ? ORDER BY created_us, pos LIMIT 1;

-- name: log_entry
SELECT pos, world_id, id, event_id, call_id, sequence, kind, test, scope, url, endpoint, webhook_id, state, passed, attempts,
    tries, created_us, since_us, next_at_us, settled_us, last_status, last_error
FROM deliveries WHERE pos = ?;

-- name: log_pos
SELECT pos FROM deliveries WHERE world_id = ? AND id = ?;

-- name: log_body
SELECT body FROM deliveries WHERE pos = ?;

-- name: log_attempts
SELECT n, at_us, status, error, detail, whole, dns_us, connect_us, tls_us, head_us, total_us, next_at_us FROM attempts
WHERE world_id = ? AND delivery_id = ? ORDER BY n DESC LIMIT ?;

-- name: log_attempt
SELECT n, at_us, status, error, detail, whole, dns_us, connect_us, tls_us, head_us, total_us, next_at_us,
    headers, answer_headers, answer
FROM attempts WHERE world_id = ? AND delivery_id = ? AND n = ?;

-- name: resend_last
SELECT MAX(pos) FROM deliveries;

-- name: resend_of_endpoint
SELECT pos, created_us FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ? AND endpoint = ? AND state = ? AND pos > ? AND pos <= ? AND test = 0 ORDER BY pos LIMIT ?;

-- name: resend_of_state
SELECT pos, created_us FROM deliveries INDEXED BY deliveries_unsent
WHERE world_id = ? AND state = ? AND state <> 'delivered' AND pos > ? AND pos <= ? AND test = 0 ORDER BY pos LIMIT ?;

-- name: resend_facts
-- What speaks against sending it again: its endpoint is disabled, or its webhook was deleted.
SELECT d.state, d.endpoint, d.call_id, d.url, d.kind, d.emptied, d.next_at_us IS NOT NULL,
    EXISTS (SELECT 1 FROM endpoints AS e WHERE e.world_id = d.world_id AND e.url = d.endpoint AND e.disabled_us IS NOT NULL),
    d.webhook_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM webhooks AS w WHERE w.world_id = d.world_id AND w.id = d.webhook_id)
FROM deliveries AS d WHERE d.pos = ?;

-- name: resend_delivery
-- The head of a lane stays it; for another the lane does not wait, and it is released in its turn.
UPDATE deliveries SET
    passed = CASE WHEN state = 'pending' THEN passed ELSE 1 END,
    next_at_us = CASE WHEN state = 'pending' AND passed = 0 THEN ?1 END,
    state = 'pending', tries = 0, since_us = ?1, failed_us = NULL, settled_us = NULL
WHERE pos = ?2 AND emptied = 0 AND (state <> 'pending' OR next_at_us IS NOT NULL);

-- name: hold_resent
-- Of those of a lane that are sent again and were not tried yet, only the first may have its turn.
UPDATE deliveries SET next_at_us = NULL WHERE next_at_us IS NOT NULL AND pos IN (
    SELECT pos FROM deliveries INDEXED BY deliveries_resent
    WHERE world_id = ? AND call_id = ? AND url = ? AND state = 'pending' AND passed = 1 AND tries = 0
    ORDER BY sequence LIMIT -1 OFFSET 1
);

-- name: world_kind
SELECT kind FROM worlds WHERE id = ?;

-- name: insert_test
INSERT INTO deliveries (
    world_id, id, event_id, call_id, sequence, kind, test, scope, url, endpoint, webhook_id, token, body, created_us, since_us,
    next_at_us
) VALUES (?1, ?2, ?3, ?4, 1, ?5, 1, ?6, ?7, ?8, ?9, NULL, ?10, ?11, ?11, ?11);

-- name: disabled
SELECT disabled_us, disabled_why FROM endpoints WHERE world_id = ? AND url = ? AND disabled_us IS NOT NULL;

-- name: list_endpoints
SELECT id, url, concurrency, rate, failures, failing_us, disabled_us, disabled_why, created_us, updated_us FROM endpoints
WHERE world_id = ? AND url > ? ORDER BY url LIMIT ?;

-- name: oldest_pending
SELECT COALESCE(settled_us, since_us) FROM deliveries INDEXED BY deliveries_by_age
WHERE emptied = 0 AND state = 'pending' ORDER BY COALESCE(settled_us, since_us) LIMIT 1;

-- name: count_endpoints_down
SELECT COUNT(*) FILTER (WHERE disabled_us IS NOT NULL), COUNT(*) FILTER (WHERE disabled_us IS NULL AND failing_us <= ? AND EXISTS (
    SELECT 1 FROM deliveries AS d INDEXED BY deliveries_of_endpoint
    WHERE d.world_id = e.world_id AND d.endpoint = e.url AND d.state = 'pending'
)) FROM endpoints AS e;

-- name: endpoint_by_url
SELECT id, url, concurrency, rate, failures, failing_us, disabled_us, disabled_why, created_us, updated_us FROM endpoints
WHERE world_id = ? AND url = ?;

-- name: endpoint_by_id
SELECT id, url, concurrency, rate, failures, failing_us, disabled_us, disabled_why, created_us, updated_us FROM endpoints
WHERE world_id = ? AND id = ?;

-- name: limit_endpoint
INSERT INTO endpoints (world_id, url, id, concurrency, rate, created_us, updated_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
ON CONFLICT (world_id, url) DO UPDATE SET
    concurrency = excluded.concurrency, rate = excluded.rate, updated_us = excluded.updated_us;

-- name: count_at_endpoint
-- No further than the limit.
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries INDEXED BY deliveries_of_endpoint
WHERE world_id = ? AND endpoint = ? AND state = ? LIMIT ?);

-- name: list_all_webhooks
SELECT w.world_id, w.id, w.number_id, w.url, w.target, w.token, w.events, w.old_token, w.old_until_us, w.created_us,
    w.updated_us, n.number
FROM webhooks AS w INDEXED BY webhooks_by_pos LEFT JOIN numbers AS n ON n.world_id = w.world_id AND n.id = w.number_id
WHERE w.world_id = ? AND w.pos <= ? ORDER BY w.pos DESC LIMIT ? OFFSET ?;

-- name: count_all_webhooks
SELECT COUNT(*) FROM webhooks INDEXED BY webhooks_by_pos WHERE world_id = ?;
