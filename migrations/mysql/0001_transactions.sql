-- Global transactions, and what the database knows of itself. One row per transaction: a header that the store reads,
-- and a history that it never looks into. All times are UTC milliseconds.
CREATE TABLE IF NOT EXISTS global_transaction (
    -- Letters, digits and ._:- only: compared byte by byte, so that a and A are two.
    gid VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    mode TINYINT UNSIGNED NOT NULL,
    status TINYINT UNSIGNED NOT NULL,
    revision BIGINT UNSIGNED NOT NULL,
    token BIGINT UNSIGNED NOT NULL,
    owner BINARY(16) NULL,
    lease_until BIGINT NULL,
    wake_at BIGINT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    events LONGBLOB NOT NULL,
    -- How long the history is, so that nobody has to read it to know.
    events_bytes BIGINT UNSIGNED GENERATED ALWAYS AS (LENGTH(events)) STORED,
    -- When it is due: only where it is open (4 and 5 are COMMITTED and ABORTED) and nobody holds or held its lease.
    free_wake_at BIGINT GENERATED ALWAYS AS
        (CASE WHEN status NOT IN (4, 5) AND lease_until IS NULL THEN wake_at END) STORED,
    -- When its lease ends: only where it is open and will be due.
    leased_until BIGINT GENERATED ALWAYS AS
        (CASE WHEN status NOT IN (4, 5) AND wake_at IS NOT NULL THEN lease_until END) STORED,
    -- Rises as created_at falls: lists need no descending index, which not every server has.
    newest_first BIGINT GENERATED ALWAYS AS (-1 - created_at) STORED,
    PRIMARY KEY (gid),
    KEY global_transaction_free (free_wake_at),
    KEY global_transaction_leased (leased_until),
    KEY global_transaction_newest (newest_first, gid)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS seata_meta (
    name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    value VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
