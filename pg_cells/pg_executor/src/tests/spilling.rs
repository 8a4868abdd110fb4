//! Operators with more rows than their memory holds: they must give what they
//! give with memory enough, leave no file, and fail as they should.

use super::*;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use pg_executor_port::{Detail, Query, SpillFile, SpillStore};
use pg_plan::{Aggregate, AggregateCall, Expr, Join, JoinKind, SetOpKind, SortKey};
use pg_types::{SqlError, SqlState, oid};

/// What the files have in common.
#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    open: AtomicUsize,
    /// Bytes of all files together.
    used: AtomicUsize,
    /// How many there may be; 0: any number.
    room: AtomicUsize,
    /// The statement is cancelled once so many bytes are used.
    cancel: Option<(usize, CancelToken)>,
}

/// Temporary files in memory, counted.
#[derive(Default)]
struct Files(Arc<Counts>);

struct File {
    bytes: Vec<u8>,
    gone: u64,
    counts: Arc<Counts>,
}

impl SpillStore for Files {
    fn create(&self) -> SqlResult<Box<dyn SpillFile>> {
        self.0.made.fetch_add(1, SeqCst);
        self.0.open.fetch_add(1, SeqCst);
        Ok(Box::new(File {
            bytes: Vec::new(),
            gone: 0,
            counts: self.0.clone(),
        }))
    }
}

impl SpillFile for File {
    fn append(&mut self, bytes: &[u8]) -> SqlResult<()> {
        let used = self.counts.used.fetch_add(bytes.len(), SeqCst) + bytes.len();
        self.bytes.extend_from_slice(bytes);
        if let Some((limit, cancel)) = &self.counts.cancel
            && used > *limit
        {
            cancel.cancel();
        }
        match self.counts.room.load(SeqCst) {
            room if room > 0 && used > room => Err(SqlError::new(SqlState::DISK_FULL, "full")),
            _ => Ok(()),
        }
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> SqlResult<usize> {
        assert!(offset >= self.gone, "read what was given back");
        let left = &self.bytes[offset as usize..];
        // Less than asked for, as a device may.
        let count = left.len().min(bytes.len()).min(1000);
        bytes[..count].copy_from_slice(&left[..count]);
        Ok(count)
    }

    fn finish(&mut self) -> SqlResult<()> {
        Ok(())
    }

    fn forget_before(&mut self, offset: u64) {
        assert!(offset <= self.bytes.len() as u64);
        self.gone = self.gone.max(offset);
    }

    fn rest(&mut self) {}
}

impl Drop for File {
    fn drop(&mut self) {
        self.counts.used.fetch_sub(self.bytes.len(), SeqCst);
        self.counts.open.fetch_sub(1, SeqCst);
    }
}

/// Runs a plan with `work` bytes for a sort and twice that for a hash table.
fn run_with(plan: &Plan, work: usize, files: &Files) -> SqlResult<(Vec<Vec<Datum>>, Detail)> {
    let (session, cancel) = (BasicContext::default(), CancelToken::new());
    let mut store = MemoryStore::default();
    let mut running = Running::compile(plan, true)?;
    running.limit_work(work, 2 * work);
    let cancel = match &files.0.cancel {
        Some((_, cancel)) => cancel.clone(),
        None => cancel,
    };
    let mut rows: Vec<Vec<Datum>> = Vec::new();
    let mut first = surroundings(&mut store, &[], &session, &cancel);
    first.spill = Some(files);
    running.advance(first, 0, &mut rows)?;
    // A second run of the same tree must give the same.
    let mut again: Vec<Vec<Datum>> = Vec::new();
    let mut second = surroundings(&mut store, &[], &session, &cancel);
    second.spill = Some(files);
    running.rewind(second)?;
    let mut second = surroundings(&mut store, &[], &session, &cancel);
    second.spill = Some(files);
    running.advance(second, 0, &mut again)?;
    // In which order groups come depends on when the memory is used up.
    assert!(sorted(&rows) == sorted(&again), "the second run differs");
    let detail = running.measures()[0].detail;
    Ok((rows, detail))
}

/// The same rows whatever their order.
fn sorted(rows: &[Vec<Datum>]) -> Vec<alloc::string::String> {
    let mut lines = lines(rows);
    lines.sort_unstable();
    lines
}

/// With little memory a plan gives the rows it gives with enough, in any order
/// or in the same one; files are used, and none is left.
fn check_spilling(plan: &Plan, work: usize, ordered: bool) -> Detail {
    let files = Files::default();
    let (expected, _) = run_with(plan, usize::MAX / 4, &files).expect("the plan runs");
    assert_eq!(files.0.made.load(SeqCst), 0, "there was memory enough");
    let (rows, detail) = run_with(plan, work, &files).expect("the plan runs on disk");
    assert!(files.0.made.load(SeqCst) > 0, "it did not go to disk");
    assert_eq!(files.0.open.load(SeqCst), 0, "files are left");
    if ordered {
        assert!(rows == expected);
    } else {
        assert!(sorted(&rows) == sorted(&expected));
    }
    detail
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit) as i32
    }
}

