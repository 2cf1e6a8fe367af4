-- One row per global transaction: its header, and its events as bytes that no SQL looks into.
--
-- Plain SQL only, so that CockroachDB and YugabyteDB take it too. What is PostgreSQL's own is in 0002.

CREATE TABLE global_transaction (
    -- Fixed columns first, the widest ones first: no bytes are lost to alignment.
    -- How many appends there were.
    revision bigint NOT NULL,
    -- The fencing token: rises whenever the lease is taken.
    token bigint NOT NULL,
    -- Until when the lease holds; NULL: nobody holds it. All times are UTC milliseconds of this server's clock or of the
    -- coordinator's offset to it: numbers, so that no time zone has a say.
    lease_until bigint,
    -- When somebody must look; NULL: it has ended, or waits for an operator.
    wake_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    -- 1 saga, 2 TCC.
    mode smallint NOT NULL,
    -- 1 prepared, 2 submitted, 3 aborting, 4 committed, 5 aborted, 6 stuck.
    status smallint NOT NULL,
    -- "C": gids are ASCII and are ordered and compared byte by byte, whatever the database's collation. Other collations
    -- would also break the index when the system's library changes its mind about the order.
    gid varchar(128) COLLATE "C" NOT NULL,
    -- Who took the lease last: 128 bits, new at each start of a coordinator.
    owner bytea,
    -- The history. An append concatenates; a compaction replaces.
    events bytea NOT NULL,
    CONSTRAINT global_transaction_pkey PRIMARY KEY (gid),
    -- What no code of ours writes. Each costs some nanoseconds.
    CONSTRAINT global_transaction_counts CHECK (revision > 0 AND token >= 0),
    CONSTRAINT global_transaction_owner CHECK (octet_length(owner) = 16)
);

-- Claims take the earliest wake-up of all that is due: of what nobody holds, by wake_at, and of leases that have passed.
-- Two partial indexes, so that a claim walks neither over what has ended (most rows) nor over what is held (most open
-- rows), and so that both stay small enough to be cached. Their predicates must stand in the statements word by word.
CREATE INDEX global_transaction_free ON global_transaction (wake_at, gid)
    WHERE lease_until IS NULL AND wake_at IS NOT NULL AND status NOT IN (4, 5);

CREATE INDEX global_transaction_leased ON global_transaction (lease_until)
    WHERE lease_until IS NOT NULL AND wake_at IS NOT NULL AND status NOT IN (4, 5);

-- The order of lists, newest first; purges walk it from the other end. Both columns never change.
CREATE INDEX global_transaction_created ON global_transaction (created_at DESC, gid);

-- What this database is: `shard` says which part of all transactions it keeps.
CREATE TABLE seata_meta (
    key varchar(64) NOT NULL,
    value varchar(256) NOT NULL,
    CONSTRAINT seata_meta_pkey PRIMARY KEY (key)
);
