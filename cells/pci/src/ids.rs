//! Names of device classes, for lists.

/// The name of a class; the numbers are PCI's (Code and ID Assignment 1.11).
pub(crate) fn class_name(class: u8, subclass: u8, interface: u8) -> &'static str {
    match (class, subclass, interface) {
        (0x01, 0x06, 0x01) => "AHCI controller",
        (0x01, 0x08, 0x02) => "NVMe controller",
        (0x01, ..) => "storage",
        (0x02, 0x00, _) => "Ethernet",
        (0x02, ..) => "network",
        (0x03, ..) => "display",
        (0x06, 0x00, _) => "host bridge",
        (0x06, 0x01, _) => "ISA bridge",
        (0x06, 0x04, _) => "PCI bridge",
        (0x06, ..) => "bridge",
        (0x07, ..) => "serial",
        (0x08, ..) => "system peripheral",
        (0x0c, 0x03, _) => "USB controller",
        (0x0c, 0x05, _) => "SMBus",
        _ => "device",
    }
}
