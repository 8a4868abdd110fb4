//! The model against small histories.

use super::*;

fn change(before: Tag, tag: Tag) -> Changes {
    let row = Some(crate::row::make(1, tag, before, 0, 0));
    Changes::from([((8, 1), Change { before, tag, row })])
}

fn bytes(tag: Tag, before: Tag) -> Vec<u8> {
    crate::row::make(1, tag, before, 0, 0)
}

#[test]
fn commits_beside_a_snapshot_are_seen_wholly_or_not() {
    let mut model = Model::default();
    let first = model.ask(change(0, 1)).unwrap();
    model.committed(first, None).unwrap();
    let mut both = change(1, 2);
    let row = Some(crate::row::make(2, 3, 0, 0, 0));
    let (before, tag) = (0, 3);
    both.insert((8, 2), Change { before, tag, row });
    let from = model.now();
    let second = model.ask(both).unwrap();
    let mut look = Look::new(from, model.now());
    model.committed(second, None).unwrap();
    let mut other = look.clone();
    // The first one is before the look: it must be there.
    assert!(model.check(&mut look.clone(), (8, 1), None).is_err());
    model.check(&mut look, (8, 1), Some(&bytes(1, 0))).unwrap();
    assert!(
        model
            .check(&mut look, (8, 2), Some(&crate::row::make(2, 3, 0, 0, 0)))
            .is_err()
    );
    model.check(&mut look, (8, 2), None).unwrap();
    model.check(&mut other, (8, 1), Some(&bytes(2, 1))).unwrap();
    assert!(model.check(&mut other, (8, 2), None).is_err());
    // A later look sees it.
    let now = model.now();
    let mut later = Look::new(now, now);
    assert!(model.check(&mut later, (8, 1), Some(&bytes(1, 0))).is_err());
}

#[test]
fn lost_updates_and_failed_commits_are_noticed() {
    let mut model = Model::default();
    let first = model.ask(change(0, 1)).unwrap();
    model.committed(first, None).unwrap();
    assert!(model.ask(change(0, 9)).is_err());
    let second = model.ask(change(1, 2)).unwrap();
    model.unknown(second).unwrap();
    assert!(model.ask(change(1, 9)).is_err());
    let now = model.now();
    let mut look = Look::new(now, now);
    assert!(model.check(&mut look, (8, 1), Some(&bytes(2, 1))).is_err());
    assert!(model.ask(change(2, 3)).is_err());
    let start = Start {
        log_end: 0,
        at_least: 0,
        died_at: 0,
    };
    model.restart(start).unwrap();
    let now = model.now();
    for seen in [false, true] {
        let mut look = Look::new(now, now);
        let row = if seen { bytes(2, 1) } else { bytes(1, 0) };
        model.check(&mut look, (8, 1), Some(&row)).unwrap();
        assert_eq!(look.seen.get(&second), Some(&seen));
    }
}

#[test]
fn who_builds_on_what_was_before_a_commit_says_that_it_is_refused() {
    let begin = || {
        let mut model = Model::default();
        let first = model.ask(change(0, 1)).unwrap();
        model.committed(first, None).unwrap();
        let second = model.ask(change(1, 2)).unwrap();
        // The second has not been answered yet.
        let third = model.ask(change(1, 3)).unwrap();
        model.committed(third, None).unwrap();
        let now = model.now();
        let mut look = Look::new(now, now);
        assert!(model.check(&mut look, (8, 1), Some(&bytes(2, 1))).is_err());
        model.check(&mut look, (8, 1), Some(&bytes(3, 1))).unwrap();
        (model, second)
    };
    let (mut model, second) = begin();
    model.refused(second).unwrap();
    model.ask(change(3, 4)).unwrap();
    let (mut model, second) = begin();
    model.faulted(second);
    model.ask(change(3, 4)).unwrap();
    // Any other answer is one too many.
    let (mut model, second) = begin();
    assert!(model.committed(second, None).is_err());
    let (mut model, second) = begin();
    assert!(model.unknown(second).is_err());
}

#[test]
fn what_a_transaction_makes_and_deletes_again_is_nothing_to_build_on() {
    let mut model = Model::default();
    let nothing = |tag| {
        let (before, row) = (0, None);
        Changes::from([((8, 1), Change { before, tag, row })])
    };
    let first = model.ask(nothing(1)).unwrap();
    let second = model.ask(change(0, 2)).unwrap();
    model.committed(second, None).unwrap();
    model.refused(first).unwrap();
    model.ask(change(2, 3)).unwrap();
}

#[test]
fn commits_that_did_not_wait_are_lost_from_the_end_and_not_for_long() {
    let lazy = |after, until| Lazy {
        after,
        until,
        safe_at: 1_000,
    };
    let begin = || {
        let mut model = Model::default();
        for (at, (before, tag)) in [(0, 1), (1, 2), (2, 3)].into_iter().enumerate() {
            let no = model.ask(change(before, tag)).unwrap();
            let at = at as u64 * 10;
            model.committed(no, Some(lazy(at, at + 10))).unwrap();
        }
        model
    };
    let start = |log_end, died_at| Start {
        log_end,
        at_least: log_end,
        died_at,
    };
    for (log_end, tag) in [(30, 3), (20, 2), (10, 1)] {
        let mut model = begin();
        let died_at = 500;
        model.restart(start(log_end, died_at)).unwrap();
        let now = model.now();
        let mut look = Look::new(now, now);
        let row = bytes(tag, tag - 1);
        model.check(&mut look, (8, 1), Some(&row)).unwrap();
        assert!(model.check(&mut look, (8, 1), None).is_err());
    }
    assert!(begin().restart(start(20, 1_000)).is_err());
    assert!(begin().restart(start(30, 1_000)).is_ok());
}
