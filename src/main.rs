//! The `oneside` command: a thin binary over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    oneside::control::cli::main().into()
}
