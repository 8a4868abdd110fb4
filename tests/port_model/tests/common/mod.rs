//! A provider that notices when it is used wrongly, and the steps of a swap.

#![allow(dead_code)]

use loom::cell::UnsafeCell;
use port_model::{Component, CrashKind, Door, HandoverError, Port, State, stage};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The trait of the modelled port.
pub trait Probe: Component {
    /// Which provider this is.
    fn name(&self) -> usize;
    /// Is called right after entering.
    fn come(&self);
    /// Is called right before leaving.
    fn go(&self);
}

/// What all providers of one execution share. Not seen by the checker, so that
/// looking at it is no step.
#[derive(Default)]
pub struct World {
    /// Callers inside any provider.
    pub inside: AtomicUsize,
    /// Providers that were dropped.
    pub dropped: AtomicUsize,
    /// Calls that faulted, by kind.
    pub crashed: [AtomicUsize; 8],
}

pub struct Provider {
    name: usize,
    world: Arc<World>,
    inside: AtomicUsize,
    exported: AtomicUsize,
    /// Read by each caller, written by export and drop: the checker complains if
    /// one of these does not come after the callers' last use.
    memory: UnsafeCell<()>,
}

// SAFETY: the checker runs one task at a time and watches the accesses to
// `memory`, which holds nothing.
unsafe impl Sync for Provider {}

impl Component for Provider {
    fn has_state(&self) -> bool {
        true
    }
    fn export(&self) -> Result<Option<State>, HandoverError> {
        assert_eq!(self.inside.load(Relaxed), 0, "exported with callers inside");
        self.memory.with_mut(|_| ());
        self.exported.store(1, Relaxed);
        Ok(None)
    }
    fn resume(&self) {
        self.exported.store(0, Relaxed);
    }
    fn crash(&self, kind: CrashKind) {
        self.world.crashed[kind as usize].fetch_add(1, Relaxed);
    }
}

impl Probe for Provider {
    fn name(&self) -> usize {
        self.name
    }
    fn come(&self) {
        assert_eq!(self.exported.load(Relaxed), 0, "entered after the export");
        self.memory.with(|_| ());
        self.inside.fetch_add(1, Relaxed);
        self.world.inside.fetch_add(1, Relaxed);
    }
    fn go(&self) {
        assert_eq!(
            self.exported.load(Relaxed),
            0,
            "exported with a caller inside"
        );
        self.memory.with(|_| ());
        self.inside.fetch_sub(1, Relaxed);
        self.world.inside.fetch_sub(1, Relaxed);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        assert_eq!(self.inside.load(Relaxed), 0, "dropped with callers inside");
        self.memory.with_mut(|_| ());
        self.world.dropped.fetch_add(1, Relaxed);
    }
}

pub type ProbePort = Arc<Port<dyn Probe>>;

pub fn provide(port: &ProbePort, world: &Arc<World>, name: usize) {
    let provider = Provider {
        name,
        world: Arc::clone(world),
        inside: AtomicUsize::new(0),
        exported: AtomicUsize::new(0),
        memory: UnsafeCell::new(()),
    };
    stage(port, Box::new(provider) as Box<dyn Probe>);
}

/// A deadline that never comes.
pub const NEVER: u64 = u64::MAX;

/// A port with provider 1 behind it.
pub fn started() -> (ProbePort, Arc<World>) {
    let (port, world) = (Arc::new(Port::new("probe")), Arc::default());
    provide(&port, &world, 1);
    port.flip().unwrap();
    port.open();
    (port, world)
}

/// Enters, uses and leaves; gives the provider's name.
pub fn call(port: &Port<dyn Probe>) -> usize {
    let inside = port.enter().unwrap();
    inside.come();
    let name = inside.name();
    inside.go();
    name
}

/// Replaces the provider as one with state is replaced.
pub fn swap_closed(port: &ProbePort, world: &Arc<World>, name: usize) {
    port.close();
    port.drain(NEVER).unwrap();
    assert_eq!(world.inside.load(Relaxed), 0, "drained with callers inside");
    port.export().unwrap();
    provide(port, world, name);
    port.flip().unwrap();
    port.open();
    port.retire(NEVER).unwrap();
}

/// Replaces the provider as one without state is replaced.
pub fn swap_open(port: &ProbePort, world: &Arc<World>, name: usize) {
    provide(port, world, name);
    port.flip().unwrap();
    port.retire(NEVER).unwrap();
}

/// What must hold when all tasks have ended; drops the last provider.
pub fn finish(port: &ProbePort, world: &Arc<World>, providers: usize) {
    assert_eq!(port.status().inflight, 0, "an in-flight count leaked");
    assert_eq!(world.inside.load(Relaxed), 0);
    swap_open(port, world, 99);
    assert_eq!(world.dropped.load(Relaxed), providers);
}
