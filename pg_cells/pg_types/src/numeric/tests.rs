//! Tests of numerics.
