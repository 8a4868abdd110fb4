//! Calling the stack from outside, past a replacement or a fault of it.

use crate::{NET, NetError, Network};

/// How long a call waits for a stack that is being restarted.
const PATIENCE_NS: u64 = 3_000_000_000;
/// How long it sleeps between two looks.
const PAUSE_NS: u64 = 1_000_000;
/// How many faults of the stack one call survives.
const FAULTS: usize = 3;

/// Calls the stack. A fault in it does not reach the caller: what was hit by
/// it is the connection it was working on, which then answers
/// [`NetError::Reset`].
pub(crate) fn call<R>(
    mut body: impl FnMut(&dyn Network) -> Result<R, NetError>,
) -> Result<R, NetError> {
    let mut patience = None;
    let mut faults = 0;
    loop {
        match task_port::gate(|| NET.enter().map(|net| body(&*net))) {
            Ok(Ok(answer)) => return answer,
            Ok(Err(port::PortError::NoProvider(_))) => {}
            Err(_) if faults < FAULTS => faults += 1,
            Err(_) => return Err(NetError::NotRunning),
        }
        let until = *patience.get_or_insert_with(|| task_port::now() + PATIENCE_NS);
        if task_port::now() >= until {
            return Err(NetError::NotRunning);
        }
        task_port::sleep(PAUSE_NS);
    }
}
