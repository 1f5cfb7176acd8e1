#!/usr/bin/env python3
"""A wrapper of rustc for the workspace's own crates (RUSTC_WORKSPACE_WRAPPER): the shim is linked statically, all else as ever.

Procedural macros cannot be linked so, which rules out RUSTFLAGS; and `cargo rustc`, which takes one package, would build the shim's
dependencies a second time, with fewer features than they have in flowc. No shell, which loses variables with a hyphen in their name.
"""

import os
import sys


def command(rustc, arguments):
    """The compiler with its arguments."""
    is_shim = "flowc_shim" in arguments and kind(arguments) == "bin"
    return [rustc, *arguments, *(["-C", "target-feature=+crt-static"] if is_shim else [])]


def kind(arguments):
    """What is compiled: `lib`, `bin`; nothing for tests and benches, of which cargo does not say it."""
    return arguments[arguments.index("--crate-type") + 1] if "--crate-type" in arguments else None


if __name__ == "__main__":
    compiler = command(sys.argv[1], sys.argv[2:])
    os.execvp(compiler[0], compiler)
