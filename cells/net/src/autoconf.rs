//! IPv6 addresses and routers from the routers' advertisements (RFC 4862, RFC
//! 4861 section 6.3).
//!
//! `smoltcp` has this too, but mixes its deadlines into those of every socket
//! set (`Interface::poll_at` takes the lesser of two `Option`s, and `None` is
//! the least), so that a timer of ours would be lost. One prefix and one
//! router are kept, which is what an interface with a single link needs.
//! Duplicate addresses are not looked for.

use crate::address::{add6, interface_id};
use crate::wire::Wire;
use net_port::state::{Autoconf, Stack};
use smoltcp::phy::{ChecksumCapabilities, Device, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, Icmpv6Packet, Icmpv6Repr,
    IpCidr, IpProtocol, Ipv6Address, Ipv6Cidr, Ipv6Packet, Ipv6Repr, NdiscRepr,
};

/// How often routers are asked for, and how long apart.
const SOLICITATIONS: u8 = 3;
const INTERVAL_US: i64 = 4_000_000;
/// All routers of the link.
const ROUTERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Neighbour discovery is valid with this hop limit only: no router passed it.
const LINK_HOPS: u8 = 255;

/// Autoconfiguration that begins now.
pub(crate) fn begin(now: Instant) -> Autoconf {
    Autoconf {
        enabled: true,
        solicitations: SOLICITATIONS,
        solicit_at: now.total_micros(),
        ..Autoconf::default()
    }
}

/// Looks for an advertisement in a frame that belongs to no connection.
pub(crate) fn overhear(stack: &mut Stack, frame: &[u8], now: Instant) {
    if stack.autoconf.enabled
        && let Some((router, advert)) = advertisement(frame)
    {
        obey(stack, router, &advert, now.total_micros());
    }
}

/// The router and its advertisement, if the frame is one.
fn advertisement(frame: &[u8]) -> Option<(Ipv6Address, NdiscRepr<'_>)> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Ipv6 {
        return None;
    }
    let ip = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
    let router = ip.src_addr();
    if ip.next_header() != IpProtocol::Icmpv6
        || ip.hop_limit() != LINK_HOPS
        || !router.is_unicast_link_local()
    {
        return None;
    }
    let icmp = Icmpv6Packet::new_checked(ip.payload()).ok()?;
    let checked = ChecksumCapabilities::default();
    match Icmpv6Repr::parse(&router, &ip.dst_addr(), &icmp, &checked).ok()? {
        Icmpv6Repr::Ndisc(advert @ NdiscRepr::RouterAdvert { .. }) => Some((router, advert)),
        _ => None,
    }
}

/// Does what an advertisement says.
fn obey(stack: &mut Stack, router: Ipv6Address, advert: &NdiscRepr<'_>, now: i64) {
    let NdiscRepr::RouterAdvert {
        router_lifetime,
        prefix_info,
        ..
    } = advert
    else {
        return;
    };
    let until = |d: smoltcp::time::Duration| {
        now.saturating_add(i64::try_from(d.total_micros()).unwrap_or(i64::MAX))
    };
    stack.autoconf.solicitations = 0;
    if router_lifetime.total_micros() > 0 {
        stack.autoconf.router = Some((router, until(*router_lifetime)));
        let _ = stack.interface.routes_mut().add_default_ipv6_route(router);
    } else if stack.autoconf.router.is_some_and(|(r, _)| r == router) {
        forget_router(stack);
    }
    let Some(prefix) = prefix_info else {
        return;
    };
    if !prefix.is_valid_prefix_info() || prefix.prefix_len != 64 || prefix.prefix.is_multicast() {
        return;
    }
    let HardwareAddress::Ethernet(mac) = stack.interface.hardware_addr();
    let cidr = Ipv6Cidr::new(interface_id(mac.0, prefix.prefix), 64);
    let valid = until(prefix.valid_lifetime);
    match stack.autoconf.address {
        Some((known, _)) if known == cidr => {}
        _ => {
            forget_address(stack);
            add6(stack, cidr);
        }
    }
    stack.autoconf.address = Some((cidr, valid));
}

fn forget_router(stack: &mut Stack) {
    stack.autoconf.router = None;
    stack.interface.routes_mut().remove_default_ipv6_route();
}

fn forget_address(stack: &mut Stack) {
    if let Some((cidr, _)) = stack.autoconf.address.take() {
        stack
            .interface
            .update_ip_addrs(|all| all.retain(|a| *a != IpCidr::Ipv6(cidr)));
    }
}

/// Asks for routers, and drops what has expired. Tells when to be called next
/// (µs).
pub(crate) fn attend(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant) -> i64 {
    if !stack.autoconf.enabled {
        return i64::MAX;
    }
    let micros = now.total_micros();
    if stack.autoconf.router.is_some_and(|(_, t)| t <= micros) {
        forget_router(stack);
    }
    if stack.autoconf.address.is_some_and(|(_, t)| t <= micros) {
        forget_address(stack);
    }
    if stack.autoconf.solicitations > 0 && stack.autoconf.solicit_at <= micros {
        stack.autoconf.solicitations -= 1;
        stack.autoconf.solicit_at = micros + INTERVAL_US;
        solicit(stack, wire, now);
    }
    let asking = (stack.autoconf.solicitations > 0).then_some(stack.autoconf.solicit_at);
    let expiry = [
        asking,
        stack.autoconf.router.map(|(_, t)| t),
        stack.autoconf.address.map(|(_, t)| t),
    ];
    expiry.into_iter().flatten().min().unwrap_or(i64::MAX)
}

/// Sends a router solicitation.
fn solicit(stack: &mut Stack, wire: &mut Wire<'_>, now: Instant) {
    let HardwareAddress::Ethernet(mac) = stack.interface.hardware_addr();
    let source = interface_id(mac.0, Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 0));
    let message = Icmpv6Repr::Ndisc(NdiscRepr::RouterSolicit {
        lladdr: Some(mac.into()),
    });
    let ip = Ipv6Repr {
        src_addr: source,
        dst_addr: ROUTERS,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        hop_limit: LINK_HOPS,
    };
    let Some(token) = wire.transmit(now) else {
        return;
    };
    let len = EthernetFrame::<&[u8]>::buffer_len(ip.buffer_len() + message.buffer_len());
    token.consume(len, |bytes| {
        let mut ethernet = EthernetFrame::new_unchecked(bytes);
        ethernet.set_src_addr(mac);
        ethernet.set_dst_addr(EthernetAddress([0x33, 0x33, 0, 0, 0, 2]));
        ethernet.set_ethertype(EthernetProtocol::Ipv6);
        let mut packet = Ipv6Packet::new_unchecked(ethernet.payload_mut());
        ip.emit(&mut packet);
        let mut icmp = Icmpv6Packet::new_unchecked(packet.payload_mut());
        message.emit(
            &source,
            &ROUTERS,
            &mut icmp,
            &ChecksumCapabilities::default(),
        );
    });
}
