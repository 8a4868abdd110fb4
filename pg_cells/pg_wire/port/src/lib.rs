//! Port of pg_wire: PostgreSQL protocol v3: messages, sessions, COPY.
#![cfg_attr(not(test), no_std)]
