//! Where a received frame belongs: to a connection, to a listener, or to the
//! interface itself.
//!
//! `smoltcp` checks every frame thoroughly; what is read here is only as much
//! as it takes to choose the socket it is shown. A frame that is read wrongly
//! is shown to the wrong socket, which does not accept it.

use crate::checksum;
use crate::wire::Wire;
use alloc::vec;
use net_port::state::{Flow, Phase, Stack};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpEndpoint, IpProtocol, Ipv4Packet, Ipv6Packet,
    TcpPacket,
};

/// How long a handshake may take.
const HANDSHAKE_US: i64 = 20_000_000;
/// How often an idle peer is asked whether it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a peer may be silent when it should answer.
const SILENCE: Duration = Duration::from_secs(100);

/// What is seen of a TCP frame.
struct Glance {
    flow: Flow,
    /// The first frame of a connection.
    opens: bool,
}

/// The ends of a TCP frame; `None` for all other frames.
fn glance(frame: &[u8]) -> Option<Glance> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let (peer, local, segment): (IpAddress, IpAddress, &[u8]) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let packet = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
            let whole = packet.frag_offset() == 0 && !packet.more_frags();
            if packet.next_header() != IpProtocol::Tcp || !whole {
                return None;
            }
            let ends = (packet.src_addr().into(), packet.dst_addr().into());
            (ends.0, ends.1, packet.payload())
        }
        EthernetProtocol::Ipv6 => {
            let packet = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
            if packet.next_header() != IpProtocol::Tcp {
                return None;
            }
            let ends = (packet.src_addr().into(), packet.dst_addr().into());
            (ends.0, ends.1, packet.payload())
        }
        _ => return None,
    };
    let tcp = TcpPacket::new_checked(segment).ok()?;
    Some(Glance {
        flow: Flow {
            local: IpEndpoint::new(local, tcp.dst_port()),
            peer: IpEndpoint::new(peer, tcp.src_port()),
        },
        opens: tcp.syn() && !tcp.ack() && !tcp.rst(),
    })
}

/// Takes one frame. Touched connections are noted in `stack.dirty`.
pub(crate) fn frame(stack: &mut Stack, wire: &Wire<'_>, now: Instant, bytes: &[u8]) {
    stack.counters.frames_in += 1;
    stack.counters.bytes_in += bytes.len() as u64;
    if !checksum::is_right(bytes) {
        return;
    }
    let mut one = wire.with_frame(bytes);
    let glance = glance(bytes);
    let found = glance.as_ref().and_then(|g| stack.conns.find(&g.flow));
    if let Some(at) = found {
        show(stack, &mut one, now, at);
        crate::conn::touch(stack, at);
    } else if let Some(flow) = glance.filter(|g| g.opens).map(|g| g.flow)
        && let Some(listener) = listener(stack, &flow)
    {
        open(stack, &mut one, now, flow, listener);
    } else {
        // ARP, ICMP, DHCP; and TCP for nobody, which is answered with a reset.
        crate::autoconf::overhear(stack, bytes, now);
        stack
            .interface
            .poll_ingress_single(now, &mut one, &mut stack.system);
        stack.system_due = i64::MIN;
    }
    wire.absorb(&one);
}

/// Shows a connection its frame.
fn show(stack: &mut Stack, one: &mut Wire<'_>, now: Instant, at: u32) {
    stack.busy = Some(at);
    if let Some(conn) = stack.conns.at(at) {
        stack.interface.poll_ingress_single(now, one, &mut conn.set);
    }
    stack.busy = None;
}

/// The listener for a new connection.
fn listener(stack: &Stack, flow: &Flow) -> Option<u32> {
    if !stack.interface.has_ip_addr(flow.local.addr) {
        return None;
    }
    let ours: core::net::IpAddr = flow.local.addr.into();
    let at = stack.listeners.iter().position(|l| {
        l.as_ref().is_some_and(|l| {
            l.options.port == flow.local.port && l.options.address.is_none_or(|a| a == ours)
        })
    })?;
    u32::try_from(at).ok()
}

/// Begins a handshake: a listening socket is made for this frame alone.
fn open(stack: &mut Stack, one: &mut Wire<'_>, now: Instant, flow: Flow, listener: u32) {
    let Some(Some(l)) = stack.listeners.get_mut(listener as usize) else {
        return;
    };
    let backlog = l.options.backlog.max(1);
    if l.half_open >= backlog || l.ready.len() >= backlog {
        stack.counters.refused += 1;
        return;
    }
    let mut socket = Socket::new(
        SocketBuffer::new(vec![0; l.options.receive_buffer]),
        SocketBuffer::new(vec![0; l.options.send_buffer]),
    );
    socket.set_nagle_enabled(false);
    socket.set_keep_alive(Some(KEEP_ALIVE));
    socket.set_timeout(Some(SILENCE));
    socket.set_congestion_control(CongestionControl::Reno);
    if socket.listen((flow.local.addr, flow.local.port)).is_err() {
        return;
    }
    l.half_open += 1;
    let at = stack.conns.insert(flow, Phase::Handshake(listener), socket);
    show(stack, one, now, at);
    match stack.conns.at(at) {
        Some(conn) if conn.peek().state() != State::Listen => {
            conn.give_up = Some(now.total_micros() + HANDSHAKE_US);
            crate::conn::touch(stack, at);
        }
        // It was no proper first frame.
        _ => crate::conn::remove(stack, at),
    }
}
