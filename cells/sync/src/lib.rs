//! Locks and queues for tasks: spin lock, sleeping mutex, read-write latch, wait queue, channel.
#![cfg_attr(not(test), no_std)]
