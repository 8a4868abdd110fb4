//! The network interface as others see it.
//!
//! Frames are Ethernet frames without check sequence. The driver lends its
//! buffers for the time of a call: [`Nic::receive`] shows received bytes where
//! the device wrote them, [`Nic::transmit`] lets the caller write where the
//! device will read. Nothing here sleeps; who wants to wait for frames waits
//! for [`line`], which belongs to this crate and so outlives the driver.
//!
//! [`ring`] is the memory shared with the device, [`state`] what a replacement
//! of the driver passes on.
#![cfg_attr(mitos, no_std)]

extern crate alloc;

pub mod ring;
pub mod state;

use alloc::sync::Arc;
use interrupts::{IrqError, IrqLine};
use port::{Component, Port};

/// The door of the network driver.
pub static NIC: Port<dyn Nic> = Port::new("virtio_net");

/// The same, without its type.
pub static DOOR: &dyn port::Door = &NIC;

/// What the interface is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NicInfo {
    /// The hardware address.
    pub mac: [u8; 6],
    /// The most bytes of a frame, with its 14 bytes of header.
    pub frame: usize,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NicError {
    /// No free transmit buffer; there will be one when the device has sent.
    Full,
    /// Longer than the interface can send.
    TooLong,
    /// The device has failed.
    DeviceLost,
}

/// A network interface.
pub trait Nic: Component {
    /// What it is like.
    fn info(&self) -> NicInfo;
    /// Whether the link is up.
    fn link(&self) -> bool;
    /// Shows up to `limit` received frames to `sink`, each in its buffer, and
    /// gives the buffers back to the device. `sink` may call
    /// [`Nic::transmit`]. Returns how many there were.
    fn receive(&self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize;
    /// Whether a transmit buffer is free.
    fn room(&self) -> bool;
    /// Queues a frame of `len` bytes that `fill` writes; it must write all of
    /// them. The device need not look before [`Nic::kick`].
    ///
    /// # Errors
    /// [`NicError`]; then `fill` was not called.
    fn transmit(&self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Result<(), NicError>;
    /// Tells the device of the frames queued since the last kick, if any.
    fn kick(&self);
}

static LINE: spin::Once<Arc<IrqLine>> = spin::Once::new();

/// The interrupt line of the interface: counts when frames have come, and when
/// somebody raises it to get the attention of who waits.
///
/// # Errors
/// When there is no line to be had.
pub fn line() -> Result<&'static Arc<IrqLine>, IrqError> {
    LINE.try_call_once(|| IrqLine::allocate(0))
}
