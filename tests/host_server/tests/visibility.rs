//! What an index serves alone once VACUUM has been there. In a process of its own:
//! the transaction of another test, if it is open meanwhile, keeps VACUUM from
//! calling rows visible to all.

mod psql;

/// What PostgreSQL 15 prints, line by line.
#[test]
fn an_index_serves_alone_what_everyone_sees() {
    psql::check(
        "CREATE TABLE seen (id int PRIMARY KEY, v int, f text);
         INSERT INTO seen SELECT g, g, repeat('x', 100) FROM generate_series(1, 3000) g;
         VACUUM ANALYZE seen;
         SELECT relpages = relallvisible, relallvisible > 0 FROM pg_class WHERE relname = 'seen';
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM seen WHERE id BETWEEN 10 AND 12;
         SELECT id FROM seen WHERE id BETWEEN 10 AND 12;
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM seen WHERE id > 2998 ORDER BY id DESC;
         EXPLAIN (COSTS OFF) SELECT id, v FROM seen WHERE id = 7;
         EXPLAIN (COSTS OFF) SELECT id FROM seen WHERE id = 7 FOR UPDATE;
         UPDATE seen SET v = 0 WHERE id = 12;
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM seen WHERE id < 5;
         DELETE FROM seen WHERE id > 100 OR id = 12;
         SELECT count(*) FROM seen WHERE id > 90;
         VACUUM seen;
         SELECT relpages < 5, reltuples FROM pg_class WHERE relname = 'seen';",
        "\
t|t
Index Only Scan using seen_pkey on seen (actual rows=3 loops=1)
  Index Cond: ((id >= 10) AND (id <= 12))
  Heap Fetches: 0
10
11
12
Index Only Scan Backward using seen_pkey on seen (actual rows=2 loops=1)
  Index Cond: (id > 2998)
  Heap Fetches: 0
Index Scan using seen_pkey on seen
  Index Cond: (id = 7)
LockRows
  ->  Index Scan using seen_pkey on seen
        Index Cond: (id = 7)
Aggregate (actual rows=1 loops=1)
  ->  Index Only Scan using seen_pkey on seen (actual rows=4 loops=1)
        Index Cond: (id < 5)
        Heap Fetches: 4
10
t|99",
    );
}
