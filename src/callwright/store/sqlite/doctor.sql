-- name: applied
SELECT number, name, checksum FROM migrations ORDER BY number;

-- name: schema
SELECT type, name, tbl_name, sql FROM sqlite_schema;

-- name: newest_pos
SELECT COALESCE(MAX(pos), 0) FROM calls;

-- name: newest_calls
SELECT pos, world_id, id FROM calls WHERE pos > ? AND pos < ? AND ended_us IS NOT NULL ORDER BY pos DESC LIMIT ?;

-- name: oldest_pos
SELECT COALESCE(MIN(pos), 0) FROM calls;

-- name: calls_between
SELECT world_id, id, status, direction, source, destination, number_id, called, flow_id, webhook_url, webhook_token,
    reason, tags, metadata, created_us, updated_us, answered_us, ended_us
FROM calls WHERE pos > ? AND pos <= ?;

-- name: legs_between
SELECT legs.call_id, legs.n, legs.id, legs.direction, legs.source, legs.destination, legs.created_us, legs.status,
    legs.intent, legs.reason, legs.detail, legs.sip_code, legs.sip_call_id, legs.updated_us, legs.answered_us, legs.ended_us
FROM calls JOIN legs ON legs.world_id = calls.world_id AND legs.call_id = calls.id
WHERE calls.pos > ? AND calls.pos <= ?;

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

-- name: too_far_ahead
SELECT COUNT(*) FROM deliveries WHERE next_at_us > ?;

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

-- name: uncounted
SELECT COUNT(*) FROM uncounted;

