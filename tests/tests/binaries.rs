//! The programs as they are shipped.

#![allow(clippy::unwrap_used)] // A test may panic, and so may what serves it.

use std::process::Command;

use flowc_tests::{flowc, run, shim};

/// The ELF program header that names a dynamic loader.
const PT_INTERP: u32 = 3;

#[test]
fn the_shim_needs_no_shared_library() {
    let elf = std::fs::read(shim()).unwrap();
    assert_eq!(&elf[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let u16_at = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let table = u64::from_le_bytes(elf[0x20..0x28].try_into().unwrap()) as usize;
    let (size, count) = (u16_at(0x36), u16_at(0x38));
    assert!(count > 0);
    for header in elf[table..].chunks(size).take(count) {
        let kind = u32::from_le_bytes(header[..4].try_into().unwrap());
        assert_ne!(kind, PT_INTERP, "the program asks for a dynamic loader");
    }
}

#[test]
fn both_say_their_version() {
    let version = env!("CARGO_PKG_VERSION");
    let said = run(Command::new(flowc()).arg("--version"));
    assert_eq!(said.trim(), format!("flowc {version}"));
    let said = run(Command::new(shim()).arg("version"));
    assert!(said.contains(version), "{said}");
}
