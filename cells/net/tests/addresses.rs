//! How the interface gets its addresses: a DHCP server and an IPv6 router at
//! the other end of the cable.

use host_net::fake::{self, cable};
use net_port::{NET, NetStatus};
use port::Options;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Duration as NetDuration;
use smoltcp::wire::{
    DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, Ipv6Address,
    Ipv6Packet, Ipv6Repr, NdiscPrefixInfoFlags, NdiscPrefixInformation, NdiscRepr,
    NdiscRouterFlags, UdpPacket, UdpRepr,
};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const LEASED: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const PREFIX: Ipv6Address = Ipv6Address::new(0xfec0, 0, 0, 0, 0, 0, 0, 0);
const OTHER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 9, 9]);

fn ethernet(to: EthernetAddress, kind: EthernetProtocol, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; 14 + len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    frame.set_src_addr(OTHER);
    frame.set_dst_addr(to);
    frame.set_ethertype(kind);
    bytes
}

/// The DHCP server's answer to a frame, if that is a question for it.
fn dhcp(frame: &[u8]) -> Option<(DhcpMessageType, Vec<u8>)> {
    let checks = ChecksumCapabilities::default();
    let ethernet_frame = EthernetFrame::new_checked(frame).ok()?;
    if ethernet_frame.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let ip = Ipv4Packet::new_checked(ethernet_frame.payload()).ok()?;
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    if ip.next_header() != IpProtocol::Udp || udp.dst_port() != 67 {
        return None;
    }
    let packet = DhcpPacket::new_checked(udp.payload()).ok()?;
    let asked = DhcpRepr::parse(&packet).ok()?;
    let answer = DhcpRepr {
        message_type: match asked.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            _ => DhcpMessageType::Ack,
        },
        your_ip: LEASED,
        server_ip: SERVER,
        server_identifier: Some(SERVER),
        router: Some(SERVER),
        subnet_mask: Some(Ipv4Address::new(255, 255, 255, 0)),
        lease_duration: Some(600),
        requested_ip: None,
        parameter_request_list: None,
        max_size: None,
        ..asked.clone()
    };
    let ip = Ipv4Repr {
        src_addr: SERVER,
        dst_addr: Ipv4Address::BROADCAST,
        next_header: IpProtocol::Udp,
        payload_len: 8 + answer.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = ethernet(
        EthernetAddress::BROADCAST,
        EthernetProtocol::Ipv4,
        20 + ip.payload_len,
    );
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[14..]);
    ip.emit(&mut packet, &checks);
    let udp = UdpRepr {
        src_port: 67,
        dst_port: 68,
    };
    udp.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &SERVER.into(),
        &Ipv4Address::BROADCAST.into(),
        answer.buffer_len(),
        |bytes| {
            answer.emit(&mut DhcpPacket::new_unchecked(bytes)).unwrap();
        },
        &checks,
    );
    Some((asked.message_type, bytes))
}

/// Whether a frame asks for routers.
fn solicits(frame: &[u8]) -> bool {
    let ask = || {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        let ip = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
        let icmp = Icmpv6Packet::new_checked(ip.payload()).ok()?;
        let (from, to) = (ip.src_addr(), ip.dst_addr());
        Icmpv6Repr::parse(&from, &to, &icmp, &ChecksumCapabilities::default()).ok()
    };
    matches!(
        ask(),
        Some(Icmpv6Repr::Ndisc(NdiscRepr::RouterSolicit { .. }))
    )
}

/// The router's advertisement, valid for `seconds`.
fn advertisement(seconds: u64) -> Vec<u8> {
    let lifetime = NetDuration::from_secs(seconds);
    let message = Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
        hop_limit: 64,
        flags: NdiscRouterFlags::empty(),
        router_lifetime: lifetime,
        reachable_time: NetDuration::ZERO,
        retrans_time: NetDuration::ZERO,
        lladdr: None,
        mtu: None,
        prefix_info: Some(NdiscPrefixInformation {
            prefix_len: 64,
            flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
            valid_lifetime: lifetime,
            preferred_lifetime: lifetime,
            prefix: PREFIX,
        }),
    });
    let all = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let ip = Ipv6Repr {
        src_addr: ROUTER,
        dst_addr: all,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        hop_limit: 255,
    };
    let mut bytes = ethernet(
        EthernetAddress([0x33, 0x33, 0, 0, 0, 1]),
        EthernetProtocol::Ipv6,
        40 + ip.payload_len,
    );
    let mut packet = Ipv6Packet::new_unchecked(&mut bytes[14..]);
    ip.emit(&mut packet);
    let mut icmp = Icmpv6Packet::new_unchecked(packet.payload_mut());
    message.emit(&ROUTER, &all, &mut icmp, &ChecksumCapabilities::default());
    bytes
}

/// Hands frames to `each` until the status is as wanted.
fn until(mut each: impl FnMut(Vec<u8>), wanted: impl Fn(&NetStatus) -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        cable().wait(Duration::from_millis(1));
        while let Some(frame) = cable().take() {
            each(frame);
        }
        let status = NET.enter().unwrap().status();
        if wanted(&status) {
            return;
        }
        assert!(Instant::now() < end, "{status:?}");
    }
}

fn has(status: &NetStatus, address: impl Into<IpAddr>) -> bool {
    let address = address.into();
    status.addresses.iter().any(|(a, _)| *a == address)
}

#[test]
fn addresses_come_from_servers_and_routers_and_expire() {
    let options = Options::parse("");
    port::start(&fake::CELL, &options).unwrap();
    port::start(&net::CELL, &options).unwrap();
    net_port::start().unwrap();
    let mut asked = Vec::new();
    let mut solicited = 0;
    let own = Ipv6Address::new(0xfec0, 0, 0, 0, 0, 0xff, 0xfe00, 1);
    until(
        |frame| {
            if let Some((question, answer)) = dhcp(&frame) {
                asked.push(question);
                cable().send(answer);
            }
            if solicits(&frame) {
                solicited += 1;
                cable().send(advertisement(2));
            }
        },
        |s| has(s, LEASED) && has(s, own) && s.gateway == Some(SERVER.into()),
    );
    assert_eq!(asked, [DhcpMessageType::Discover, DhcpMessageType::Request]);
    assert_eq!(solicited, 1);
    let link_local = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
    assert!(has(&NET.enter().unwrap().status(), link_local));
    // The router is not heard of again: what it advertised expires, and the
    // rest stays.
    until(|_| {}, |s| !has(s, own));
    let status = NET.enter().unwrap().status();
    assert!(has(&status, LEASED) && has(&status, link_local));
}
