-- name: find
SELECT world_id, id, is_default, body, created_us, updated_us FROM flows WHERE world_id = ? AND id = ?;

-- name: find_default
SELECT world_id, id, is_default, body, created_us, updated_us FROM flows WHERE world_id = ? AND is_default = 1;

-- name: count
SELECT COUNT(*) FROM flows INDEXED BY flows_by_pos WHERE world_id = ?;

-- name: list
SELECT world_id, id, is_default, body, created_us, updated_us FROM flows
INDEXED BY flows_by_pos WHERE world_id = ? AND pos <= ? ORDER BY pos DESC LIMIT ? OFFSET ?;

-- name: insert
INSERT INTO flows (world_id, id, is_default, body, created_us, updated_us) VALUES (?, ?, ?, ?, ?, ?);

-- name: replace
UPDATE flows SET is_default = ?, body = ?, updated_us = ? WHERE world_id = ? AND id = ?;

-- name: clear_default
UPDATE flows SET is_default = 0 WHERE world_id = ? AND is_default = 1;

-- name: delete
DELETE FROM flows WHERE world_id = ? AND id = ?;
