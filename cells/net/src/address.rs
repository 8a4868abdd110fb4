//! How the interface gets its addresses: by option, by DHCP; and how its state
//! begins.
//!
//! | option | meaning |
//! |---|---|
//! | `ip=dhcp` (default), `ip=off` | ask for an IPv4 address; have none |
//! | `ip=10.0.2.15/24,10.0.2.2` | this address and router |
//! | `ip6=auto` (default), `ip6=off` | link-local and what routers advertise; nothing |
//! | `ip6=fd00::5/64,fd00::1` | link-local, this address and router |

use crate::wire;
use alloc::vec::Vec;
use core::fmt;
use net_port::Counters;
use net_port::state::{Address, Autoconf, Conns, Plan4, Plan6, Stack, Timers};
use port::Options;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities};
use smoltcp::socket::dhcpv4;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};
use virtio_net_port::Nic;

/// An option that could not be read, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadOption {
    Ip,
    Ip6,
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadOption::Ip => "ip: expected dhcp, off or ADDRESS/BITS[,ROUTER]",
            BadOption::Ip6 => "ip6: expected auto, off or ADDRESS/BITS[,ROUTER]",
        })
    }
}

/// `ADDRESS/BITS[,ROUTER]`.
fn parse<A: core::str::FromStr>(text: &str, most: u8) -> Option<(A, u8, Option<A>)> {
    let (cidr, gateway) = match text.split_once(',') {
        Some((cidr, gateway)) => (cidr, Some(gateway.parse().ok()?)),
        None => (text, None),
    };
    let (address, bits) = cidr.split_once('/')?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= most).then_some((address.parse().ok()?, bits, gateway))
}

/// The options.
///
/// # Errors
/// When one does not read, or names an address that no interface can have.
pub(crate) fn plans(options: &Options) -> Result<(Plan4, Plan6), BadOption> {
    let plan4 = match options.get("ip").unwrap_or("dhcp") {
        "dhcp" => Plan4::Dhcp,
        "off" => Plan4::Off,
        text => {
            let (address, bits, gateway) = parse::<Ipv4Address>(text, 32).ok_or(BadOption::Ip)?;
            if !usable4(address) {
                return Err(BadOption::Ip);
            }
            Plan4::Static(Address {
                cidr: Ipv4Cidr::new(address, bits),
                gateway,
            })
        }
    };
    let plan6 = match options.get("ip6").unwrap_or("auto") {
        "auto" => Plan6::Auto,
        "off" => Plan6::Off,
        text => {
            let (address, bits, gateway) = parse::<Ipv6Address>(text, 128).ok_or(BadOption::Ip6)?;
            if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
                return Err(BadOption::Ip6);
            }
            Plan6::Static(Address {
                cidr: Ipv6Cidr::new(address, bits),
                gateway,
            })
        }
    };
    Ok((plan4, plan6))
}

fn usable4(address: Ipv4Address) -> bool {
    !(address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_loopback())
}

/// A device that only tells what it can do; `smoltcp` asks once.
struct Shape(DeviceCapabilities);

impl Device for Shape {
    type RxToken<'a> = wire::Rx<'a>;
    type TxToken<'a> = wire::Tx<'a, 'a>;
    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        None
    }
    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        None
    }
    fn capabilities(&self) -> DeviceCapabilities {
        self.0.clone()
    }
}

/// The address every IPv6 interface makes for itself (RFC 4291, appendix A).
pub(crate) fn interface_id(mac: [u8; 6], prefix: Ipv6Address) -> Ipv6Address {
    let mut octets = prefix.octets();
    octets[8..].copy_from_slice(&[
        mac[0] ^ 2,
        mac[1],
        mac[2],
        0xff,
        0xfe,
        mac[3],
        mac[4],
        mac[5],
    ]);
    Ipv6Address::from(octets)
}