/// `count` rows: a key of which there are about `keys` (NULL now and then), a
/// text, and the row's number.
fn many(seed: u64, count: i32, keys: u64) -> Plan {
    let mut random = Random(seed);
    let row = |i| {
        let key = match random.below(23) {
            0 => Datum::Null,
            _ => Datum::Int4(random.below(keys)),
        };
        let name = alloc::format!("a name that is not kept inline {}", random.below(100));
        vec![key, Datum::from(name.as_str()), Datum::Int4(i)]
    };
    values((0..count).map(row).collect())
}

/// About what so many rows of [`many`] take in memory.
const ROW: usize = 150;

fn sort(input: Plan, keys: Vec<SortKey>, bound: Option<Expr>) -> Plan {
    let types: Vec<u32> = input.columns.iter().map(|c| c.type_oid).collect();
    plan_of(Node::Sort { input, keys, bound }, &types)
}

#[test]
fn a_sort_of_a_hundred_times_its_memory_is_smany() {
    for seed in 0..4 {
        let plan = sort(many(seed, 8000, 300), vec![desc(col(0))], None);
        let detail = check_spilling(&plan, 80 * ROW, true);
        let Detail::Sort { top, disk, memory } = detail else {
            panic!("{detail:?}");
        };
        assert!(!top && disk > 8000 * 40, "{disk} bytes on disk");
        assert!(memory < 100 * ROW as u64);
    }
}

#[test]
fn a_bounded_sort_spills_when_its_bound_is_large() {
    let plan = sort(many(9, 4000, 300), vec![asc(col(0))], Some(int(3000)));
    check_spilling(&plan, 100 * ROW, true);
}

fn join(kind: JoinKind, left: Plan, right: Plan, condition: Option<Expr>) -> Plan {
    let width = match kind {
        JoinKind::Semi | JoinKind::Anti => 3,
        _ => 6,
    };
    plan_of(
        Node::Join(Join {
            kind,
            left,
            right,
            hash_keys: vec![(col(0), col(0))],
            condition,
            outer: vec![],
        }),
        &[
            oid::INT4,
            oid::TEXT,
            oid::INT4,
            oid::INT4,
            oid::TEXT,
            oid::INT4,
        ][..width],
    )
}

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

#[test]
fn joins_of_a_hundred_times_their_memory() {
    for (seed, kind) in KINDS.into_iter().enumerate() {
        let seed = seed as u64;
        let (left, right) = (many(seed, 3000, 5000), many(seed + 50, 4000, 5000));
        let detail = check_spilling(&join(kind, left, right, None), 40 * ROW, false);
        let Detail::Hash { batches, .. } = detail else {
            panic!("{detail:?}");
        };
        // Two deals by four, at least.
        assert!(batches > 16, "{kind:?}: {batches} batches");
    }
}

