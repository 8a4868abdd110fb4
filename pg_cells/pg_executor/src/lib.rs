//! Runs plans: operators, expressions, utility statements.
#![cfg_attr(not(test), no_std)]
