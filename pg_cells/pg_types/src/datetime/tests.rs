//! Tests of dates and times.
