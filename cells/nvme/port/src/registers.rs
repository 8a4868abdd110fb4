//! The controller's registers (NVM Express Base 1.4, section 3.1): offsets in
//! bytes, fields by shift or bit.

/// Capabilities, 64 bits.
pub const CAP: usize = 0x00;
/// Version.
pub const VS: usize = 0x08;
/// Controller configuration.
pub const CC: usize = 0x14;
/// Controller status.
pub const CSTS: usize = 0x1c;
/// Admin queue sizes.
pub const AQA: usize = 0x24;
/// Admin submission queue address, 64 bits.
pub const ASQ: usize = 0x28;
/// Admin completion queue address, 64 bits.
pub const ACQ: usize = 0x30;
/// The first doorbell.
pub const DOORBELLS: usize = 0x1000;

/// CC: run.
pub const CC_ENABLE: u32 = 1;
/// CC: entries of 64 (2^6) and 16 (2^4) bytes, pages of 4 KiB, NVM commands.
pub const CC_SIZES: u32 = 6 << 16 | 4 << 20;
/// CC: normal shutdown.
pub const CC_SHUTDOWN: u32 = 1 << 14;
/// CSTS: runs.
pub const CSTS_READY: u32 = 1;
/// CSTS: has failed and wants a reset.
pub const CSTS_FATAL: u32 = 1 << 1;
/// CSTS: shutdown state, two bits.
pub const CSTS_SHUTDOWN: u32 = 3 << 2;
/// CSTS: shutdown state, "complete".
pub const CSTS_SHUTDOWN_DONE: u32 = 2 << 2;
/// What a register of a device that has gone reads as.
pub const GONE: u32 = u32::MAX;
