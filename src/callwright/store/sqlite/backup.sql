-- name: pending
SELECT COUNT(*) FROM deliveries INDEXED BY deliveries_open WHERE state <> 'delivered' AND state = 'pending';

-- name: outbox
SELECT COUNT(*) FROM events WHERE pos > (SELECT pos FROM fanned_out);

-- name: give_up_pending
-- What was delivered before, and was to be sent again, stays delivered.
UPDATE deliveries SET state = CASE WHEN delivered_us IS NULL THEN 'exhausted' ELSE 'delivered' END, settled_us = ?,
    last_error = 'restored', next_at_us = NULL
WHERE pos IN (SELECT pos FROM deliveries INDEXED BY deliveries_open WHERE state <> 'delivered' AND state = 'pending');

-- name: pass_over_outbox
UPDATE fanned_out SET pos = MAX(pos, (SELECT COALESCE(MAX(pos), 0) FROM events));
