-- calls

-- `direction` is that of its first leg, `reason` why that one ended, `answered_us` when the first of its legs was answered;
-- `flow_id` is the flow a called number had then. `tags` is a JSON array of texts, `metadata` a JSON object of texts.
ALTER TABLE calls ADD COLUMN direction TEXT NOT NULL DEFAULT 'outgoing' CHECK (direction IN ('incoming', 'outgoing'));
ALTER TABLE calls ADD COLUMN flow_id BLOB;
ALTER TABLE calls ADD COLUMN reason TEXT;
ALTER TABLE calls ADD COLUMN answered_us INTEGER;
ALTER TABLE calls ADD COLUMN tags TEXT;
ALTER TABLE calls ADD COLUMN metadata TEXT;
UPDATE calls SET
    (direction, reason) = (
        SELECT legs.direction, CASE WHEN calls.ended_us IS NOT NULL THEN legs.reason END
        FROM legs WHERE legs.world_id = calls.world_id AND legs.call_id = calls.id ORDER BY n LIMIT 1
    ),
    answered_us = (SELECT MIN(answered_us) FROM legs WHERE legs.world_id = calls.world_id AND legs.call_id = calls.id)
WHERE EXISTS (SELECT 1 FROM legs WHERE legs.world_id = calls.world_id AND legs.call_id = calls.id);
-- In `called`, as msgpack has it: the name, then a text of 36 characters.
UPDATE calls SET
    flow_id = unhex(replace(CAST(substr(called, instr(called, x'a7666c6f775f6964d924') + 10, 36) AS TEXT), '-', ''))
WHERE instr(called, x'a7666c6f775f6964d924') > 0;

-- With the times in each, a range of them is counted without a look at the rows. Status and end are written at once.
DROP INDEX calls_by_pos;
CREATE INDEX calls_by_pos ON calls (world_id, pos, created_us);
CREATE INDEX calls_by_status ON calls (world_id, status, direction, pos, created_us, ended_us);
CREATE INDEX calls_by_number ON calls (world_id, number_id, pos, created_us) WHERE number_id IS NOT NULL;
CREATE INDEX calls_by_number_status ON calls (world_id, number_id, status, direction, pos, created_us, ended_us)
    WHERE number_id IS NOT NULL;
CREATE INDEX calls_by_source ON calls (world_id, source, pos);
CREATE INDEX calls_by_destination ON calls (world_id, destination, pos);
-- A number that ends with four digits and more is found by its last four.
CREATE INDEX calls_by_source_end ON calls (world_id, substr(source, -4), pos);
CREATE INDEX calls_by_destination_end ON calls (world_id, substr(destination, -4), pos);
CREATE INDEX calls_by_flow ON calls (world_id, flow_id, pos) WHERE flow_id IS NOT NULL;
CREATE INDEX calls_by_reason ON calls (world_id, reason, pos) WHERE reason IS NOT NULL;

-- Tags have the name ''; what else there is are the metadata.
CREATE TABLE call_labels (
    world_id BLOB NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    pos INTEGER NOT NULL,
    PRIMARY KEY (world_id, name, value, pos)
) WITHOUT ROWID;
CREATE TRIGGER calls_labelled AFTER INSERT ON calls WHEN NEW.tags IS NOT NULL OR NEW.metadata IS NOT NULL BEGIN
    INSERT INTO call_labels SELECT NEW.world_id, '', value, NEW.pos FROM json_each(NEW.tags) GROUP BY value;
    INSERT INTO call_labels SELECT NEW.world_id, key, value, NEW.pos FROM json_each(NEW.metadata);
END;
-- SQLite seeks no rows by several columns that are IN a UNION, unless that is within another SELECT.
CREATE TRIGGER calls_relabelled AFTER UPDATE OF tags, metadata ON calls BEGIN
    DELETE FROM call_labels WHERE world_id = OLD.world_id AND pos = OLD.pos AND (name, value) IN (SELECT * FROM (
        SELECT '', value FROM json_each(OLD.tags) UNION ALL SELECT key, value FROM json_each(OLD.metadata)
    ));
    INSERT INTO call_labels SELECT NEW.world_id, '', value, NEW.pos FROM json_each(NEW.tags) GROUP BY value;
    INSERT INTO call_labels SELECT NEW.world_id, key, value, NEW.pos FROM json_each(NEW.metadata);
END;
CREATE TRIGGER calls_unlabelled AFTER DELETE ON calls WHEN OLD.tags IS NOT NULL OR OLD.metadata IS NOT NULL BEGIN
    DELETE FROM call_labels WHERE world_id = OLD.world_id AND pos = OLD.pos AND (name, value) IN (SELECT * FROM (
        SELECT '', value FROM json_each(OLD.tags) UNION ALL SELECT key, value FROM json_each(OLD.metadata)
    ));
END;

-- counters

