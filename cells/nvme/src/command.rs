//! A command as the device reads it: 64 bytes, and a list of page addresses for
//! longer transfers.
//!
//! Memory is named by pages of 4 KiB (PRP): the first address may lie inside a
//! page, all others are page starts. Up to two stand in the entry, more in a
//! list of which there is one per command number.

use memory::PAGE_SIZE;
use nvme_port::{BAD_REQUEST, Command, DmaWords, Facts, OK, Op, Request};
use sync::Outcome;

const FLUSH: u64 = 0x00;
const WRITE: u64 = 0x01;
const READ: u64 = 0x02;
/// Force unit access, in command word 12.
const DURABLE: u64 = 1 << 30;

/// Whether the device can be asked that.
#[inline]
pub(crate) fn check(request: &Request, facts: &Facts) -> Result<(), Outcome> {
    let Some(data) = &request.data else {
        return if request.op == Op::Flush {
            Ok(())
        } else {
            Err(BAD_REQUEST)
        };
    };
    let geometry = &facts.geometry;
    let len = data.len() as u64;
    let whole = (request.offset | len) & u64::from(geometry.block_size - 1) == 0;
    let end = request.offset.checked_add(len);
    let inside = end.is_some_and(|end| end <= geometry.capacity);
    let size = len != 0 && len <= u64::from(geometry.max_transfer);
    // The device wants addresses in units of four bytes.
    match request.op != Op::Flush && whole && inside && size && data.physical() & 3 == 0 {
        true => Ok(()),
        false => Err(BAD_REQUEST),
    }
}

/// Whether `next` can be one command with `last`, the one before it: it goes on
/// where that ends, on the device, and by pages, in memory.
#[inline]
pub(crate) fn adjoins(last: &Request, next: &Request) -> bool {
    let (Some(a), Some(b)) = (&last.data, &next.data) else {
        return false;
    };
    let page = PAGE_SIZE as u64 - 1;
    last.op == next.op
        && last.offset.checked_add(a.len() as u64) == Some(next.offset)
        && (a.physical() + a.len() as u64) & page == 0
        && b.physical() & page == 0
}

/// The entry for command `id`, its list written to `lists`. The error is the
/// outcome of a command that the device need not be asked.
#[inline]
pub(crate) fn build(
    command: &Command,
    id: u16,
    facts: &Facts,
    lists: &mut DmaWords,
) -> Result<[u64; 8], Outcome> {
    let request = &command.first.request;
    check(request, facts)?;
    let (opcode, flags) = match request.op {
        Op::Read => (READ, 0),
        Op::Write => (WRITE, 0),
        Op::WriteDurable if facts.geometry.volatile_cache => (WRITE, DURABLE),
        Op::WriteDurable => (WRITE, 0),
        Op::Flush if facts.geometry.volatile_cache => (FLUSH, 0),
        // What has completed is durable already.
        Op::Flush => return Err(OK),
    };
    let mut entry = [0; 8];
    entry[0] = opcode | u64::from(id) << 16 | u64::from(facts.namespace) << 32;
    if request.op != Op::Flush {
        let list = usize::from(id) * facts.list_bytes;
        let bytes = pages(command, list, lists, &mut entry);
        entry[5] = request.offset >> facts.block_shift;
        entry[6] = ((bytes >> facts.block_shift) - 1) | flags;
    }
    Ok(entry)
}

/// Names the memory of `command` in `entry`, and in the list at `list` when that
/// takes more than two addresses. Gives the bytes.
#[inline]
fn pages(command: &Command, list: usize, lists: &mut DmaWords, entry: &mut [u64; 8]) -> u64 {
    let Some(data) = &command.first.request.data else {
        return 0;
    };
    let at = data.physical();
    let bytes = data.len() as u64;
    let second = next_page(at);
    if command.more.is_empty() && at + bytes <= next_page(second) {
        entry[3] = at;
        entry[4] = if at + bytes > second { second } else { 0 };
        return bytes;
    }
    listed(command, list, lists, entry)
}

/// The start of the page after the one of `at`.
#[inline]
fn next_page(at: u64) -> u64 {
    (at & !(PAGE_SIZE as u64 - 1)) + PAGE_SIZE as u64
}

/// The general case of [`pages`].
fn listed(command: &Command, list: usize, lists: &mut DmaWords, entry: &mut [u64; 8]) -> u64 {
    let mut count = 0;
    let mut bytes = 0;
    for data in command.jobs().filter_map(|j| j.request.data.as_ref()) {
        let mut at = data.physical();
        let end = at + data.len() as u64;
        bytes += data.len() as u64;
        while at < end {
            match count {
                0 => entry[3] = at,
                _ => {
                    // The second address stands in the list too, for the case
                    // that there is a third.
                    lists.write64(list + 8 * (count - 1), at);
                    entry[4] = at;
                }
            }
            count += 1;
            at = next_page(at);
        }
    }
    if count > 2 {
        entry[4] = lists.physical() + list as u64;
    }
    bytes
}