-- name: wrong_blocks_of_calls
-- Of the blocks from that of a position on. One statement, so that rows and counters are of one moment; and sums instead of a
-- FULL JOIN, for which SQLite makes no index.
WITH summed AS MATERIALIZED (
    SELECT world_id, number_id, pos >> 11 AS block, COUNT(*) AS n,
        SUM(direction = 'incoming' AND status = 'queued') AS incoming_queued,
        SUM(direction = 'incoming' AND status = 'starting') AS incoming_starting,
        SUM(direction = 'incoming' AND status = 'ongoing') AS incoming_ongoing,
        SUM(direction = 'incoming' AND status = 'ended') AS incoming_ended,
        SUM(direction = 'incoming' AND status = 'no_answer') AS incoming_no_answer,
        SUM(direction = 'incoming' AND status = 'busy') AS incoming_busy,
        SUM(direction = 'incoming' AND status = 'failed') AS incoming_failed,
        SUM(direction = 'outgoing' AND status = 'queued') AS outgoing_queued,
        SUM(direction = 'outgoing' AND status = 'starting') AS outgoing_starting,
        SUM(direction = 'outgoing' AND status = 'ongoing') AS outgoing_ongoing,
        SUM(direction = 'outgoing' AND status = 'ended') AS outgoing_ended,
        SUM(direction = 'outgoing' AND status = 'no_answer') AS outgoing_no_answer,
        SUM(direction = 'outgoing' AND status = 'busy') AS outgoing_busy,
        SUM(direction = 'outgoing' AND status = 'failed') AS outgoing_failed,
        MIN(created_us) AS oldest_us, MAX(created_us) AS newest_us, MIN(ended_us) AS first_end_us, MAX(ended_us) AS last_end_us
    FROM calls WHERE pos >= ?1 & -2048 GROUP BY world_id, number_id, block
), truth AS MATERIALIZED (
    SELECT world_id, x'' AS number_id, block,
        SUM(n) AS n, SUM(incoming_queued) AS incoming_queued, SUM(incoming_starting) AS incoming_starting,
        SUM(incoming_ongoing) AS incoming_ongoing, SUM(incoming_ended) AS incoming_ended,
        SUM(incoming_no_answer) AS incoming_no_answer, SUM(incoming_busy) AS incoming_busy,
        SUM(incoming_failed) AS incoming_failed, SUM(outgoing_queued) AS outgoing_queued,
        SUM(outgoing_starting) AS outgoing_starting, SUM(outgoing_ongoing) AS outgoing_ongoing,
        SUM(outgoing_ended) AS outgoing_ended, SUM(outgoing_no_answer) AS outgoing_no_answer,
        SUM(outgoing_busy) AS outgoing_busy, SUM(outgoing_failed) AS outgoing_failed,
        MIN(oldest_us) AS oldest_us, MAX(newest_us) AS newest_us,
        MIN(first_end_us) AS first_end_us, MAX(last_end_us) AS last_end_us
    FROM summed GROUP BY world_id, block
    UNION ALL SELECT * FROM summed WHERE number_id IS NOT NULL
), kept AS MATERIALIZED (
    SELECT * FROM call_blocks WHERE level = 0 AND block >= ?1 >> 11
)
SELECT number_id, SUM(n) FILTER (WHERE kept), -SUM(n) FILTER (WHERE NOT kept) FROM (
    SELECT 1 AS kept, world_id, number_id, block, n,
        incoming_queued, incoming_starting, incoming_ongoing, incoming_ended, incoming_no_answer, incoming_busy,
        incoming_failed, outgoing_queued, outgoing_starting, outgoing_ongoing, outgoing_ended, outgoing_no_answer,
        outgoing_busy, outgoing_failed,
        oldest_us, newest_us, first_end_us, last_end_us
    FROM kept
    UNION ALL SELECT 0, world_id, number_id, block, -n,
        -incoming_queued, -incoming_starting, -incoming_ongoing, -incoming_ended, -incoming_no_answer, -incoming_busy,
        -incoming_failed, -outgoing_queued, -outgoing_starting, -outgoing_ongoing, -outgoing_ended, -outgoing_no_answer,
        -outgoing_busy, -outgoing_failed,
        oldest_us, newest_us, first_end_us, last_end_us
    FROM truth
) GROUP BY world_id, number_id, block
HAVING SUM(n) <> 0 OR SUM(incoming_queued) <> 0 OR SUM(incoming_starting) <> 0 OR SUM(incoming_ongoing) <> 0
    OR SUM(incoming_ended) <> 0 OR SUM(incoming_no_answer) <> 0 OR SUM(incoming_busy) <> 0 OR SUM(incoming_failed) <> 0
    OR SUM(outgoing_queued) <> 0 OR SUM(outgoing_starting) <> 0 OR SUM(outgoing_ongoing) <> 0 OR SUM(outgoing_ended) <> 0
    OR SUM(outgoing_no_answer) <> 0 OR SUM(outgoing_busy) <> 0 OR SUM(outgoing_failed) <> 0
    OR MIN(oldest_us) FILTER (WHERE kept) > MIN(oldest_us) FILTER (WHERE NOT kept)
    OR MAX(newest_us) FILTER (WHERE kept) < MAX(newest_us) FILTER (WHERE NOT kept)
    OR MIN(first_end_us) FILTER (WHERE kept) > MIN(first_end_us) FILTER (WHERE NOT kept)
    OR MAX(last_end_us) FILTER (WHERE kept) < MAX(last_end_us) FILTER (WHERE NOT kept)
LIMIT ?2;

