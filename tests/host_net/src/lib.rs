//! The socket port on the host: standard library sockets, and a network interface in memory.
