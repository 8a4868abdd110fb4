//! The checksums of IPv4 headers and TCP segments (RFC 1071), taken eight bytes at
//! a time. `smoltcp` takes two, several times for each segment; it is told to leave
//! these two to us, and does those of all other protocols itself.

use smoltcp::phy::{Checksum, ChecksumCapabilities};

/// Bytes of an Ethernet header, and of the fixed part of an IPv4 and IPv6 one.
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Ethernet's numbers of the two.
const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Where the checksums are: in an IPv4 header, in a TCP header.
const IPV4_SUM: usize = 10;
const TCP_SUM: usize = 16;
/// The protocol number of TCP.
const TCP: u8 = 6;

/// What is left to `smoltcp`.
pub(crate) fn others() -> ChecksumCapabilities {
    let mut others = ChecksumCapabilities::default();
    others.ipv4 = Checksum::None;
    others.tcp = Checksum::None;
    others
}

/// The sum of 16-bit words, in the byte order of the machine; carries are not yet
/// folded in. A last odd byte counts as the first of its word.
#[inline]
fn sum(mut sum: u64, bytes: &[u8]) -> u64 {
    let mut add = |word: u64| {
        let (total, carry) = sum.overflowing_add(word);
        sum = total + u64::from(carry);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        add(u64::from_ne_bytes(*word));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        add(u64::from_ne_bytes(last));
    }
    sum
}

/// Folds the carries in.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    sum as u16
}

/// What of a frame has such checksums.
struct Parts {
    /// The IPv4 header.
    header: Option<core::ops::Range<usize>>,
    /// The TCP segment.
    segment: Option<core::ops::Range<usize>>,
    /// The sum of what TCP adds of the header below: addresses, number, length.
    pseudo: u64,
}

