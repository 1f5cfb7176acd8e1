//! Everything that flowc prints: data on stdout, the rest on stderr.
//!
//! Colours are dropped where the stream is no terminal or `NO_COLOR` is set; a broken pipe is not an error.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use flowc_core::diag::render::{self, Colour};
use flowc_core::diag::{Diagnostic, Diagnostics};
use flowc_core::source::SourceTree;

/// Writes data to stdout.
pub(crate) fn data(text: &str) -> io::Result<()> {
    ignore_broken_pipe(write_all(&mut anstream::stdout(), text))
}

/// Writes remarks, progress and findings to stderr.
pub(crate) fn remark(text: &str) {
    // If stderr is gone there is nobody left to tell.
    let _ = write_all(&mut anstream::stderr(), text);
}

/// Writes one line about work done: a green verb, then the rest.
pub(crate) fn status(verb: &str, rest: impl Display) {
    let green = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
    remark(&format!("{green}{verb:>12}{green:#} {rest}\n"));
}

/// Writes one line about work that did not succeed: a red verb, then the rest.
pub(crate) fn problem(verb: &str, rest: impl Display) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    remark(&format!("{red}{verb:>12}{red:#} {rest}\n"));
}

/// Writes one line about something that is not as it should be, and does not stop the command.
pub(crate) fn warning(text: impl Display) {
    let yellow = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    remark(&format!("{yellow}warning{yellow:#}: {text}\n"));
}

/// Writes an error of the world with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let mut text = format!("{red}error{red:#}: {error}\n");
    for cause in error.chain().skip(1) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  because: {cause}");
    }
    remark(&text);
}

/// Writes a finding that has no place in a flow.
pub(crate) fn finding(found: Diagnostic) {
    let mut all = Diagnostics::default();
    all.push(found);
    remark(&render::text(&SourceTree::default(), &all, colour()));
}

/// Prints help, version or a usage error as clap words it.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // A closed stream is no reason to fail.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Whether findings on stderr are shown in colour.
pub(crate) fn colour() -> Colour {
    match anstream::AutoStream::choice(&io::stderr()) {
        anstream::ColorChoice::Never => Colour::Never,
        anstream::ColorChoice::Auto
        | anstream::ColorChoice::AlwaysAnsi
        | anstream::ColorChoice::Always => Colour::Always,
    }
}

/// Whether data on stdout is shown in colour.
pub(crate) fn data_colour() -> bool {
    let stdout = io::stdout();
    stdout.is_terminal() && anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never
}

fn write_all(stream: &mut dyn Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Nobody listens any more, which is no failure.
pub(crate) fn ignore_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
