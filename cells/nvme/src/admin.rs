//! Admin commands, one at a time, and the pages they answer with. Layouts: NVM
//! Express Base 1.4, section 5.

use crate::ring;
use alloc::string::String;
use memory::DeviceMemory;
use nvme_port::{Admin, DmaWords};

const CREATE_SUBMISSION: u64 = 0x01;
const CREATE_COMPLETION: u64 = 0x05;
const IDENTIFY: u64 = 0x06;
const SET_FEATURES: u64 = 0x09;
const NUMBER_OF_QUEUES: u64 = 0x07;

/// Physically contiguous.
const CONTIGUOUS: u64 = 1;
/// Completions interrupt.
const INTERRUPTS: u64 = 1 << 1;

/// What Identify is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    /// A namespace.
    Namespace = 0,
    /// The controller.
    Controller = 1,
    /// Which namespaces there are.
    Active = 2,
}

/// An entry without its command number.
pub(crate) type Entry = [u64; 8];

pub(crate) fn identify(about: About, namespace: u32, page: u64) -> Entry {
    let mut entry = [0; 8];
    entry[0] = IDENTIFY | u64::from(namespace) << 32;
    entry[3] = page;
    entry[5] = about as u64;
    entry
}

pub(crate) fn set_queue_count(count: u16) -> Entry {
    let zero_based = u64::from(count.max(1) - 1);
    let mut entry = [0; 8];
    entry[0] = SET_FEATURES;
    entry[5] = NUMBER_OF_QUEUES | (zero_based << 16 | zero_based) << 32;
    entry
}

pub(crate) fn create_completion(id: u16, depth: u16, vector: u16, memory: u64) -> Entry {
    let mut entry = [0; 8];
    entry[0] = CREATE_COMPLETION;
    entry[3] = memory;
    let flags = u64::from(vector) << 16 | INTERRUPTS | CONTIGUOUS;
    entry[5] = u64::from(depth - 1) << 16 | u64::from(id) | flags << 32;
    entry
}

pub(crate) fn create_submission(id: u16, depth: u16, memory: u64) -> Entry {
    let mut entry = [0; 8];
    entry[0] = CREATE_SUBMISSION;
    entry[3] = memory;
    // Answered in the completion queue of the same number.
    let flags = u64::from(id) << 16 | CONTIGUOUS;
    entry[5] = u64::from(depth - 1) << 16 | u64::from(id) | flags << 32;
    entry
}

/// How an admin command stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// The device has it.
    Pending,
    /// Done; its result word.
    Done(u32),
    /// Failed; its status.
    Refused(u16),
}

/// Hands `entry` to the device, or looks for the answer if that has happened.
pub(crate) fn exchange(
    registers: &DeviceMemory,
    stride: usize,
    admin: &mut Admin,
    mut entry: Entry,
) -> Answer {
    let Some(pending) = admin.pending else {
        let id = admin.next_id;
        admin.next_id = id.wrapping_add(1);
        admin.pending = Some(id);
        entry[0] |= u64::from(id) << 16;
        ring::put(&mut admin.ring, &entry);
        ring::ring_tail(registers, stride, 0, &admin.ring);
        return Answer::Pending;
    };
    let mut answer = Answer::Pending;
    while let Some(reply) = ring::next(&mut admin.ring) {
        ring::ring_head(registers, stride, 0, &admin.ring);
        if reply.id == pending {
            admin.pending = None;
            answer = match reply.status {
                0 => Answer::Done(reply.result),
                status => Answer::Refused(status),
            };
        }
    }
    answer
}

fn byte(page: &DmaWords, at: usize) -> u8 {
    page.read32(at & !3).to_le_bytes()[at & 3]
}

/// The text of `len` bytes at `at`, without the blanks that fill it.
fn text(page: &DmaWords, at: usize, len: usize) -> String {
    let printable = |b: &u8| (0x20..0x7f).contains(b);
    let all: String = (at..at + len)
        .map(|i| byte(page, i))
        .filter(printable)
        .map(char::from)
        .collect();
    String::from(all.trim())
}

/// What Identify says of a controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ControllerPage {
    /// Model, serial number, firmware.
    pub(crate) name: String,
    /// The longest transfer in units of the smallest page, as a power of two;
    /// 0 when there is no limit.
    pub(crate) transfer_shift: u8,
    /// Whether it has a cache that loses its content with the power.
    pub(crate) volatile_cache: bool,
}

pub(crate) fn read_controller(page: &DmaWords) -> ControllerPage {
    let parts = [text(page, 24, 40), text(page, 4, 20), text(page, 64, 8)];
    ControllerPage {
        name: parts.join(" "),
        transfer_shift: byte(page, 77),
        volatile_cache: byte(page, 525) & 1 != 0,
    }
}

/// What Identify says of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NamespacePage {
    /// Its blocks; 0 when it is not active.
    pub(crate) blocks: u64,
    /// Bytes of a block as a power of two.
    pub(crate) block_shift: u32,
    /// Bytes of metadata beside each block.
    pub(crate) metadata: u16,
}

pub(crate) fn read_namespace(page: &DmaWords) -> NamespacePage {
    let format = page.read32(128 + 4 * usize::from(byte(page, 26) & 0xf));
    NamespacePage {
        blocks: u64::from(page.read32(4)) << 32 | u64::from(page.read32(0)),
        block_shift: format >> 16 & 0xff,
        metadata: format as u16,
    }
}

/// The first of a list of active namespaces, if there is one.
pub(crate) fn read_first_active(page: &DmaWords) -> Option<u32> {
    Some(page.read32(0)).filter(|id| *id != 0)
}
