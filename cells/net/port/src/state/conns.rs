//! The connections: a table by number, and a hash index by addresses.
//!
//! Both are vectors, so that nothing points into code. The index chains
//! through the table (`next`); its size is a power of two and doubles with the
//! table.

use crate::{NetError, Signal, StreamId};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::Socket;
use smoltcp::wire::{IpAddress, IpEndpoint};

const NONE: u32 = u32::MAX;

/// The two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// This end.
    pub local: IpEndpoint,
    /// The other end.
    pub peer: IpEndpoint,
}

/// Where a connection stands with its user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The peer has asked; the listener's index.
    Handshake(u32),
    /// Waits to be accepted; the listener's index.
    Backlog(u32),
    /// Somebody owns it.
    Owned,
    /// Given up by its owner, on its way out.
    Orphan,
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    /// Its number, with the index in the table in the lower half.
    pub id: StreamId,
    /// Its ends.
    pub flow: Flow,
    /// The socket, alone in its set.
    pub set: SocketSet<'static>,
    /// The socket's place in the set.
    pub handle: SocketHandle,
    /// Where it stands.
    pub phase: Phase,
    /// Events.
    pub signal: Arc<Signal>,
    /// Somebody waits for bytes or the end.
    pub wants_data: bool,
    /// Somebody waits for room.
    pub wants_room: bool,
    /// In the list of connections that this round has touched.
    pub dirty: bool,
    /// It wanted to send and could not: no buffer, or no hardware address yet.
    pub stuck: bool,
    /// Its sending half is to end when what was written is sent.
    pub ending: bool,
    /// How it ended, if not in good order.
    pub ended: Option<NetError>,
    /// When to stop caring for it (µs): an unfinished handshake, an orphan.
    pub give_up: Option<i64>,
    /// Its entry in the timers (µs).
    pub timer: Option<i64>,
    next: u32,
}

impl Conn {
    /// The socket.
    #[inline]
    #[must_use]
    pub fn socket(&mut self) -> &mut Socket<'static> {
        self.set.get_mut(self.handle)
    }

    /// The socket, to look at.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> &Socket<'static> {
        self.set.get(self.handle)
    }
}

/// All connections.
#[derive(Debug)]
pub struct Conns {
    table: Vec<Option<Conn>>,
    free: Vec<u32>,
    heads: Vec<u32>,
    serial: u32,
    seed: u64,
    count: usize,
}

impl Conns {
    /// No connections; `seed` makes the index's order unpredictable.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Conns {
            table: Vec::new(),
            free: Vec::new(),
            heads: vec![NONE; 64],
            serial: 1,
            seed: seed | 1,
            count: 0,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn bucket(&self, flow: &Flow) -> usize {
        let mix = |h: u64, v: u64| (h ^ v).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let address = |h: u64, a: &IpAddress| match a {
            IpAddress::Ipv4(a) => mix(h, u64::from(a.to_bits())),
            IpAddress::Ipv6(a) => {
                let bits = a.to_bits();
                mix(mix(h, bits as u64), (bits >> 64) as u64)
            }
        };
        let ports = u64::from(flow.local.port) << 16 | u64::from(flow.peer.port);
        let h = address(mix(self.seed, ports), &flow.peer.addr);
        // The local address is nearly always the same one.
        (h >> 32) as usize & (self.heads.len() - 1)
    }

    /// The index of the connection with these ends.
    #[must_use]
    pub fn find(&self, flow: &Flow) -> Option<u32> {
        let mut at = *self.heads.get(self.bucket(flow))?;
        while let Some(Some(conn)) = self.table.get(at as usize) {
            if conn.flow == *flow {
                return Some(at);
            }
            at = conn.next;
        }
        None
    }

    /// The connection at an index.
    #[inline]
    #[must_use]
    pub fn at(&mut self, index: u32) -> Option<&mut Conn> {
        self.table.get_mut(index as usize)?.as_mut()
    }

    /// The index of a connection, if it is still there.
    #[must_use]
    pub fn index(&self, id: StreamId) -> Option<u32> {
        let index = id.0 as u32;
        let conn = self.table.get(index as usize)?.as_ref()?;
        (conn.id == id).then_some(index)
    }

    /// All connections with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Conn)> {
        (0..)
            .zip(self.table.iter())
            .filter_map(|(i, c)| Some((i, c.as_ref()?)))
    }

    /// Enters a connection and tells its index.
    pub fn insert(&mut self, flow: Flow, phase: Phase, socket: Socket<'static>) -> u32 {
        if self.count >= self.heads.len() {
            self.grow();
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.table.push(None);
            (self.table.len() - 1) as u32
        });
        self.serial = self.serial.wrapping_add(1).max(1);
        let mut set = SocketSet::new(Vec::with_capacity(1));
        let handle = set.add(socket);
        let bucket = self.bucket(&flow);
        self.table[index as usize] = Some(Conn {
            id: StreamId(u64::from(self.serial) << 32 | u64::from(index)),
            flow,
            set,
            handle,
            phase,
            signal: Arc::new(Signal::new()),
            wants_data: false,
            wants_room: false,
            dirty: false,
            ending: false,
            stuck: false,
            ended: None,
            give_up: None,
            timer: None,
            next: self.heads[bucket],
        });
        self.heads[bucket] = index;
        self.count += 1;
        index
    }

    /// Takes a connection out.
    pub fn remove(&mut self, index: u32) -> Option<Conn> {
        let conn = self.table.get_mut(index as usize)?.take()?;
        let bucket = self.bucket(&conn.flow);
        if self.heads[bucket] == index {
            self.heads[bucket] = conn.next;
        } else {
            let mut at = self.heads[bucket];
            while let Some(Some(before)) = self.table.get_mut(at as usize) {
                if before.next == index {
                    before.next = conn.next;
                    break;
                }
                at = before.next;
            }
        }
        self.free.push(index);
        self.count -= 1;
        Some(conn)
    }

    fn grow(&mut self) {
        self.heads = vec![NONE; self.heads.len() * 2];
        for index in 0..self.table.len() {
            let Some(flow) = self.table[index].as_ref().map(|c| c.flow) else {
                continue;
            };
            let bucket = self.bucket(&flow);
            if let Some(conn) = self.table[index].as_mut() {
                conn.next = core::mem::replace(&mut self.heads[bucket], index as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::socket::tcp::SocketBuffer;

    fn flow(port: u16) -> Flow {
        Flow {
            local: IpEndpoint::new(IpAddress::v4(10, 0, 0, 1), 5432),
            peer: IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), port),
        }
    }

    #[test]
    fn connections_are_found_until_removed_and_numbers_are_not_used_again() {
        let mut conns = Conns::new(7);
        let socket = || Socket::new(SocketBuffer::new(vec![0; 4]), SocketBuffer::new(vec![0; 4]));
        let mut ids = Vec::new();
        for round in 0..3u16 {
            for port in 0..500 {
                let at = conns.insert(flow(port), Phase::Owned, socket());
                assert_eq!(conns.find(&flow(port)), Some(at));
                ids.push(conns.at(at).unwrap().id);
            }
            assert_eq!(conns.len(), 500);
            for port in (0..500).filter(|p| p % 2 == round % 2).chain(0..500) {
                if let Some(at) = conns.find(&flow(port)) {
                    conns.remove(at).unwrap();
                }
                assert_eq!(conns.find(&flow(port)), None);
            }
            assert!(conns.is_empty());
        }
        assert!(ids.iter().all(|id| conns.index(*id).is_none()));
        ids.sort_by_key(|id| id.0);
        ids.dedup();
        assert_eq!(ids.len(), 1500);
    }
}