/// The state of a stack that begins.
pub(crate) fn stack(nic: &dyn Nic, plan4: Plan4, plan6: Plan6) -> Stack {
    let info = nic.info();
    let now = crate::user::now();
    let seed = task_port::now() ^ task_port::wall_clock_us().unsigned_abs().rotate_left(32);
    let mut config = Config::new(EthernetAddress(info.mac).into());
    config.random_seed = seed;
    let mut shape = Shape(wire::capabilities(info.frame));
    let mut system = SocketSet::new(Vec::new());
    let dhcp = (plan4 == Plan4::Dhcp).then(|| system.add(client()));
    let mut stack = Stack {
        interface: Interface::new(config, &mut shape, now),
        system,
        dhcp,
        gateway: None,
        autoconf: Autoconf::default(),
        system_due: i64::MIN,
        conns: Conns::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
        listeners: Vec::new(),
        serial: 0,
        timers: Timers::default(),
        dirty: Vec::new(),
        stalled: Vec::new(),
        unkicked: false,
        loop_due: i64::MIN,
        busy: None,
        counters: Counters::default(),
    };
    if let Plan4::Static(address) = plan4 {
        set4(&mut stack, Some(address));
    }
    if plan6 != Plan6::Off {
        let local = interface_id(info.mac, Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 0));
        add6(&mut stack, Ipv6Cidr::new(local, 64));
    }
    match plan6 {
        Plan6::Static(address) => {
            add6(&mut stack, address.cidr);
            if let Some(gateway) = address.gateway {
                let _ = stack.interface.routes_mut().add_default_ipv6_route(gateway);
            }
        }
        Plan6::Auto => stack.autoconf = crate::autoconf::begin(now),
        Plan6::Off => {}
    }
    stack
}

/// A DHCP client that asks again soon: a boot waits for it.
fn client() -> dhcpv4::Socket<'static> {
    let mut retry = dhcpv4::RetryConfig::default();
    retry.discover_timeout = Duration::from_secs(2);
    retry.initial_request_timeout = Duration::from_secs(1);
    let mut client = dhcpv4::Socket::new();
    client.set_retry_config(retry);
    client
}

/// Adds an IPv6 address.
pub(crate) fn add6(stack: &mut Stack, cidr: Ipv6Cidr) {
    stack.interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::Ipv6(cidr));
    });
}

/// Sets or takes away the IPv4 address and router.
fn set4(stack: &mut Stack, address: Option<Address<Ipv4Cidr, Ipv4Address>>) {
    stack.interface.update_ip_addrs(|addresses| {
        addresses.retain(|a| !matches!(a, IpCidr::Ipv4(_)));
        if let Some(address) = address {
            let _ = addresses.insert(0, IpCidr::Ipv4(address.cidr));
        }
    });
    let routes = stack.interface.routes_mut();
    routes.remove_default_ipv4_route();
    stack.gateway = address.and_then(|a| a.gateway);
    if let Some(gateway) = stack.gateway {
        let _ = routes.add_default_ipv4_route(gateway);
    }
}

/// Does what the DHCP client has found out.
pub(crate) fn lease(stack: &mut Stack) {
    let Some(handle) = stack.dhcp else {
        return;
    };
    match stack.system.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
        None => {}
        Some(dhcpv4::Event::Deconfigured) => set4(stack, None),
        Some(dhcpv4::Event::Configured(config)) => {
            let address = Address {
                cidr: config.address,
                gateway: config.router,
            };
            // The server's word is input: an address nobody can have is none.
            let usable = usable4(address.cidr.address());
            log::info!("net: leased {}, usable: {usable}", address.cidr);
            set4(stack, usable.then_some(address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let plans = |text: &str| plans(&Options::parse(text));
        assert_eq!(plans(""), Ok((Plan4::Dhcp, Plan6::Auto)));
        assert_eq!(plans("ip=off ip6=off"), Ok((Plan4::Off, Plan6::Off)));
        let Ok((Plan4::Static(v4), Plan6::Static(v6))) =
            plans("ip=10.0.2.15/24,10.0.2.2 ip6=fd00::5/64")
        else {
            panic!("both are given");
        };
        assert_eq!(v4.cidr, Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24));
        assert_eq!(v4.gateway, Some(Ipv4Address::new(10, 0, 2, 2)));
        assert_eq!(v6.gateway, None);
        for bad in [
            "10.0.2.15",
            "10.0.2.15/33",
            "224.0.0.1/24",
            "0.0.0.0/0",
            "1.2.3.4/24,x",
        ] {
            assert_eq!(
                plans(&alloc::format!("ip={bad}")),
                Err(BadOption::Ip),
                "{bad}"
            );
        }
        assert_eq!(plans("ip6=ff02::1/64"), Err(BadOption::Ip6));
    }
}
