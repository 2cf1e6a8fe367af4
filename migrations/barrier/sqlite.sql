-- The barrier's table in a participant's SQLite database. Safe to run again.
-- SQLite compares text by its bytes: gids that differ in case only are different gids.
CREATE TABLE IF NOT EXISTS seata_barrier (
    gid        TEXT NOT NULL,
    branch_id  TEXT NOT NULL,
    operation  TEXT NOT NULL,
    -- The operation that inserted the row: a compensation also claims its action.
    claimed_by TEXT NOT NULL,
    -- Seconds since 1970.
    claimed_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
    PRIMARY KEY (gid, branch_id, operation)
) WITHOUT ROWID;
-- For purge.
CREATE INDEX IF NOT EXISTS seata_barrier_claimed_at ON seata_barrier (claimed_at);