#[test]
fn joins_with_a_condition_or_an_empty_side() {
    for kind in KINDS {
        let (left, right) = (many(3, 2000, 300), many(4, 1000, 300));
        check_spilling(
            &join(kind, left, right, Some(lt(col(2), col(5)))),
            30 * ROW,
            false,
        );
        let some = || many(5, 1000, 300);
        let none = || {
            let condition = boolean(Some(false));
            let input = many(6, 1, 1);
            let node = Node::Filter { input, condition };
            plan_of(node, &[oid::INT4, oid::TEXT, oid::INT4])
        };
        let files = Files::default();
        for (left, right) in [(some(), none()), (none(), some())] {
            let plan = join(kind, left, right, None);
            let (expected, _) = run_with(&plan, usize::MAX / 4, &files).unwrap();
            let (rows, _) = run_with(&plan, 30 * ROW, &files).unwrap();
            assert_eq!(sorted(&rows), sorted(&expected), "{kind:?}");
        }
    }
}

/// Rows that no hash tells apart stay together, and are joined all the same.
#[test]
fn a_join_of_one_key_is_done_in_memory() {
    let one = |seed| many(seed, 300, 1);
    for kind in [JoinKind::Inner, JoinKind::Full, JoinKind::Anti] {
        check_spilling(&join(kind, one(1), one(2), None), 10 * ROW, false);
    }
}

fn aggregated(name: &str, args: Vec<Expr>, types: &[u32], type_oid: u32) -> AggregateCall {
    AggregateCall {
        function: function(name, types),
        args,
        distinct: false,
        order: vec![],
        filter: None,
        type_oid,
    }
}

fn aggregate(
    input: Plan,
    sets: Vec<Vec<usize>>,
    calls: Vec<AggregateCall>,
    keys: Vec<Expr>,
) -> Plan {
    let width = keys.len() + calls.len() + usize::from(!sets.is_empty());
    plan_of(
        Node::Aggregate(Aggregate {
            input,
            keys,
            calls,
            sets,
            sorted: false,
        }),
        &vec![oid::INT8; width],
    )
}

#[test]
fn groups_of_a_hundred_times_their_memory() {
    for seed in 0..3 {
        let calls = vec![
            aggregated("count", vec![], &[], oid::INT8),
            aggregated("sum", vec![col(2)], &[oid::INT4], oid::INT8),
            aggregated("max", vec![col(1)], &[oid::TEXT], oid::TEXT),
        ];
        let plan = aggregate(many(seed, 9000, 6000), vec![], calls, vec![col(0)]);
        let detail = check_spilling(&plan, 8000, false);
        let Detail::Groups { batches, disk, .. } = detail else {
            panic!("{detail:?}");
        };
        assert!(batches > 16 && disk > 100_000, "{batches} {disk}");
    }
}

#[test]
fn grouping_sets_and_distinct_arguments() {
    let mut distinct = aggregated("count", vec![col(1)], &[oid::ANY], oid::INT8);
    distinct.distinct = true;
    let mut ordered = aggregated(
        "array_agg",
        vec![col(2)],
        &[oid::ANYNONARRAY],
        oid::INT4_ARRAY,
    );
    ordered.order = vec![desc(col(1)), asc(col(2))];
    for sets in [vec![], vec![vec![0], vec![], vec![0, 1], vec![1]]] {
        let calls = vec![distinct.clone(), ordered.clone()];
        let keys = vec![col(0), col(1)];
        let plan = aggregate(many(7, 2500, 40), sets, calls, keys);
        check_spilling(&plan, 20 * ROW, false);
    }
    // One group, which alone is larger than the memory.
    let mut texts = aggregated("count", vec![col(2)], &[oid::ANY], oid::INT8);
    texts.distinct = true;
    let plan = aggregate(many(8, 6000, 40), vec![], vec![texts, ordered], vec![]);
    check_spilling(&plan, 40 * ROW, true);
}

