//! TCP/IP by smoltcp: interfaces, sockets, DHCP.
#![cfg_attr(not(test), no_std)]
