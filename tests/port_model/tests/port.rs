//! Models of the port's protocol: enter, leave on another CPU, close, drain,
//! re-enter, flip, flip back, reopen, abandon.

mod common;

use common::{NEVER, call, finish, provide, started, swap_closed, swap_open};
use port_model::{CrashKind, Door, PortError, SwapError, advance_clock, check, migrate, spawn};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Nobody is inside the old provider when it is asked for its state, nobody
/// enters before the port is open again, and whoever waits is woken.
#[test]
fn a_closed_swap_lets_nobody_see_two_providers() {
    check(2, || {
        let (port, world) = started();
        let callers: Vec<_> = (0..2)
            .map(|cpu| {
                let port = Arc::clone(&port);
                spawn(cpu, move || call(&port))
            })
            .collect();
        swap_closed(&port, &world, 2);
        callers
            .into_iter()
            .for_each(|c| assert!(c.join().unwrap() <= 2));
        assert_eq!(call(&port), 2);
        finish(&port, &world, 2);
    });
}

/// The parity a caller has read may be current again, for another provider,
/// when it looks for the second time.
#[test]
fn a_caller_that_sleeps_through_two_flips_meets_a_living_provider() {
    check(4, || {
        let (port, world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || (call(&port), call(&port)))
        };
        swap_open(&port, &world, 2);
        swap_open(&port, &world, 3);
        let (first, second) = caller.join().unwrap();
        assert!(first <= second);
        finish(&port, &world, 3);
    });
}

#[test]
fn a_flip_back_is_a_swap_like_any_other() {
    check(3, || {
        let (port, world) = started();
        let callers: Vec<_> = (0..2)
            .map(|cpu| {
                let port = Arc::clone(&port);
                spawn(cpu, move || call(&port))
            })
            .collect();
        provide(&port, &world, 2);
        port.flip().unwrap();
        port.flip_back().unwrap();
        port.retire(NEVER).unwrap();
        callers
            .into_iter()
            .for_each(|c| assert!(c.join().unwrap() <= 2));
        assert_eq!(call(&port), 1);
        finish(&port, &world, 2);
    });
}

/// A task inside may enter again while the port is closed, migrate, and leave
/// its guards in any order: the drain waits for the last.
#[test]
fn who_is_inside_may_enter_again_and_leave_in_any_order() {
    check(4, || {
        let (port, world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || {
                let outer = port.enter().unwrap();
                outer.come();
                migrate(0);
                let inner = port.enter().unwrap();
                inner.come();
                outer.go();
                drop(outer);
                inner.go();
                drop(inner);
            })
        };
        swap_closed(&port, &world, 2);
        caller.join().unwrap();
        finish(&port, &world, 2);
    });
}

/// A drain that gives up leaves everything as it was, however its deadline
/// meets the last caller's leaving.
#[test]
fn a_drain_may_give_up_and_callers_go_on() {
    check(5, || {
        let (port, world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || call(&port))
        };
        let clock = spawn(0, || advance_clock(10));
        port.close();
        match port.drain(10) {
            Ok(()) => assert_eq!(world.inside.load(Relaxed), 0),
            Err(error) => assert!(matches!(error, SwapError::Busy { .. })),
        }
        port.open();
        caller.join().unwrap();
        clock.join().unwrap();
        finish(&port, &world, 1);
    });
}

/// Callers of a port whose cell is given up get an error; those who wait
/// already, too.
#[test]
fn abandoning_a_closed_port_lets_its_waiters_go() {
    check(5, || {
        let (port, _world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || port.enter().map(drop))
        };
        port.close();
        port.abandon();
        let entered = caller.join().unwrap();
        assert!(matches!(entered, Ok(()) | Err(PortError::NoProvider(_))));
        assert!(port.enter().is_err());
    });
}

/// A list of the doors may be made at any time.
#[test]
fn a_status_never_looks_at_a_provider_that_is_gone() {
    check(5, || {
        let (port, world) = started();
        let lister = {
            let port = Arc::clone(&port);
            spawn(1, move || port.status().cell.map(|c| c.0.name().len()))
        };
        swap_open(&port, &world, 2);
        assert_eq!(lister.join().unwrap(), Some(5));
        finish(&port, &world, 2);
    });
}

/// Who reads the generation, then enters and keeps what it got, may take an
/// object of the new provider for an old one, but never an old one for new.
#[test]
fn a_generation_read_before_entering_is_never_too_new() {
    check(5, || {
        let (port, world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || (port.generation(), call(&port)))
        };
        swap_open(&port, &world, 2);
        let (generation, provider) = caller.join().unwrap();
        assert!(generation < port.generation() || provider == 2);
        finish(&port, &world, 2);
    });
}

/// A command is not lost because the one before it is being carried out.
#[test]
fn the_latest_injection_faults_one_call() {
    check(5, || {
        let (port, world) = started();
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || drop(port.enter().unwrap()))
        };
        port.inject(CrashKind::Panic);
        port.inject(CrashKind::Null);
        caller.join().unwrap();
        drop(port.enter().unwrap());
        drop(port.enter().unwrap());
        let crashed = |kind: CrashKind| world.crashed[kind as usize].load(Relaxed);
        assert!(crashed(CrashKind::Panic) <= 1);
        assert_eq!(crashed(CrashKind::Null), 1);
        finish(&port, &world, 1);
    });
}

/// Whoever must not sleep does not, also when a fault is to be injected.
#[test]
fn trying_to_enter_never_waits() {
    check(5, || {
        let (port, _world) = started();
        port.inject(CrashKind::Panic);
        let caller = {
            let port = Arc::clone(&port);
            spawn(1, move || port.try_enter().is_some())
        };
        port.close();
        // Never opened: a caller that waits would be stuck here.
        caller.join().unwrap();
    });
}
