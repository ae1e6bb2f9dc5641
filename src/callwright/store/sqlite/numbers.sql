-- name: find_live
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE is_live = 1 AND number = ?;

-- name: find
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE world_id = ? AND number = ?;

-- name: get
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers WHERE world_id = ? AND id = ?;

-- name: count
SELECT COUNT(*) FROM numbers WHERE world_id = ?;

-- name: list
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers
WHERE world_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: count_of_flow
SELECT COUNT(*) FROM numbers WHERE world_id = ? AND flow_id = ?;

-- name: list_of_flow
SELECT world_id, id, number, flow_id, created_us, updated_us FROM numbers
WHERE world_id = ? AND flow_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: insert
INSERT INTO numbers (world_id, id, number, is_live, flow_id, created_us, updated_us) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: bind
UPDATE numbers SET flow_id = ?, updated_us = ? WHERE world_id = ? AND number = ?;

-- name: unbind_flow
UPDATE numbers SET flow_id = NULL, updated_us = ? WHERE world_id = ? AND flow_id = ?;

-- name: delete
DELETE FROM numbers WHERE world_id = ? AND number = ?;
