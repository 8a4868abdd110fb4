CREATE TABLE s (id int, kind text, n int);
INSERT INTO s SELECT g, CASE WHEN g <= 900 THEN 'common' ELSE 'rare' || g % 10 END, CASE WHEN g % 4 = 0 THEN NULL ELSE g END
  FROM generate_series(1, 1000) g;
SELECT count(*) FROM pg_stats WHERE tablename = 's';
ANALYZE s;
SELECT reltuples, relpages > 0 FROM pg_class WHERE relname = 's';
SELECT attname, inherited, null_frac, n_distinct, most_common_vals::text, most_common_freqs
  FROM pg_stats WHERE tablename = 's' AND attname <> 'kind' ORDER BY attname;
SELECT n_distinct, (most_common_vals::text::text[])[1], most_common_freqs[1] FROM pg_stats
  WHERE tablename = 's' AND attname = 'kind';
SELECT array_length(histogram_bounds::text::int[], 1), (histogram_bounds::text::int[])[1],
  (histogram_bounds::text::int[])[51], (histogram_bounds::text::int[])[101]
  FROM pg_stats WHERE tablename = 's' AND attname = 'id';
EXPLAIN SELECT * FROM s WHERE kind = 'common';
EXPLAIN SELECT * FROM s WHERE kind = 'rare3';
EXPLAIN SELECT * FROM s WHERE kind = 'nothing';
EXPLAIN SELECT * FROM s WHERE kind IN ('common', 'rare3');
EXPLAIN SELECT * FROM s WHERE id < 250;
EXPLAIN SELECT * FROM s WHERE id >= 900;
EXPLAIN SELECT * FROM s WHERE id BETWEEN 100 AND 300;
EXPLAIN SELECT * FROM s WHERE id = 77;
EXPLAIN SELECT * FROM s WHERE n IS NULL;
EXPLAIN SELECT * FROM s WHERE n > 500;
EXPLAIN SELECT * FROM s WHERE kind <> 'common';
EXPLAIN SELECT * FROM s WHERE kind = 'common' AND id < 500;
EXPLAIN SELECT * FROM s WHERE id < 100 OR id > 900;
-- What was done with a table.
CREATE TABLE c (id int PRIMARY KEY, v int);
INSERT INTO c SELECT g, g FROM generate_series(1, 100) g;
UPDATE c SET v = v + 1 WHERE id <= 10;
DELETE FROM c WHERE id > 95;
BEGIN;
INSERT INTO c VALUES (200, 1), (201, 1);
SAVEPOINT a;
DELETE FROM c WHERE id < 50;
ROLLBACK TO a;
ROLLBACK;
SELECT pg_sleep(1.2);
SELECT n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_dead_tup, n_ins_since_vacuum
  FROM pg_stat_user_tables WHERE relname = 'c' AND schemaname = 'regress';
SELECT last_vacuum IS NULL, last_analyze IS NULL, vacuum_count, analyze_count
  FROM pg_stat_user_tables WHERE relname = 'c' AND schemaname = 'regress';
VACUUM ANALYZE c;
SELECT n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum, last_vacuum IS NULL, last_analyze IS NULL, vacuum_count, analyze_count
  FROM pg_stat_all_tables WHERE relname = 'c' AND schemaname = 'regress';
SELECT relname FROM pg_stat_sys_tables WHERE relname IN ('c', 'pg_class');
SELECT count(*) FROM c;
SELECT v FROM c WHERE id = 5;
SELECT pg_sleep(1.2);
SELECT seq_scan > 0, seq_tup_read > 0 FROM pg_stat_user_tables WHERE relname = 'c' AND schemaname = 'regress';
SELECT count(*) FROM pg_stat_user_indexes WHERE indexrelname = 'c_pkey' AND schemaname = 'regress';
-- Who holds what, and who waits for whom.
BEGIN;
LOCK TABLE c IN SHARE MODE;
SELECT pg_advisory_lock(7), pg_advisory_xact_lock(1, 2);
SELECT locktype, mode, granted, classid, objid, objsubid FROM pg_locks
  WHERE pid = pg_backend_pid() AND locktype = 'advisory' ORDER BY objsubid;
SELECT mode, granted FROM pg_locks WHERE relation = 'regress.c'::regclass AND locktype = 'relation';
UPDATE c SET v = 0 WHERE id = 1;
SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid = pg_backend_pid() AND granted;
SELECT pg_blocking_pids(pg_backend_pid());
COMMIT;
SELECT locktype, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
SELECT pg_advisory_unlock(7);
SELECT state, query LIKE 'SELECT state%', backend_type, wait_event FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT xact_commit > 0, tup_inserted > 0, numbackends > 0 FROM pg_stat_database WHERE datname = current_database();
