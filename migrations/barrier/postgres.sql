-- The barrier's table in a participant's PostgreSQL database. Safe to run again.
-- Collation C: gids that differ in case only are different gids.
CREATE TABLE IF NOT EXISTS seata_barrier (
    gid        varchar(128) COLLATE "C" NOT NULL,
    branch_id  varchar(64)  COLLATE "C" NOT NULL,
    operation  varchar(16)  COLLATE "C" NOT NULL,
    -- The operation that inserted the row: a compensation also claims its action.
    claimed_by varchar(16)  COLLATE "C" NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (gid, branch_id, operation)
);
-- For purge.
CREATE INDEX IF NOT EXISTS seata_barrier_claimed_at ON seata_barrier (claimed_at);
