-- Calls are counted by triggers and at the end of each transaction; the other lists by triggers alone.

-- name: any_uncounted
SELECT EXISTS (SELECT 1 FROM uncounted);

-- name: count
-- A number has few calls in one commit, so that summing these once more costs more than writing a row twice.
WITH summed AS MATERIALIZED (
    SELECT world_id, number_id, pos >> 11 AS block, SUM((now IS NOT NULL) - (was IS NOT NULL)) AS n,
        SUM((direction = 'incoming') * ((now IS 'queued') - (was IS 'queued'))) AS incoming_queued,
        SUM((direction = 'incoming') * ((now IS 'starting') - (was IS 'starting'))) AS incoming_starting,
        SUM((direction = 'incoming') * ((now IS 'ongoing') - (was IS 'ongoing'))) AS incoming_ongoing,
        SUM((direction = 'incoming') * ((now IS 'ended') - (was IS 'ended'))) AS incoming_ended,
        SUM((direction = 'incoming') * ((now IS 'no_answer') - (was IS 'no_answer'))) AS incoming_no_answer,
        SUM((direction = 'incoming') * ((now IS 'busy') - (was IS 'busy'))) AS incoming_busy,
        SUM((direction = 'incoming') * ((now IS 'failed') - (was IS 'failed'))) AS incoming_failed,
        SUM((direction = 'outgoing') * ((now IS 'queued') - (was IS 'queued'))) AS outgoing_queued,
        SUM((direction = 'outgoing') * ((now IS 'starting') - (was IS 'starting'))) AS outgoing_starting,
        SUM((direction = 'outgoing') * ((now IS 'ongoing') - (was IS 'ongoing'))) AS outgoing_ongoing,
        SUM((direction = 'outgoing') * ((now IS 'ended') - (was IS 'ended'))) AS outgoing_ended,
        SUM((direction = 'outgoing') * ((now IS 'no_answer') - (was IS 'no_answer'))) AS outgoing_no_answer,
        SUM((direction = 'outgoing') * ((now IS 'busy') - (was IS 'busy'))) AS outgoing_busy,
        SUM((direction = 'outgoing') * ((now IS 'failed') - (was IS 'failed'))) AS outgoing_failed,
        MIN(created_us) AS oldest_us, MAX(created_us) AS newest_us,
        COALESCE(MIN(ended_us), 9223372036854775807) AS first_end_us,
        COALESCE(MAX(ended_us), -9223372036854775807) AS last_end_us
    FROM uncounted GROUP BY world_id, number_id, block
)
INSERT INTO call_blocks
SELECT world_id, x'', 0, block,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed GROUP BY world_id, block
UNION ALL SELECT world_id, x'', 1, block >> 8,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed GROUP BY world_id, block >> 8
UNION ALL SELECT world_id, number_id, 0, block,
    n, incoming_queued, incoming_starting, incoming_ongoing, incoming_ended, incoming_no_answer, incoming_busy,
    incoming_failed, outgoing_queued, outgoing_starting, outgoing_ongoing, outgoing_ended, outgoing_no_answer, outgoing_busy,
    outgoing_failed, oldest_us, newest_us, first_end_us, last_end_us
FROM summed WHERE number_id IS NOT NULL
UNION ALL SELECT world_id, number_id, 1, block >> 8,
    n, incoming_queued, incoming_starting, incoming_ongoing, incoming_ended, incoming_no_answer, incoming_busy,
    incoming_failed, outgoing_queued, outgoing_starting, outgoing_ongoing, outgoing_ended, outgoing_no_answer, outgoing_busy,
    outgoing_failed, oldest_us, newest_us, first_end_us, last_end_us
FROM summed WHERE number_id IS NOT NULL
ON CONFLICT (world_id, number_id, level, block) DO UPDATE SET
    n = n + excluded.n, incoming_queued = incoming_queued + excluded.incoming_queued,
    incoming_starting = incoming_starting + excluded.incoming_starting,
    incoming_ongoing = incoming_ongoing + excluded.incoming_ongoing,
    incoming_ended = incoming_ended + excluded.incoming_ended,
    incoming_no_answer = incoming_no_answer + excluded.incoming_no_answer,
    incoming_busy = incoming_busy + excluded.incoming_busy, incoming_failed = incoming_failed + excluded.incoming_failed,
    outgoing_queued = outgoing_queued + excluded.outgoing_queued,
    outgoing_starting = outgoing_starting + excluded.outgoing_starting,
    outgoing_ongoing = outgoing_ongoing + excluded.outgoing_ongoing,
    outgoing_ended = outgoing_ended + excluded.outgoing_ended,
    outgoing_no_answer = outgoing_no_answer + excluded.outgoing_no_answer,
    outgoing_busy = outgoing_busy + excluded.outgoing_busy, outgoing_failed = outgoing_failed + excluded.outgoing_failed,
    oldest_us = MIN(oldest_us, excluded.oldest_us), newest_us = MAX(newest_us, excluded.newest_us),
    first_end_us = MIN(first_end_us, excluded.first_end_us), last_end_us = MAX(last_end_us, excluded.last_end_us);

