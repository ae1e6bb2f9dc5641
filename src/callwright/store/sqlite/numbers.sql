-- name: find_live
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE is_live = 1 AND number = ?;

-- name: find
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE world_id = ? AND number = ?;

-- name: get
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE world_id = ? AND id = ?;

-- name: count
-- Pages have their totals from the counters; this is for when those are wrong. So are all `count` queries of lists.
SELECT COUNT(*) FROM numbers INDEXED BY numbers_by_pos WHERE world_id = ?;

-- name: list
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers
INDEXED BY numbers_by_pos WHERE world_id = ? AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: count_of_flow
SELECT COUNT(*) FROM numbers INDEXED BY numbers_by_flow WHERE world_id = ? AND flow_id = ?;

-- name: list_of_flow
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers
INDEXED BY numbers_by_flow WHERE world_id = ? AND flow_id = ? AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: insert
INSERT INTO numbers (world_id, id, number, is_live, flow_id, created_us, updated_us) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: bind
UPDATE numbers SET flow_id = ?, updated_us = ? WHERE world_id = ? AND number = ?;

-- name: unbind_flow
UPDATE numbers SET flow_id = NULL, updated_us = ? WHERE world_id = ? AND flow_id = ?;

-- name: delete
DELETE FROM numbers WHERE world_id = ? AND number = ?;
