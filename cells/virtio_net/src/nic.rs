//! Moving frames.
//!
//! The locks cover the rings only: frames are read and written by the caller's
//! code outside of them, so that a fault there costs a buffer and no more.

use crate::open::HEADER;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use port::{Component, CrashKind, HandoverError, State};
use virtio_net_port::ring::{BUFFER, Slot};
use virtio_net_port::state::{self, NicState};
use virtio_net_port::{Nic, NicError, NicInfo};

/// Offset of the link status in the device's registers, and its bit.
const LINK: usize = 6;
const LINK_UP: u16 = 1;
/// Queue numbers.
const RECEIVE: u16 = 0;
const SEND: u16 = 1;

/// The provider.
pub(crate) struct VirtioNic {
    pub(crate) state: Arc<NicState>,
}

/// A received buffer; goes back to the device when dropped.
struct Received<'a> {
    state: &'a NicState,
    slot: Option<Slot>,
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.state.receive.lock().offer(slot, BUFFER);
        }
    }
}

/// A buffer to send; if it is not sent, it is free again when dropped.
struct ToSend<'a> {
    state: &'a NicState,
    slot: Option<Slot>,
}

impl Drop for ToSend<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.state.send.lock().free.push(slot);
        }
    }
}

impl VirtioNic {
    /// The next received frame's buffer and the bytes in it.
    fn next(&self) -> Option<(Received<'_>, usize)> {
        let (slot, len) = self.state.receive.lock().take()?;
        let received = Received {
            state: &self.state,
            slot: Some(slot),
        };
        Some((received, len))
    }

    /// Shows frames until there are none or `limit` is reached.
    fn drain(&self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < limit
            && let Some((received, len)) = self.next()
        {
            count += 1;
            let bytes = received
                .slot
                .as_ref()
                .map(|s| self.state.receive_buffers.bytes(s));
            if let Some(frame) = bytes.and_then(|b| b.get(HEADER..len)) {
                sink(frame);
            }
        }
        count
    }

    /// A free transmit buffer.
    fn free(&self) -> Option<ToSend<'_>> {
        let mut send = self.state.send.lock();
        let slot = match send.free.pop() {
            Some(slot) => slot,
            None => {
                while let Some((slot, _)) = send.ring.take() {
                    send.free.push(slot);
                }
                send.free.pop()?
            }
        };
        Some(ToSend {
            state: &self.state,
            slot: Some(slot),
        })
    }
}

impl Component for VirtioNic {
    fn has_state(&self) -> bool {
        true
    }

    fn shares_state(&self) -> bool {
        true
    }

    fn export(&self) -> Result<Option<State>, HandoverError> {
        Ok(Some(state::export(Arc::clone(&self.state))))
    }

    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl Nic for VirtioNic {
    fn info(&self) -> NicInfo {
        NicInfo {
            mac: self.state.mac,
            frame: self.state.frame,
        }
    }

    fn link(&self) -> bool {
        !self.state.has_link || self.state.hardware.config.read16(LINK) & LINK_UP != 0
    }

    fn receive(&self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let state = &*self.state;
        // While we look there is no need to be told.
        state.receive.lock().set_interrupts(false);
        let mut count = 0;
        loop {
            count += self.drain(limit - count, sink);
            if count >= limit {
                // The caller comes again at once.
                break;
            }
            let ring = state.receive.lock();
            ring.set_interrupts(true);
            if ring.is_quiescent() {
                break;
            }
            ring.set_interrupts(false);
        }
        if count > 0 && state.receive.lock().wants_kick() {
            state.hardware.notify.write16(state.receive_kick, RECEIVE);
        }
        count
    }

    fn room(&self) -> bool {
        let send = self.state.send.lock();
        !send.free.is_empty() || !send.ring.is_quiescent()
    }

    fn transmit(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Result<(), NicError> {
        if len > self.state.frame {
            return Err(NicError::TooLong);
        }
        let mut buffer = self.free().ok_or(NicError::Full)?;
        let bytes = buffer
            .slot
            .as_mut()
            .map_or(&mut [][..], |slot| self.state.send_buffers.bytes_mut(slot));
        let Some((header, frame)) = bytes.split_at_mut_checked(HEADER) else {
            return Err(NicError::DeviceLost);
        };
        header.fill(0);
        fill(frame.get_mut(..len).ok_or(NicError::TooLong)?);
        if let Some(slot) = buffer.slot.take() {
            self.state.send.lock().ring.offer(slot, HEADER + len);
            self.state.unkicked.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn kick(&self) {
        let state = &*self.state;
        if state.unkicked.swap(false, Ordering::AcqRel) && state.send.lock().ring.wants_kick() {
            state.hardware.notify.write16(state.send_kick, SEND);
        }
    }
}
