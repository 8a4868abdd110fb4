//! Tokens of date and time texts.
