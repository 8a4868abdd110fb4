//! Commands about the disk and the network.

use crate::commands::Outcome;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

pub(crate) fn disk(_: &[&str]) -> Outcome {
    let disk = nvme_port::DISK
        .enter()
        .map_err(|error| format!("{error}; `cells` tells what runs\n"))?;
    let lines = disk.report();
    drop(disk);
    Ok(lines
        .iter()
        .fold(String::new(), |text, line| text + line + "\n"))
}

pub(crate) fn net(_: &[&str]) -> Outcome {
    let net = net_port::NET
        .enter()
        .map_err(|error| format!("{error}; `cells` tells what runs\n"))?;
    let status = net.status();
    drop(net);
    let mac = status.mac.map(|byte| format!("{byte:02x}")).join(":");
    let link = if status.link { "up" } else { "down" };
    let mut text = format!("device {mac}, link {link}\n");
    for (address, prefix) in &status.addresses {
        text += &format!("address {address}/{prefix}\n");
    }
    if let Some(gateway) = status.gateway {
        text += &format!("router {gateway}\n");
    }
    let c = status.counters;
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{} listening, {} connections, {} opening or closing\n\
         received {} frames, {} bytes; sent {} frames, {} bytes\n\
         accepted {}, refused {}, aborted {}; faults survived {}; rounds {}",
        status.listeners,
        status.streams,
        status.lingering,
        c.frames_in,
        c.bytes_in,
        c.frames_out,
        c.bytes_out,
        c.accepted,
        c.refused,
        c.aborted,
        c.faults,
        c.rounds
    );
    Ok(text)
}