/// Finds them; none in a frame of another kind, or where the lengths make no sense,
/// which `smoltcp` finds out as well.
fn parts(frame: &[u8]) -> Option<Parts> {
    let (kind, ip) = (frame.get(12..ETHERNET)?, frame.get(ETHERNET..)?);
    let (header, addresses, total, protocol) = if kind == TYPE_IPV4 {
        let fixed: &[u8; IPV4] = ip.first_chunk()?;
        let header = usize::from(fixed[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        // A piece of a segment has no checksum of its own.
        let whole = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x3FFF == 0;
        let protocol = if whole { fixed[9] } else { 0 };
        (header, 12..20, total, protocol)
    } else if kind == TYPE_IPV6 {
        let fixed: &[u8; IPV6] = ip.first_chunk()?;
        let payload = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        (IPV6, 8..40, IPV6 + payload, fixed[6])
    } else {
        return None;
    };
    if header < IPV4 || header > total || total > ip.len() {
        return None;
    }
    let len = total - header;
    let tcp = protocol == TCP && len >= TCP_SUM + 2;
    let start = ETHERNET + header;
    Some(Parts {
        header: (kind == TYPE_IPV4).then_some(ETHERNET..start),
        segment: tcp.then_some(start..start + len),
        pseudo: sum(
            u64::from(u16::from(TCP).to_be()) + u64::from((len as u16).to_be()),
            &ip[addresses],
        ),
    })
}

/// Whether the checksums of a received frame are right, where it has them.
pub(crate) fn is_right(frame: &[u8]) -> bool {
    let Some(parts) = parts(frame) else {
        return true;
    };
    let right = |start: u64, range: Option<core::ops::Range<usize>>| {
        range.is_none_or(|r| fold(sum(start, &frame[r])) == 0xFFFF)
    };
    right(0, parts.header) && right(parts.pseudo, parts.segment)
}

/// Writes the checksums of a frame to be sent, where it has them.
pub(crate) fn fill_in(frame: &mut [u8]) {
    let Some(parts) = parts(frame) else {
        return;
    };
    let mut fill = |start: u64, range: Option<core::ops::Range<usize>>, at: usize| {
        if let Some(range) = range {
            let at = range.start + at;
            frame[at..at + 2].fill(0);
            let checksum = !fold(sum(start, &frame[range]));
            frame[at..at + 2].copy_from_slice(&checksum.to_ne_bytes());
        }
    };
    fill(0, parts.header, IPV4_SUM);
    fill(parts.pseudo, parts.segment, TCP_SUM);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use smoltcp::wire::{
        IpAddress, IpProtocol, Ipv4Address, Ipv4Packet, Ipv6Address, Ipv6Packet, TcpPacket,
    };

    fn payload(len: usize, seed: u8) -> impl Iterator<Item = u8> {
        (0..len).map(move |i| (i as u8).wrapping_mul(seed) ^ 0xA5)
    }

    /// A frame with a segment of `len` bytes, whose checksums `smoltcp` has made,
    /// or with none.
    fn frame(six: bool, len: usize, filled: bool) -> Vec<u8> {
        let header = if six { IPV6 } else { IPV4 };
        let mut frame = vec![0; ETHERNET + header];
        frame.extend(payload(20 + len, len as u8 | 1));
        frame[12..14].copy_from_slice(if six { &TYPE_IPV6 } else { &TYPE_IPV4 });
        let ends: (IpAddress, IpAddress) = if six {
            let mut ip = Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]);
            let ends = (
                Ipv6Address::new(0xfe80, 0, 0, 0, 1, 0xffff, 3, 4),
                Ipv6Address::new(0xfd00, 9, 0, 0, 0, 0, 0, 0xabcd),
            );
            ip.set_version(6);
            ip.set_payload_len((20 + len) as u16);
            ip.set_next_header(IpProtocol::Tcp);
            ip.set_src_addr(ends.0);
            ip.set_dst_addr(ends.1);
            (ends.0.into(), ends.1.into())
        } else {
            let mut ip = Ipv4Packet::new_unchecked(&mut frame[ETHERNET..]);
            let ends = (
                Ipv4Address::new(10, 0, 2, 2),
                Ipv4Address::new(255, 254, 2, 15),
            );
            ip.set_version(4);
            ip.set_header_len(20);
            ip.set_total_len((40 + len) as u16);
            ip.set_hop_limit(64);
            ip.set_next_header(IpProtocol::Tcp);
            ip.set_src_addr(ends.0);
            ip.set_dst_addr(ends.1);
            if filled {
                ip.fill_checksum();
            }
            (ends.0.into(), ends.1.into())
        };
        let mut tcp = TcpPacket::new_unchecked(&mut frame[ETHERNET + header..]);
        tcp.set_header_len(20);
        tcp.set_checksum(0);
        if filled {
            tcp.fill_checksum(&ends.0, &ends.1);
        }
        frame
    }

    #[test]
    fn checksums_are_those_of_smoltcp() {
        for six in [false, true] {
            for len in (0..70).chain([1_000, 1_459, 1_460]) {
                let right = frame(six, len, true);
                assert!(is_right(&right), "{six} {len}");
                let mut ours = frame(six, len, false);
                fill_in(&mut ours);
                assert_eq!(ours, right, "{six} {len}");
            }
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        for six in [false, true] {
            let right = frame(six, 33, true);
            // Not the fields that say what the frame is, nor (IPv6) those that no
            // checksum covers.
            let from = ETHERNET + if six { IPV6 } else { IPV4 };
            for bit in from * 8..right.len() * 8 {
                let mut wrong = right.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_right(&wrong), "{six} {bit}");
            }
        }
        let mut wrong = frame(false, 33, true);
        wrong[ETHERNET + 8] ^= 1;
        assert!(!is_right(&wrong), "the IPv4 header");
    }

    #[test]
    fn frames_of_no_sense_are_left_to_others() {
        let right = frame(false, 33, true);
        for len in 0..right.len() {
            let mut cut = right[..len].to_vec();
            assert!(is_right(&cut));
            fill_in(&mut cut);
        }
        for kind in [0u16, 0x0806, 0x0800, 0x86dd] {
            for byte in 0..=255 {
                let mut odd = vec![byte; 60];
                odd[12..14].copy_from_slice(&kind.to_be_bytes());
                let _ = is_right(&odd);
                fill_in(&mut odd);
            }
        }
    }
}
