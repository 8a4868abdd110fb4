//! Echo service on TCP port 7: the smallest user of sockets.
