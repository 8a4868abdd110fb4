//! Statements over real tables: visibility, constraints, concurrency, swaps.

use execution::plans::*;
use execution::*;
use pg_executor_port::{EXECUTOR, IndexBuild};
use pg_plan::OnConflict;
use pg_types::Datum;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

#[test]
fn statements_see_what_they_should() {
    let _alone = alone();
    let _db = database();
    let t = table(100);
    create(&t);
    let mut session = Session::begin();
    let rows: Vec<(i32, i32, &str)> = (0..500).map(|i| (i, i * 10, "text")).collect();
    assert_eq!(session.run(&insert(&t, &rows)).unwrap().1.affected, 500);
    assert_eq!(session.rows(&scan(&t)).len(), 500);
    assert_eq!(
        session.rows(&by_key(&t, int(321), false)),
        ["321,3210,text"]
    );
    session
        .run(&update(&t, int(7), col(0), add(col(1), int(1)), vec![1]))
        .unwrap();
    session
        .run(&update(&t, int(8), int(1008), col(1), vec![0]))
        .unwrap();
    session.run(&delete(&t, int(9))).unwrap();
    for (key, expected) in [
        (7, vec!["7,71,text"]),
        (8, vec![]),
        (1008, vec!["1008,80,text"]),
        (9, vec![]),
    ] {
        assert_eq!(session.rows(&by_key(&t, int(key), false)), expected);
    }
    let mut other = Session::begin();
    assert!(other.rows(&scan(&t)).is_empty());
    session.commit();
    assert_eq!(other.rows(&scan(&t)).len(), 499);
    let error = other.run(&insert(&t, &[(1, 1, "again")])).unwrap_err();
    assert_eq!(
        (error.code().code(), error.fields().detail.as_deref()),
        ("23505", Some("Key (a)=(1) already exists."))
    );
    rows::check_heap(pg_table(t.file));
    rows::check_index(pg_table(t.indexes[0].file));
}

fn pg_table(file: u32) -> rows::FileId {
    rows::FileId::new(file, rows::Fork::Main)
}

#[test]
fn a_prepared_plan_runs_again_and_after_a_swap() {
    let _alone = alone();
    let _db = database();
    let t = table(110);
    create(&t);
    let mut session = Session::begin();
    session
        .run(&insert(&t, &[(1, 10, "x"), (2, 20, "y")]))
        .unwrap();
    let prepared = pg_executor_port::prepare(Arc::new(b_by_key(&t))).unwrap();
    for (key, expected) in [(1, vec!["10"]), (2, vec!["20"]), (3, vec![])] {
        assert_eq!(
            session.execute(&prepared, &[Datum::Int4(key)]).unwrap().0,
            expected
        );
    }
    // An error leaves nothing behind that the next execution would meet.
    let wrong =
        pg_executor_port::prepare(Arc::new(insert(&t, &[(5, 5, "v"), (1, 1, "w")]))).unwrap();
    for _ in 0..2 {
        session.tx.savepoint("s");
        let error = session.execute(&wrong, &[]).unwrap_err();
        assert_eq!(error.code().code(), "23505");
        session.tx.rollback_to("s").unwrap();
    }
    // A portal that is suspended over the swap goes on in the old code.
    session.tx.start_command().unwrap();
    let all = pg_executor_port::prepare(Arc::new(scan(&t))).unwrap();
    let mut portal = all.start().unwrap();
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    assert!(
        !portal
            .next_batch(&mut session.exec(&[]), 1, &mut rows)
            .unwrap()
            .done
    );
    assert!(prepared.is_current());
    rows::swap(&pg_executor::CELL);
    assert!(!prepared.is_current());
    assert!(
        portal
            .next_batch(&mut session.exec(&[]), 0, &mut rows)
            .unwrap()
            .done
    );
    assert_eq!(lines(&rows), ["1,10,x", "2,20,y"]);
    assert_eq!(
        session.execute(&prepared, &[Datum::Int4(2)]).unwrap().0,
        ["20"]
    );
}

#[test]
fn a_second_writer_waits_and_adds_to_what_the_first_left() {
    let _alone = alone();
    let _db = database();
    let t = table(120);
    create(&t);
    let mut first = Session::begin();
    first.run(&insert(&t, &[(1, 100, "x")])).unwrap();
    first.commit();
    let mut first = Session::begin();
    let increment = update(&t, int(1), col(0), add(col(1), int(1)), vec![1]);
    first.run(&increment).unwrap();
    let (tell, told) = channel();
    let waiter = {
        let increment = increment.clone();
        std::thread::spawn(move || {
            let mut second = Session::begin();
            let affected = second.run(&increment).unwrap().1.affected;
            second.commit();
            tell.send(affected).unwrap();
        })
    };
    assert!(
        told.recv_timeout(Duration::from_millis(100)).is_err(),
        "it waits"
    );
    first.commit();
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(1));
    waiter.join().unwrap();
    assert_eq!(
        Session::begin().rows(&by_key(&t, int(1), false)),
        ["1,102,x"]
    );
}

#[test]
fn repeatable_read_refuses_to_overwrite() {
    let _alone = alone();
    let _db = database();
    let t = table(130);
    create(&t);
    let mut first = Session::begin();
    first.run(&insert(&t, &[(1, 100, "x")])).unwrap();
    first.commit();
    let mut second = Session::with(pg_txn_port::Isolation::RepeatableRead);
    assert_eq!(second.rows(&scan(&t)).len(), 1);
    let increment = update(&t, int(1), col(0), add(col(1), int(1)), vec![1]);
    let mut third = Session::begin();
    third.run(&increment).unwrap();
    third.commit();
    assert_eq!(second.run(&increment).unwrap_err().code().code(), "40001");
}