-- How many calls there are, by direction and status, in each block of 2048 positions (level 0) and of 524288 (level 1): those
-- of a world, with an empty number_id, and those of each of its numbers. No block is empty. The times bound those of its
-- calls; they need not be reached by any, as a call may be deleted.
CREATE TABLE call_blocks (
    world_id BLOB NOT NULL,
    number_id BLOB NOT NULL,
    level INTEGER NOT NULL,
    block INTEGER NOT NULL,
    n INTEGER NOT NULL,
    incoming_queued INTEGER NOT NULL,
    incoming_starting INTEGER NOT NULL,
    incoming_ongoing INTEGER NOT NULL,
    incoming_ended INTEGER NOT NULL,
    incoming_no_answer INTEGER NOT NULL,
    incoming_busy INTEGER NOT NULL,
    incoming_failed INTEGER NOT NULL,
    outgoing_queued INTEGER NOT NULL,
    outgoing_starting INTEGER NOT NULL,
    outgoing_ongoing INTEGER NOT NULL,
    outgoing_ended INTEGER NOT NULL,
    outgoing_no_answer INTEGER NOT NULL,
    outgoing_busy INTEGER NOT NULL,
    outgoing_failed INTEGER NOT NULL,
    oldest_us INTEGER NOT NULL,
    newest_us INTEGER NOT NULL,
    first_end_us INTEGER NOT NULL,
    last_end_us INTEGER NOT NULL,
    PRIMARY KEY (world_id, number_id, level, block)
) WITHOUT ROWID;

-- What changed in a transaction, until it is summed into the blocks at its end: the table is empty after each commit.
-- `was` and `now` are the statuses before and after, null where there was no call, or is none any more.
CREATE TABLE uncounted (
    world_id BLOB NOT NULL,
    number_id BLOB,
    pos INTEGER NOT NULL,
    direction TEXT NOT NULL,
    was TEXT,
    now TEXT,
    created_us INTEGER NOT NULL,
    ended_us INTEGER
);
CREATE TRIGGER calls_made AFTER INSERT ON calls BEGIN
    INSERT INTO uncounted
    VALUES (NEW.world_id, NEW.number_id, NEW.pos, NEW.direction, NULL, NEW.status, NEW.created_us, NEW.ended_us);
END;
CREATE TRIGGER calls_moved AFTER UPDATE OF status ON calls WHEN NEW.status <> OLD.status BEGIN
    INSERT INTO uncounted
    VALUES (NEW.world_id, NEW.number_id, NEW.pos, NEW.direction, OLD.status, NEW.status, NEW.created_us, NEW.ended_us);
END;
CREATE TRIGGER calls_deleted AFTER DELETE ON calls BEGIN
    INSERT INTO uncounted
    VALUES (OLD.world_id, OLD.number_id, OLD.pos, OLD.direction, OLD.status, NULL, OLD.created_us, NULL);
END;
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

CREATE INDEX transcriptions_by_pos ON transcriptions (world_id, pos);

-- The same of the other lists, whole or by what they belong to; an empty parent_id is the whole list.
CREATE TABLE blocks (
    world_id BLOB NOT NULL,
    list TEXT NOT NULL,
    parent_id BLOB NOT NULL,
    level INTEGER NOT NULL,
    block INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (world_id, list, parent_id, level, block)
) WITHOUT ROWID;

CREATE TRIGGER flows_counted AFTER INSERT ON flows BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'flows', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'flows', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER flows_uncounted AFTER DELETE ON flows BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'flows' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'flows' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER numbers_counted AFTER INSERT ON numbers BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'numbers', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'numbers', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER numbers_uncounted AFTER DELETE ON numbers BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'numbers' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'numbers' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER numbers_of_flow_counted AFTER INSERT ON numbers WHEN NEW.flow_id IS NOT NULL BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'numbers_of_flow', NEW.flow_id, 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'numbers_of_flow', NEW.flow_id, 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER numbers_of_flow_uncounted AFTER DELETE ON numbers WHEN OLD.flow_id IS NOT NULL BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'numbers_of_flow' AND parent_id = OLD.flow_id
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'numbers_of_flow' AND parent_id = OLD.flow_id
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER numbers_of_flow_moved AFTER UPDATE OF flow_id ON numbers WHEN NEW.flow_id IS NOT OLD.flow_id BEGIN
    INSERT INTO blocks SELECT NEW.world_id, 'numbers_of_flow', NEW.flow_id, column1, NEW.pos >> column2, 1
        FROM (VALUES (0, 11), (1, 19)) WHERE NEW.flow_id IS NOT NULL
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'numbers_of_flow' AND parent_id = OLD.flow_id
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'numbers_of_flow' AND parent_id = OLD.flow_id
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER webhooks_counted AFTER INSERT ON webhooks BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'webhooks', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'webhooks', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER webhooks_uncounted AFTER DELETE ON webhooks BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'webhooks' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'webhooks' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER webhooks_of_world_counted AFTER INSERT ON webhooks WHEN NEW.number_id IS NULL BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'webhooks_of_world', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'webhooks_of_world', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER webhooks_of_world_uncounted AFTER DELETE ON webhooks WHEN OLD.number_id IS NULL BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'webhooks_of_world' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'webhooks_of_world' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER recordings_counted AFTER INSERT ON recordings BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'recordings', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'recordings', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER recordings_uncounted AFTER DELETE ON recordings BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'recordings' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'recordings' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;

CREATE TRIGGER transcriptions_counted AFTER INSERT ON transcriptions BEGIN
    INSERT INTO blocks VALUES
        (NEW.world_id, 'transcriptions', x'', 0, NEW.pos >> 11, 1),
        (NEW.world_id, 'transcriptions', x'', 1, NEW.pos >> 19, 1)
    ON CONFLICT (world_id, list, parent_id, level, block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER transcriptions_uncounted AFTER DELETE ON transcriptions BEGIN
    UPDATE blocks SET n = n - 1 WHERE world_id = OLD.world_id AND list = 'transcriptions' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
    DELETE FROM blocks WHERE n = 0 AND world_id = OLD.world_id AND list = 'transcriptions' AND parent_id = x''
        AND (level, block) IN (VALUES (0, OLD.pos >> 11), (1, OLD.pos >> 19));
END;
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
