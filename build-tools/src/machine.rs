//! The machine that the system runs on, as QEMU's command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::instance::Instance;
use crate::paths::Paths;
use crate::qemu::{Accel, PROGRAM};

/// Starts a program that dies with its parent; part of util-linux.
const SETPRIV: &str = "/usr/bin/setpriv";

/// Where the console goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// The terminal of the caller.
    Terminal,
    /// A socket in the instance's folder.
    Socket,
}

/// What to boot, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port on 127.0.0.1 that leads to the system's 5432.
    pub pg_port: u16,
    /// The NVMe disk; made when missing.
    pub disk: PathBuf,
    /// As QEMU reads it: `1G`.
    pub memory: String,
    /// Number of CPUs.
    pub cpus: u32,
    /// KVM or TCG.
    pub accel: Accel,
    /// Where the console goes.
    pub console: Console,
    /// Boot options, `key=value`.
    pub append: Vec<String>,
    /// More arguments for QEMU.
    pub qemu_args: Vec<String>,
    /// Discard what is written to the disk.
    pub snapshot: bool,
    /// Whether the machine has a network device.
    pub network: bool,
    /// Log every write to the disk here, in the format of dm-log-writes.
    pub disk_log: Option<PathBuf>,
    /// Places of the disk, in bytes, and how many writes that touch them fail.
    pub bad_writes: Vec<(u64, u32)>,
    /// Wait for a debugger on port 1234.
    pub gdb: bool,
    /// One CPU on which an instruction takes a nanosecond: times are then
    /// instruction counts, the same on every machine and at every load.
    pub count_instructions: bool,
    /// Write every interrupt and exception to `interrupts.log`.
    pub trace_int: bool,
}

impl Config {
    /// A system with defaults on this port and disk.
    pub fn new(pg_port: u16, disk: PathBuf) -> Self {
        Self {
            pg_port,
            disk,
            memory: "1G".into(),
            cpus: 2,
            accel: Accel::Auto,
            console: Console::Socket,
            append: Vec::new(),
            qemu_args: Vec::new(),
            snapshot: false,
            network: true,
            disk_log: None,
            bad_writes: Vec::new(),
            gdb: false,
            trace_int: false,
            count_instructions: false,
        }
    }

    /// QEMU with all its arguments, not yet started.
    pub(crate) fn command(&self, paths: &Paths, instance: &Instance) -> Command {
        let mut command = self.program();
        command
            .args([
                "-machine",
                "q35",
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
            ])
            .args(["-display", "none", "-name", "mitos"])
            .args(["-m", &self.memory])
            .arg("-kernel")
            .arg(instance.nano_core())
            .arg("-initrd")
            .arg(instance.archive())
            .args(["-append", &self.append.join(" ")]);
        self.add_processors(&mut command, paths);
        self.add_serial_ports(&mut command, instance);
        self.add_disk(&mut command);
        self.add_devices(&mut command, instance);
        self.add_debugging(&mut command, instance);
        command.args(&self.qemu_args);
        command
    }

    /// QEMU must not outlive this tool, even when the tool is killed.
    fn program(&self) -> Command {
        if !Path::new(SETPRIV).exists() {
            return Command::new(PROGRAM);
        }
        // On a terminal QEMU must get to restore its settings.
        let signal = match self.console {
            Console::Terminal => "TERM",
            Console::Socket => "KILL",
        };
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", signal, PROGRAM]);
        command
    }

    fn add_processors(&self, command: &mut Command, paths: &Paths) {
        if self.count_instructions {
            command
                .args(["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1"])
                .args(["-icount", "shift=0,sleep=off"]);
        } else {
            command
                .args(self.accel.settle(paths).arguments())
                .args(["-smp", &self.cpus.to_string()]);
        }
    }

    fn add_serial_ports(&self, command: &mut Command, instance: &Instance) {
        let log = quoted(&instance.console_log());
        let console = match self.console {
            Console::Terminal => format!("stdio,id=console,signal=on,logfile={log}"),
            Console::Socket => {
                command.stdin(Stdio::null()).stdout(Stdio::null());
                let path = quoted(&instance.console_socket());
                format!("socket,id=console,server=on,wait=off,path={path},logfile={log}")
            }
        };
        let path = quoted(&instance.control_socket());
        let control = format!("socket,id=control,server=on,wait=off,path={path}");
        command
            .args(["-chardev", &console, "-serial", "chardev:console"])
            .args(["-chardev", &control, "-serial", "chardev:control"]);
    }

    fn add_devices(&self, command: &mut Command, instance: &Instance) {
        let network = format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:5432", self.pg_port);
        let path = quoted(&instance.mailbox());
        let size = control::MAILBOX_LEN;
        let mailbox =
            format!("memory-backend-file,id=mailbox,share=on,size={size},mem-path={path}");
        if self.network {
            command
                .args(["-netdev", &network, "-device"])
                .arg("virtio-net-pci,netdev=net,disable-legacy=on,romfile=");
        }
        command
            .args(["-device", "nvme,drive=disk,serial=mitos"])
            .args([
                "-object",
                &mailbox,
                "-device",
                "ivshmem-plain,memdev=mailbox",
            ])
            .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    }

    /// A block node named `disk`.
    fn add_disk(&self, command: &mut Command) {
        let file = quoted(&self.disk);
        if !self.bad_writes.is_empty() {
            let disk = format!(
                "driver=blkdebug,node-name=disk,image.driver=file,image.filename={file}{}",
                self.failing_writes()
            );
            command.args(["-blockdev", &disk]);
            return;
        }
        let Some(log) = &self.disk_log else {
            let disk = format!("if=none,id=disk,format=raw,discard=unmap,file={file}");
            command.args(["-drive", &disk]);
            return;
        };
        let log = quoted(log);
        let disk = format!(
            "driver=blklogwrites,node-name=disk,log-sector-size=512,\
             file.driver=file,file.filename={file},log.driver=file,log.filename={log}"
        );
        command.args(["-blockdev", &disk]);
    }

    /// For QEMU's `blkdebug`, which forgets a rule that says `once` with its use.
    fn failing_writes(&self) -> String {
        let places = self.bad_writes.iter();
        let each = places.flat_map(|(place, times)| (0..*times).map(move |_| place / 512));
        let rule = |(number, sector): (usize, u64)| {
            let rule = format!(",inject-error.{number}");
            format!(
                "{rule}.event=none{rule}.iotype=write{rule}.sector={sector}{rule}.errno=5{rule}.once=on"
            )
        };
        each.enumerate().map(rule).collect()
    }

    fn add_debugging(&self, command: &mut Command, instance: &Instance) {
        if self.snapshot {
            command.arg("-snapshot");
        }
        if self.gdb {
            command.args(["-s", "-S"]);
        }
        if self.trace_int {
            let log = instance.folder().join("interrupts.log");
            command.args(["-d", "int,cpu_reset", "-D"]).arg(log);
        }
    }
}

/// QEMU's options separate by comma; a comma in a path is doubled.
fn quoted(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
