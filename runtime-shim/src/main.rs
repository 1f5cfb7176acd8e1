//! `flowc-shim`: runs one task in a container, or what is to be called after a run, told by environment variables alone.
//!
//! What goes wrong is said on standard error as one JSON line per event; standard output is the user's.

mod exit_hooks;
mod setup;
mod step;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use flowc_protocol::exit::Exit;

const USAGE: &str =
    "usage: flowc-shim step NAME | flowc-shim hooks | flowc-shim install DIR | flowc-shim version";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(|word| word.to_str()).collect();
    match words.as_slice() {
        [Some("step"), Some(name)] => ExitCode::from(step::run(name).code()),
        [Some("hooks")] => ExitCode::from(exit_hooks::run().code()),
        [Some("install"), Some(_)] => match install(Path::new(&arguments[1])) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!(
                    "cannot install into {}: {error}",
                    Path::new(&arguments[1]).display()
                ));
                ExitCode::from(Exit::Machine.code())
            }
        },
        [Some("version")] => {
            let text = format!(
                "flowc-shim {} (protocol {} to {})\n",
                env!("CARGO_PKG_VERSION"),
                flowc_protocol::PROTOCOL_MIN,
                flowc_protocol::PROTOCOL
            );
            // Nobody may be listening, which is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        _ => {
            complain(USAGE);
            ExitCode::from(Exit::Configuration.code())
        }
    }
}

/// Copies this program into a folder, for an init container; the copy appears whole or not at all.
fn install(folder: &Path) -> std::io::Result<()> {
    let program = std::env::current_exe()?;
    std::fs::create_dir_all(folder)?;
    let draft = folder.join(".flowc-shim.new");
    std::fs::copy(&program, &draft)?;
    std::fs::rename(&draft, folder.join("flowc-shim"))
}

fn complain(message: &str) {
    // Nowhere is left to say that standard error is gone.
    let _ = writeln!(std::io::stderr(), "flowc-shim: {message}");
}
