//! Objects that the pinned compiler makes of a small crate, with the flags that
//! cells are compiled with (`docs/building.md`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// Has a vtable in data, an import called directly and by address, variables
/// with and without content, constants, and landing pads.
const SOURCE: &str = r#"
#![no_std]
use core::sync::atomic::{AtomicU64, Ordering};

unsafe extern "C-unwind" {
    #[link_name = "outside"]
    safe fn outside(value: u64) -> u64;
    #[link_name = "outside_by_address"]
    safe fn outside_by_address(value: u64) -> u64;
}

static COUNTER: AtomicU64 = AtomicU64::new(40);
static mut ZEROED: [u64; 1000] = [0; 1000];
#[repr(align(64))]
pub struct Aligned(pub [u8; 64]);
#[unsafe(no_mangle)]
pub static ALIGNED: Aligned = Aligned([7; 64]);

pub trait Shape { fn area(&self, scale: u64) -> u64; }
struct Square(u64);
struct Line;
impl Shape for Square {
    fn area(&self, scale: u64) -> u64 { self.0.wrapping_mul(self.0).wrapping_mul(scale) }
}
impl Shape for Line {
    fn area(&self, scale: u64) -> u64 { outside(scale) }
}
static SHAPES: [&(dyn Shape + Sync); 2] = [&Square(3), &Line];
static POINTERS: [extern "C-unwind" fn(u64) -> u64; 2] = [outside_by_address, own];

extern "C-unwind" fn own(value: u64) -> u64 { value ^ 0xff }

struct Guard<'a>(&'a AtomicU64);
impl Drop for Guard<'_> {
    fn drop(&mut self) { self.0.fetch_add(1, Ordering::SeqCst); }
}

#[unsafe(no_mangle)]
pub extern "C-unwind" fn count(by: u64) -> u64 { COUNTER.fetch_add(by, Ordering::SeqCst) }

#[unsafe(no_mangle)]
pub extern "C-unwind" fn shape(which: u64) -> u64 { SHAPES[(which & 1) as usize].area(which) }

#[unsafe(no_mangle)]
pub extern "C-unwind" fn pointer(which: u64) -> u64 { POINTERS[(which & 1) as usize](which) }

#[unsafe(no_mangle)]
pub extern "C-unwind" fn direct(value: u64) -> u64 {
    let _guard = Guard(&COUNTER);
    outside(value).wrapping_add(1)
}

#[unsafe(no_mangle)]
pub extern "C-unwind" fn zeroed(_: u64) -> u64 {
    let zeroed = &raw mut ZEROED;
    let mut sum = 0u64;
    let mut i = 0;
    while i < 1000 {
        unsafe { sum |= (&raw const (*zeroed)[i]).read_volatile() };
        i += 1;
    }
    sum
}

#[unsafe(no_mangle)]
pub extern "C-unwind" fn address(_: u64) -> u64 { (outside as *const ()).addr() as u64 }
"#;

fn compile(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let (source, object) = (folder.join("shapes.rs"), folder.join("shapes.o"));
    std::fs::write(&source, SOURCE).unwrap();
    let output = Command::new("rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["--edition=2024", "--crate-type=lib", "--emit=obj", "-O"])
        .args(["-Csymbol-mangling-version=v0", "-Ccodegen-units=1"])
        .args(["-Cembed-bitcode=no", "-Zplt=yes", "-Cpanic=unwind"])
        .args(["-Zcross-crate-inline-threshold=never"])
        .arg("-Cllvm-args=-disable-nounwind-inference")
        .arg("-o")
        .args([&object, &source])
        .output()
        .expect("rustc runs where cargo runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    object
}

/// The object of [`SOURCE`].
pub fn object() -> Vec<u8> {
    let name = format!(
        "mitos-loader-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let folder = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    let bytes = std::fs::read(compile(&folder)).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
}
