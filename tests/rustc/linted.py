#!/usr/bin/env python3
"""As `plain.py`, and lints and documents each crate of the workspace beside its build; what either warns of is an error.

`cargo clippy` and `cargo doc` would read all dependencies a second time, in a form that no build can use. Here both are given what
the build has: the same arguments, but for where the result goes.
"""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import plain  # noqa: E402 - it stands beside this file, where nothing is to be written


def arguments_for(arguments, emit, folder):
    """The arguments of rustc for another tool, which leaves its result in the folder."""
    taken, before = [], None
    for argument in arguments:
        if before == "--out-dir":
            argument = folder
        elif argument.startswith("--emit="):
            argument = emit
        elif argument.startswith("--json="):
            # cargo would take the artifact for the one that it waits for.
            kinds = argument.removeprefix("--json=").split(",")
            argument = "--json=" + ",".join(kind for kind in kinds if kind != "artifacts")
        elif argument.startswith("incremental="):
            argument = f"incremental={folder}/incremental"
        if argument:
            taken.append(argument)
        before = argument
    return [*taken, "-D", "warnings"]


def checks(rustc, arguments, folder):
    """The commands that lint and document what rustc is to compile."""
    yield ["clippy-driver", rustc, *arguments_for(arguments, "--emit=metadata", folder)]
    # A build script is no program: cargo names none.
    is_program = plain.kind(arguments) == "bin" and "CARGO_BIN_NAME" in os.environ
    if is_program or plain.kind(arguments) == "lib":
        # As `cargo doc` does: of a program all its parts, of a library what it offers.
        private = ["--document-private-items"] if is_program else []
        yield ["rustdoc", *arguments_for(arguments, None, folder), *private]


def run(command):
    """Runs the command to its end. It inherits the jobs that cargo lets run at a time; ends this process if it fails."""
    code = subprocess.run(command, close_fds=False, check=False).returncode
    if code != 0:
        sys.exit(code)


def main():
    rustc, *arguments = sys.argv[1:]
    if not any(argument.startswith("--emit=") for argument in arguments):
        # cargo asks what the compiler can do.
        os.execvp(rustc, [rustc, *arguments])
    # What rustc warns of, clippy does too.
    run(plain.command(rustc, [*arguments, "--cap-lints=allow"]))
    with tempfile.TemporaryDirectory(prefix="flowc-lint-") as folder:
        for command in checks(rustc, arguments, folder):
            run(command)


if __name__ == "__main__":
    main()