-- name: wrong_spans_of_calls
-- The same of the spans, held against their blocks.
WITH truth AS MATERIALIZED (
    SELECT world_id, number_id, block >> 8 AS block,
        SUM(n) AS n, SUM(incoming_queued) AS incoming_queued, SUM(incoming_starting) AS incoming_starting,
        SUM(incoming_ongoing) AS incoming_ongoing, SUM(incoming_ended) AS incoming_ended,
        SUM(incoming_no_answer) AS incoming_no_answer, SUM(incoming_busy) AS incoming_busy,
        SUM(incoming_failed) AS incoming_failed, SUM(outgoing_queued) AS outgoing_queued,
        SUM(outgoing_starting) AS outgoing_starting, SUM(outgoing_ongoing) AS outgoing_ongoing,
        SUM(outgoing_ended) AS outgoing_ended, SUM(outgoing_no_answer) AS outgoing_no_answer,
        SUM(outgoing_busy) AS outgoing_busy, SUM(outgoing_failed) AS outgoing_failed,
        MIN(oldest_us) AS oldest_us, MAX(newest_us) AS newest_us,
        MIN(first_end_us) AS first_end_us, MAX(last_end_us) AS last_end_us
    FROM call_blocks WHERE level = 0 AND block >> 8 >= ?1 >> 19 GROUP BY world_id, number_id, block >> 8
), kept AS MATERIALIZED (
    SELECT * FROM call_blocks WHERE level = 1 AND block >= ?1 >> 19
)
SELECT number_id, SUM(n) FILTER (WHERE kept), -SUM(n) FILTER (WHERE NOT kept) FROM (
    SELECT 1 AS kept, world_id, number_id, block, n,
        incoming_queued, incoming_starting, incoming_ongoing, incoming_ended, incoming_no_answer, incoming_busy,
        incoming_failed, outgoing_queued, outgoing_starting, outgoing_ongoing, outgoing_ended, outgoing_no_answer,
        outgoing_busy, outgoing_failed,
        oldest_us, newest_us, first_end_us, last_end_us
    FROM kept
    UNION ALL SELECT 0, world_id, number_id, block, -n,
        -incoming_queued, -incoming_starting, -incoming_ongoing, -incoming_ended, -incoming_no_answer, -incoming_busy,
        -incoming_failed, -outgoing_queued, -outgoing_starting, -outgoing_ongoing, -outgoing_ended, -outgoing_no_answer,
        -outgoing_busy, -outgoing_failed,
        oldest_us, newest_us, first_end_us, last_end_us
    FROM truth
) GROUP BY world_id, number_id, block
HAVING SUM(n) <> 0 OR SUM(incoming_queued) <> 0 OR SUM(incoming_starting) <> 0 OR SUM(incoming_ongoing) <> 0
    OR SUM(incoming_ended) <> 0 OR SUM(incoming_no_answer) <> 0 OR SUM(incoming_busy) <> 0 OR SUM(incoming_failed) <> 0
    OR SUM(outgoing_queued) <> 0 OR SUM(outgoing_starting) <> 0 OR SUM(outgoing_ongoing) <> 0 OR SUM(outgoing_ended) <> 0
    OR SUM(outgoing_no_answer) <> 0 OR SUM(outgoing_busy) <> 0 OR SUM(outgoing_failed) <> 0
    OR MIN(oldest_us) FILTER (WHERE kept) > MIN(oldest_us) FILTER (WHERE NOT kept)
    OR MAX(newest_us) FILTER (WHERE kept) < MAX(newest_us) FILTER (WHERE NOT kept)
    OR MIN(first_end_us) FILTER (WHERE kept) > MIN(first_end_us) FILTER (WHERE NOT kept)
    OR MAX(last_end_us) FILTER (WHERE kept) < MAX(last_end_us) FILTER (WHERE NOT kept)
LIMIT ?2;

