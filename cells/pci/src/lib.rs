//! PCI configuration space: enumeration, BARs, capabilities, MSI-X.
#![cfg_attr(not(test), no_std)]
