-- The barrier's tables in a participant's MySQL or MariaDB database. Safe to run again.
-- Collation ascii_bin: gids that differ in case only are different gids.
CREATE TABLE IF NOT EXISTS seata_barrier (
    gid        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    branch_id  VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    operation  VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The operation that inserted the row: a compensation also claims its action.
    claimed_by VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- How many claims met this row.
    claims     BIGINT UNSIGNED NOT NULL DEFAULT 1,
    claimed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (gid, branch_id, operation),
    -- For purge.
    KEY seata_barrier_claimed_at (claimed_at)
) ENGINE = InnoDB;
-- Rows to lock: deliveries of one branch wait for each other here. If they waited for the inserted row itself, two that wait
-- would inherit gap locks when the first one rolls back, and lock each other out.
CREATE TABLE IF NOT EXISTS seata_barrier_slot (
    slot SMALLINT UNSIGNED NOT NULL PRIMARY KEY
) ENGINE = InnoDB;
INSERT IGNORE INTO seata_barrier_slot (slot)
SELECT a.n + 16 * b.n + 256 * c.n
FROM (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
      UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10 UNION ALL SELECT 11
      UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) a
CROSS JOIN (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
      UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10 UNION ALL SELECT 11
      UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) b
CROSS JOIN (SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
      UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10 UNION ALL SELECT 11
      UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15) c;
