//! Values of SQL: datums, type ids, text and binary forms, order-preserving keys, errors with SQLSTATE.
#![cfg_attr(not(test), no_std)]