-- name: wrong_blocks_of_lists
-- Of each list as many positions as are asked for, from the newest on.
WITH first AS MATERIALIZED (
    SELECT 'flows' AS list, (SELECT COALESCE(MAX(pos), 0) FROM flows) - ?1 >> 11 AS block
    UNION ALL SELECT 'numbers', (SELECT COALESCE(MAX(pos), 0) FROM numbers) - ?1 >> 11
    UNION ALL SELECT 'numbers_of_flow', (SELECT COALESCE(MAX(pos), 0) FROM numbers) - ?1 >> 11
    UNION ALL SELECT 'webhooks', (SELECT COALESCE(MAX(pos), 0) FROM webhooks) - ?1 >> 11
    UNION ALL SELECT 'webhooks_of_world', (SELECT COALESCE(MAX(pos), 0) FROM webhooks) - ?1 >> 11
    UNION ALL SELECT 'recordings', (SELECT COALESCE(MAX(pos), 0) FROM recordings) - ?1 >> 11
    UNION ALL SELECT 'transcriptions', (SELECT COALESCE(MAX(pos), 0) FROM transcriptions) - ?1 >> 11
), truth AS MATERIALIZED (
    SELECT world_id, 'flows' AS list, x'' AS parent_id, pos >> 11 AS block, COUNT(*) AS n FROM flows NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'flows')
    GROUP BY world_id, pos >> 11
    UNION ALL SELECT world_id, 'numbers', x'', pos >> 11, COUNT(*) FROM numbers NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'numbers')
    GROUP BY world_id, pos >> 11
    UNION ALL SELECT world_id, 'numbers_of_flow', flow_id, pos >> 11, COUNT(*) FROM numbers NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'numbers_of_flow') AND flow_id IS NOT NULL
    GROUP BY world_id, flow_id, pos >> 11
    UNION ALL SELECT world_id, 'webhooks', x'', pos >> 11, COUNT(*) FROM webhooks NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'webhooks')
    GROUP BY world_id, pos >> 11
    UNION ALL SELECT world_id, 'webhooks_of_world', x'', pos >> 11, COUNT(*) FROM webhooks NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'webhooks_of_world') AND number_id IS NULL
    GROUP BY world_id, pos >> 11
    UNION ALL SELECT world_id, 'recordings', x'', pos >> 11, COUNT(*) FROM recordings NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'recordings')
    GROUP BY world_id, pos >> 11
    UNION ALL SELECT world_id, 'transcriptions', x'', pos >> 11, COUNT(*) FROM transcriptions NOT INDEXED
    WHERE pos >= (SELECT block << 11 FROM first WHERE list = 'transcriptions') GROUP BY world_id, pos >> 11
), kept AS MATERIALIZED (
    SELECT blocks.* FROM blocks JOIN first ON first.list = blocks.list WHERE level = 0 AND blocks.block >= first.block
)
SELECT list, SUM(n) FILTER (WHERE kept), -SUM(n) FILTER (WHERE NOT kept) FROM (
    SELECT 1 AS kept, world_id, list, parent_id, block, n FROM kept
    UNION ALL SELECT 0, world_id, list, parent_id, block, -n FROM truth
) GROUP BY world_id, list, parent_id, block HAVING SUM(n) <> 0 LIMIT ?2;

-- name: wrong_spans_of_lists
WITH truth AS MATERIALIZED (
    SELECT world_id, list, parent_id, block >> 8 AS block, SUM(n) AS n FROM blocks WHERE level = 0
    GROUP BY world_id, list, parent_id, block >> 8
), kept AS MATERIALIZED (
    SELECT * FROM blocks WHERE level = 1
)
SELECT list, SUM(n) FILTER (WHERE kept), -SUM(n) FILTER (WHERE NOT kept) FROM (
    SELECT 1 AS kept, world_id, list, parent_id, block, n FROM kept
    UNION ALL SELECT 0, world_id, list, parent_id, block, -n FROM truth
) GROUP BY world_id, list, parent_id, block HAVING SUM(n) <> 0 LIMIT ?1;

-- name: labels_missing
-- Of the calls from a position on: their tags and metadata by which they are not found.
SELECT id, name, value FROM (
    SELECT calls.id, calls.world_id, calls.pos, '' AS name, tag.value FROM calls, json_each(calls.tags) AS tag
    WHERE calls.pos >= ?1
    UNION ALL SELECT calls.id, calls.world_id, calls.pos, one.key, one.value FROM calls, json_each(calls.metadata) AS one
    WHERE calls.pos >= ?1
) AS wanted WHERE NOT EXISTS (
    SELECT 1 FROM call_labels AS kept WHERE kept.world_id = wanted.world_id AND kept.name = wanted.name
        AND kept.value = wanted.value AND kept.pos = wanted.pos
) LIMIT ?2;

-- name: labels_left
-- What no call has, or not any more.
SELECT calls.id, kept.name, kept.value FROM call_labels AS kept
LEFT JOIN calls ON calls.pos = kept.pos AND calls.world_id = kept.world_id
WHERE NOT EXISTS (SELECT 1 FROM json_each(calls.tags) WHERE kept.name = '' AND value = kept.value)
    AND NOT EXISTS (SELECT 1 FROM json_each(calls.metadata) WHERE key = kept.name AND value = kept.value)
LIMIT ?;
