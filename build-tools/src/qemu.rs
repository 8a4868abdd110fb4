//! The emulator: finding it, installing it, and whether KVM really works here.
//!
//! `/dev/kvm` may exist and yet fail: some hosts refuse a model-specific
//! register, others emulate the guest and stop at its first SSE instruction.
//! So KVM is tried with a guest of a few bytes that does what the system will
//! do, and the verdict is kept until the host restarts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths::{Paths, write_if_changed};
use crate::run::{output, text};

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// How long the probe may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);
/// Status of QEMU when the guest writes 0x10 to the debug-exit device.
pub const EXIT_SUCCESS: i32 = 0x10 << 1 | 1;

/// How the guest's instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// KVM where it works, else TCG.
    Auto,
    /// The hardware.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl std::str::FromStr for Accel {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            _ => bail!("--accel is one of auto, kvm, tcg"),
        }
    }
}

impl Accel {
    /// The arguments for QEMU; `Auto` must have been settled.
    pub fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Auto | Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }

    /// Replaces `Auto` by what works on this machine.
    pub fn settle(self, paths: &Paths) -> Self {
        match self {
            Self::Auto if kvm_works(paths) => Self::Kvm,
            Self::Auto => Self::Tcg,
            chosen => chosen,
        }
    }
}

/// Makes sure QEMU is there, installing it where that is possible.
pub fn ensure() -> Result<()> {
    let found = |program: &str| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    if found(PROGRAM) {
        return Ok(());
    }
    let is_root = text(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if is_root && found("apt-get") {
        eprintln!("mitos: installing qemu-system-x86");
        output(Command::new("apt-get").args(["update", "-q"]))?;
        output(
            Command::new("apt-get")
                .args([
                    "install",
                    "-qy",
                    "--no-install-recommends",
                    "qemu-system-x86",
                ])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
        return Ok(());
    }
    bail!("{PROGRAM} is missing; install it with: sudo apt-get install -y qemu-system-x86")
}

fn kvm_works(paths: &Paths) -> bool {
    if std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return false;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let record = paths.target().join("probe/kvm");
    if let Ok(known) = std::fs::read_to_string(&record)
        && let Some(verdict) = known.strip_prefix(boot.trim())
    {
        return verdict.trim() == "works";
    }
    let works = probe(&paths.target().join("probe")).unwrap_or(false);
    let verdict = format!(
        "{} {}\n",
        boot.trim(),
        if works { "works" } else { "fails" }
    );
    // A verdict that cannot be kept is found again next time.
    let _ = write_if_changed(&record, verdict.as_bytes());
    works
}

/// Notes that KVM failed with the real system, although the probe passed.
pub fn distrust_kvm(paths: &Paths) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let verdict = format!("{} fails\n", boot.trim());
    let _ = write_if_changed(&paths.target().join("probe/kvm"), verdict.as_bytes());
}

/// Assembles and boots the guest of a few bytes.
fn probe(folder: &Path) -> Result<bool> {
    std::fs::create_dir_all(folder)?;
    let (source, object, image) = (
        folder.join("probe.s"),
        folder.join("probe.o"),
        folder.join("probe.elf"),
    );
    std::fs::write(&source, PROBE)?;
    output(
        Command::new("as")
            .arg("--64")
            .arg("-o")
            .arg(&object)
            .arg(&source),
    )?;
    output(
        Command::new("ld")
            .args([
                "-m",
                "elf_x86_64",
                "-static",
                "-Ttext=0x100000",
                "-e",
                "start",
                "-o",
            ])
            .args([&image, &object]),
    )?;
    let mut child = Command::new(PROGRAM)
        .args([
            "-machine",
            "q35",
            "-m",
            "64M",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ])
        .args(Accel::Kvm.arguments())
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel"])
        .arg(&image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start QEMU")?;
    let deadline = Instant::now() + PROBE_DEADLINE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code() == Some(EXIT_SUCCESS));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(false)
}

/// Enables SSE, uses it, saves its state, reads the clock, leaves.
const PROBE: &str = r#"
.section .note.Xen, "a", @note
.align 4
.long 4, 8, 18
.asciz "Xen"
.align 4
.quad start
.text
.code32
.globl start
start:
    mov %cr0, %eax
    and $~4, %eax
    or $2, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    or $0x600, %eax
    mov %eax, %cr4
    mov $1000, %ecx
1:  movd %ecx, %xmm0
    punpckldq %xmm0, %xmm0
    paddd %xmm0, %xmm1
    cvtsi2sd %ecx, %xmm2
    mulsd %xmm2, %xmm2
    rdtsc
    loop 1b
    fxsave 0x200000
    fxrstor 0x200000
    mov $1, %eax
    cpuid
    mov $0x10, %al
    out %al, $0xf4
2:  hlt
    jmp 2b
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_never_reaches_qemu_as_kvm() {
        assert_eq!(Accel::Auto.arguments(), Accel::Tcg.arguments());
        assert_eq!("kvm".parse::<Accel>().unwrap(), Accel::Kvm);
        assert!("whpx".parse::<Accel>().is_err());
    }
}
