//! The interface as `smoltcp` wants to see it: a device with at most one frame
//! to receive, and a transmit side that writes into the driver's buffers.

use crate::checksum;
use alloc::vec;
use core::cell::Cell;
use net_port::state::{in_driver, out_of_driver};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use virtio_net_port::Nic;

/// The interface for the time of a call.
pub(crate) struct Wire<'w> {
    nic: &'w dyn Nic,
    /// The longest frame.
    longest: usize,
    frame: Option<&'w [u8]>,
    /// Frames sent.
    pub(crate) frames: Cell<u64>,
    /// Their bytes.
    pub(crate) bytes: Cell<u64>,
    /// The device had no free buffer.
    pub(crate) full: Cell<bool>,
}

impl<'w> Wire<'w> {
    pub(crate) fn new(nic: &'w dyn Nic) -> Self {
        Wire {
            nic,
            longest: in_driver(|| nic.info().frame),
            frame: None,
            frames: Cell::new(0),
            bytes: Cell::new(0),
            full: Cell::new(false),
        }
    }

    /// The same interface with a received frame.
    pub(crate) fn with_frame<'f>(&'f self, frame: &'f [u8]) -> Wire<'f> {
        Wire {
            nic: self.nic,
            longest: self.longest,
            frame: Some(frame),
            frames: Cell::new(0),
            bytes: Cell::new(0),
            full: Cell::new(false),
        }
    }

    /// Adds up what the wire of one frame has counted.
    pub(crate) fn absorb(&self, other: &Wire<'_>) {
        self.frames.set(self.frames.get() + other.frames.get());
        self.bytes.set(self.bytes.get() + other.bytes.get());
        self.full.set(self.full.get() | other.full.get());
    }
}

/// What a device of this frame size can do.
pub(crate) fn capabilities(frame: usize) -> DeviceCapabilities {
    let mut caps = DeviceCapabilities::default();
    caps.medium = Medium::Ethernet;
    caps.max_transmission_unit = frame;
    caps.checksum = checksum::others();
    caps
}

pub(crate) struct Rx<'f>(&'f [u8]);
pub(crate) struct Tx<'t, 'w>(&'t Wire<'w>);

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_, '_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let wire = self.0;
        let mut f = Some(f);
        let mut result = None;
        let mut write = |buffer: &mut [u8]| {
            result = f.take().map(|f| f(buffer));
            checksum::fill_in(buffer);
        };
        let taken = in_driver(|| {
            wire.nic
                .transmit(len, &mut |buffer| out_of_driver(|| write(buffer)))
        });
        match taken {
            Ok(()) => {
                wire.frames.set(wire.frames.get() + 1);
                wire.bytes.set(wire.bytes.get() + len as u64);
            }
            // The frame is lost on the way, as frames may be.
            Err(_) => wire.full.set(true),
        }
        match (result, f) {
            (Some(result), _) => result,
            (None, Some(f)) => f(&mut vec![0; len]),
            (None, None) => unreachable!("the frame's writer ran without a result"),
        }
    }
}

impl<'w> Device for Wire<'w> {
    type RxToken<'a>
        = Rx<'w>
    where
        Self: 'a;
    type TxToken<'a>
        = Tx<'a, 'w>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let frame = self.frame.take()?;
        Some((Rx(frame), Tx(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        if in_driver(|| self.nic.room()) {
            Some(Tx(self))
        } else {
            self.full.set(true);
            None
        }
    }

    fn capabilities(&self) -> DeviceCapabilities {
        capabilities(self.longest)
    }
}
