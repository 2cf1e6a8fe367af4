-- How PostgreSQL keeps the rows of a table that is a queue at its young end and an archive at its old one. Changes speed,
-- never meaning. Databases that only speak PostgreSQL skip this file: it is then noted as applied.

-- A row is written some two to five times within its first second, then never again. A free part of each page takes the
-- next version beside the last one: one page is dirtied and logged in full instead of two, and an append that moves
-- neither wake-up, lease nor state (most answers in the middle of a path) touches no index at all (a HOT update).
ALTER TABLE global_transaction SET (fillfactor = 70);

-- Histories beyond some 2 kB go to the side table as they are. Compressing would be done anew for the whole history at
-- each append, in the one process that everybody waits for. What stays untouched (a renewal, a claim) is not copied.
ALTER TABLE global_transaction ALTER COLUMN events SET STORAGE EXTERNAL;

-- The default waits until a fifth of the table is dead. With a million ended rows that is 200,000 dead entries at the
-- front of the two small indexes, where each claim begins. One percent, and a thousand, keep them short; insertions count
-- too, so that the visibility map and the statistics keep up with the archive.
ALTER TABLE global_transaction SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_delay = 1,
    toast.autovacuum_vacuum_scale_factor = 0.01,
    toast.autovacuum_vacuum_threshold = 1000
);
