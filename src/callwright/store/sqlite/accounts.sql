-- name: find_account
SELECT id FROM accounts WHERE name = ?;

-- name: insert_account
INSERT INTO accounts (id, name, created_us) VALUES (?, ?, ?);

-- name: insert_world
INSERT INTO worlds (id, account_id, kind, signing_key, created_us) VALUES (?, ?, ?, ?, ?);

-- name: list_worlds
SELECT id, account_id, kind, signing_key, old_signing_key, old_until_us FROM worlds ORDER BY kind;

-- name: set_signing_key
UPDATE worlds SET signing_key = ?, old_signing_key = ?, old_until_us = ? WHERE id = ?;

-- name: insert_key
INSERT INTO keys (world_id, id, hash, label, ending, created_us) VALUES (?, ?, ?, ?, ?, ?);

-- name: revoke_key
UPDATE keys SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL;

-- name: list_keys
SELECT world_id, id, label, ending, created_us, revoked_us FROM keys ORDER BY created_us, id;

-- name: key_hashes
SELECT hash, world_id FROM keys WHERE revoked_us IS NULL;