#[test]
fn distinct_rows_and_set_operations() {
    let some = |seed| project(many(seed, 5000, 3000), vec![col(0), col(1)]);
    let types = [oid::INT4, oid::TEXT];
    let distinct = plan_of(
        Node::Distinct {
            input: some(1),
            keys: vec![],
        },
        &types,
    );
    check_spilling(&distinct, 40 * ROW, false);
    for kind in [SetOpKind::Union, SetOpKind::Intersect, SetOpKind::Except] {
        for (all, keys) in [(false, 30), (true, 30), (false, 3000)] {
            if kind == SetOpKind::Union && all {
                continue;
            }
            let some = |seed, count| project(many(seed, count, keys), vec![col(0), col(1)]);
            let plan = plan_of(
                Node::SetOp {
                    kind,
                    all,
                    left: some(1, 6000),
                    right: some(2, 4000),
                },
                &types,
            );
            check_spilling(&plan, 20 * ROW, false);
        }
    }
    // What the left side alone brings along.
    let plan = plan_of(
        Node::SetOp {
            kind: SetOpKind::Except,
            all: false,
            left: some(1),
            right: project(many(2, 3, 30), vec![col(0), col(1)]),
        },
        &types,
    );
    check_spilling(&plan, 20 * ROW, false);
}

#[test]
fn rows_that_are_read_again() {
    let types = [oid::INT4, oid::TEXT, oid::INT4];
    let scan = || plan_of(Node::CteScan { id: 3 }, &types);
    // Two readers at different places.
    let left = join(JoinKind::Inner, scan(), scan(), None);
    let body = plan_of(Node::Append(vec![left, scan()]), &[oid::INT4; 6][..3]);
    let body = project(body, vec![col(0), col(2)]);
    let with = plan_of(
        Node::With {
            ctes: vec![(3, many(5, 2000, 5000))],
            body,
        },
        &types[..2],
    );
    check_spilling(&with, 40 * ROW, false);
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Full] {
        let mut plan = join(
            kind,
            many(1, 40, 9),
            many(2, 700, 9),
            Some(lt(col(2), col(5))),
        );
        if let Node::Join(join) = &mut *plan.node {
            join.hash_keys.clear();
        }
        check_spilling(&plan, 50 * ROW, true);
    }
}

#[test]
fn a_full_disk_and_a_cancel_end_the_statement_alone() {
    let plans = [
        sort(many(1, 5000, 300), vec![asc(col(0))], None),
        join(JoinKind::Full, many(1, 3000, 900), many(2, 3000, 900), None),
        aggregate(many(1, 5000, 4000), vec![], vec![], vec![col(0)]),
    ];
    for plan in &plans {
        let files = Files::default();
        files.0.room.store(60_000, SeqCst);
        let error = run_with(plan, 20 * ROW, &files).unwrap_err();
        assert_eq!(error.code(), SqlState::DISK_FULL);
        assert_eq!(files.0.open.load(SeqCst), 0, "files are left");
        let files = Files(Arc::new(Counts {
            cancel: Some((60_000, CancelToken::new())),
            ..Counts::default()
        }));
        let error = run_with(plan, 20 * ROW, &files).unwrap_err();
        assert_eq!(error.code(), SqlState::QUERY_CANCELED);
        assert_eq!(files.0.open.load(SeqCst), 0, "files are left");
    }
}

#[test]
fn without_disk_space_the_limit_holds() {
    let (session, cancel) = (BasicContext::default(), CancelToken::new());
    let mut store = MemoryStore::default();
    let all = aggregated(
        "array_agg",
        vec![col(2)],
        &[oid::ANYNONARRAY],
        oid::INT4_ARRAY,
    );
    let plans = [
        sort(many(1, 5000, 300), vec![asc(col(0))], None),
        aggregate(many(1, 5000, 4000), vec![], vec![all], vec![]),
    ];
    for plan in &plans {
        let mut running = Running::compile(plan, false).unwrap();
        running.limit_work(20 * ROW, 20 * ROW);
        running.limit_memory(100 * ROW);
        let mut rows: Vec<Vec<Datum>> = Vec::new();
        let around = surroundings(&mut store, &[], &session, &cancel);
        let error = running.advance(around, 0, &mut rows).unwrap_err();
        assert_eq!(error.code(), SqlState::OUT_OF_MEMORY);
    }
}