#[test]
fn on_conflict_counts_under_contention() {
    const EACH: i32 = 40;
    let _alone = alone();
    let _db = database();
    let t = table(140);
    create(&t);
    let arbiter = Some(t.indexes[0].clone());
    let values = [
        col(0),
        add(col(1), int(1)),
        pg_plan::Expr::Column {
            index: 2,
            type_oid: pg_types::oid::TEXT,
        },
    ];
    let update = values
        .map(|value| pg_plan::TargetColumn {
            value,
            not_null: false,
        })
        .to_vec();
    let clause = OnConflict {
        arbiter,
        update: Some(update),
        changed: vec![1],
        condition: None,
    };
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let (t, clause) = (t.clone(), clause.clone());
            std::thread::spawn(move || {
                for i in 0..EACH {
                    let mut session = Session::begin();
                    let input = insert(&t, &[(i % 4, 1, "x")]);
                    let pg_plan::Node::Insert { input, .. } = *input.node else {
                        unreachable!()
                    };
                    session
                        .run(&insert_of(&t, input, Some(clause.clone())))
                        .unwrap();
                    session.commit();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|w| w.join().unwrap());
    let rows = sorted(Session::begin().rows(&scan(&t)));
    assert_eq!(rows, ["0,30,x", "1,30,x", "2,30,x", "3,30,x"]);
    rows::check_heap(pg_table(t.file));
}

#[test]
fn an_index_built_later_finds_updated_rows() {
    let _alone = alone();
    let _db = database();
    let t = table(150);
    create(&t);
    let mut session = Session::begin();
    let rows: Vec<(i32, i32, &str)> = (0..300).map(|i| (i, i % 100, "text")).collect();
    session.run(&insert(&t, &rows)).unwrap();
    session.commit();
    let mut session = Session::begin();
    for i in 0..50 {
        // Hot updates: the new versions have no entries of their own.
        session
            .run(&update(&t, int(i), col(0), int(1000 + i), vec![1]))
            .unwrap();
    }
    session.commit();
    let mut later = (*t).clone();
    later.indexes = vec![index(150, 160, 2, false), t.indexes[0].clone()];
    create_index(&later.indexes[0]);
    let later = Arc::new(later);
    let mut session = Session::begin();
    session.tx.start_command().unwrap();
    let build = IndexBuild {
        relation: &later,
        index: &later.indexes[0],
        exprs: None,
    };
    let count = EXECUTOR
        .enter()
        .unwrap()
        .build_index(&build, &mut session.exec(&[]))
        .unwrap();
    assert_eq!(count, 300);
    assert_eq!(
        session.rows(&by_key(&later, int(1007), false)),
        ["7,1007,text"]
    );
    assert_eq!(
        sorted(session.rows(&by_key(&later, int(7), false))),
        ["107,7,text", "207,7,text"]
    );
    // After pruning the entries still lead to the rows.
    session.commit();
    let mut session = Session::begin();
    session.tx.start_command().unwrap();
    EXECUTOR
        .enter()
        .unwrap()
        .vacuum(&later, &mut session.exec(&[]))
        .unwrap();
    assert_eq!(
        session.rows(&by_key(&later, int(1007), false)),
        ["7,1007,text"]
    );
    rows::check_index(pg_table(160));
}

#[test]
fn a_unique_index_is_not_built_over_equal_keys() {
    let _alone = alone();
    let _db = database();
    let t = table(180);
    create(&t);
    let mut session = Session::begin();
    session
        .run(&insert(&t, &[(1, 5, "x"), (2, 5, "y")]))
        .unwrap();
    session.tx.start_command().unwrap();
    let unique = index(180, 190, 2, true);
    create_index(&unique);
    let build = IndexBuild {
        relation: &t,
        index: &unique,
        exprs: None,
    };
    let error = EXECUTOR
        .enter()
        .unwrap()
        .build_index(&build, &mut session.exec(&[]))
        .unwrap_err();
    assert_eq!(
        (error.code().code(), error.message()),
        ("23505", "could not create unique index \"t_2_idx\"")
    );
    assert_eq!(
        error.fields().detail.as_deref(),
        Some("Key (b)=(5) is duplicated.")
    );
}

#[test]
fn vacuum_and_analyze_count() {
    let _alone = alone();
    let _db = database();
    let t = table(170);
    create(&t);
    let mut session = Session::begin();
    let rows: Vec<(i32, i32, &str)> = (0..1000).map(|i| (i, i % 4, "text")).collect();
    session.run(&insert(&t, &rows)).unwrap();
    session.commit();
    let mut session = Session::begin();
    for i in 0..200 {
        session.run(&delete(&t, int(i))).unwrap();
    }
    session.commit();
    let mut session = Session::begin();
    session.tx.start_command().unwrap();
    let report = EXECUTOR
        .enter()
        .unwrap()
        .vacuum(&t, &mut session.exec(&[]))
        .unwrap();
    assert_eq!((report.live, report.removed), (800, 200));
    let statistics = EXECUTOR
        .enter()
        .unwrap()
        .analyze(&t, &mut session.exec(&[]))
        .unwrap();
    assert_eq!(statistics.rows, 800.0);
    let [a, b, c] = &statistics.columns[..] else {
        panic!("three columns")
    };
    assert_eq!((a.distinct, b.distinct, c.distinct), (-1.0, 4.0, 1.0));
    assert_eq!(
        (b.common.len(), a.common.len(), a.histogram.len()),
        (4, 0, 101)
    );
    assert_eq!(
        (a.histogram[0].clone(), a.histogram[100].clone()),
        (Datum::Int4(200), Datum::Int4(999))
    );
}