-- name: drop_emptied
-- SQLite seeks no rows by several columns that are IN a UNION, unless that is within another SELECT.
DELETE FROM call_blocks WHERE n = 0 AND (world_id, number_id, level, block) IN (SELECT * FROM (
    SELECT world_id, x'', 0, pos >> 11 FROM uncounted WHERE now IS NULL
    UNION ALL SELECT world_id, x'', 1, pos >> 19 FROM uncounted WHERE now IS NULL
    UNION ALL SELECT world_id, number_id, 0, pos >> 11 FROM uncounted WHERE now IS NULL AND number_id IS NOT NULL
    UNION ALL SELECT world_id, number_id, 1, pos >> 19 FROM uncounted WHERE now IS NULL AND number_id IS NOT NULL
));

-- name: all_counted
DELETE FROM uncounted;

-- name: of_list
SELECT block, n FROM blocks
WHERE world_id = ? AND list = ? AND parent_id = ? AND level = ? AND block BETWEEN ? AND ? ORDER BY block DESC;

-- name: forget_calls
DELETE FROM call_blocks;

-- name: count_all_calls
INSERT INTO call_blocks
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
        MIN(created_us) AS oldest_us, MAX(created_us) AS newest_us,
        COALESCE(MIN(ended_us), 9223372036854775807) AS first_end_us,
        COALESCE(MAX(ended_us), -9223372036854775807) AS last_end_us
    FROM calls GROUP BY world_id, number_id, block
)
SELECT world_id, x'', 0, block,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed GROUP BY world_id, block
UNION ALL SELECT world_id, x'', 1, block >> 8,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed GROUP BY world_id, block >> 8
UNION ALL SELECT world_id, number_id, 0, block,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed WHERE number_id IS NOT NULL GROUP BY world_id, number_id, block
UNION ALL SELECT world_id, number_id, 1, block >> 8,
    SUM(n), SUM(incoming_queued), SUM(incoming_starting), SUM(incoming_ongoing), SUM(incoming_ended),
    SUM(incoming_no_answer), SUM(incoming_busy), SUM(incoming_failed), SUM(outgoing_queued), SUM(outgoing_starting),
    SUM(outgoing_ongoing), SUM(outgoing_ended), SUM(outgoing_no_answer), SUM(outgoing_busy), SUM(outgoing_failed),
    MIN(oldest_us), MAX(newest_us), MIN(first_end_us), MAX(last_end_us)
FROM summed WHERE number_id IS NOT NULL GROUP BY world_id, number_id, block >> 8;

-- name: forget_lists
DELETE FROM blocks;

-- name: count_all_lists
INSERT INTO blocks
SELECT world_id, 'flows', x'', 0, pos >> 11, COUNT(*) FROM flows GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'flows', x'', 1, pos >> 19, COUNT(*) FROM flows GROUP BY world_id, pos >> 19
UNION ALL SELECT world_id, 'numbers', x'', 0, pos >> 11, COUNT(*) FROM numbers GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'numbers', x'', 1, pos >> 19, COUNT(*) FROM numbers GROUP BY world_id, pos >> 19
UNION ALL SELECT world_id, 'numbers_of_flow', flow_id, 0, pos >> 11, COUNT(*) FROM numbers
WHERE flow_id IS NOT NULL GROUP BY world_id, flow_id, pos >> 11
UNION ALL SELECT world_id, 'numbers_of_flow', flow_id, 1, pos >> 19, COUNT(*) FROM numbers
WHERE flow_id IS NOT NULL GROUP BY world_id, flow_id, pos >> 19
UNION ALL SELECT world_id, 'webhooks', x'', 0, pos >> 11, COUNT(*) FROM webhooks GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'webhooks', x'', 1, pos >> 19, COUNT(*) FROM webhooks GROUP BY world_id, pos >> 19
UNION ALL SELECT world_id, 'webhooks_of_world', x'', 0, pos >> 11, COUNT(*) FROM webhooks
WHERE number_id IS NULL GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'webhooks_of_world', x'', 1, pos >> 19, COUNT(*) FROM webhooks
WHERE number_id IS NULL GROUP BY world_id, pos >> 19
UNION ALL SELECT world_id, 'recordings', x'', 0, pos >> 11, COUNT(*) FROM recordings GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'recordings', x'', 1, pos >> 19, COUNT(*) FROM recordings GROUP BY world_id, pos >> 19
UNION ALL SELECT world_id, 'transcriptions', x'', 0, pos >> 11, COUNT(*) FROM transcriptions GROUP BY world_id, pos >> 11
UNION ALL SELECT world_id, 'transcriptions', x'', 1, pos >> 19, COUNT(*) FROM transcriptions GROUP BY world_id, pos >> 19;

-- name: forget_labels
DELETE FROM call_labels;

-- name: label_all_calls
INSERT INTO call_labels
SELECT calls.world_id, '', tag.value, calls.pos FROM calls, json_each(calls.tags) AS tag GROUP BY calls.pos, tag.value
UNION ALL SELECT calls.world_id, one.key, one.value, calls.pos FROM calls, json_each(calls.metadata) AS one;
