//! How a test says that it was left out, or a part of it. `tests/run` counts these lines.

use std::fmt::Display;
use std::io::Write;

/// Says why the test on this thread was left out, in one line of its own: `skipped: TEST: REASON`. It goes past the harness,
/// which keeps to itself what a test that passes prints.
pub fn skipped(reason: impl Display) {
    let thread = std::thread::current();
    // The harness may have written the test's name, and no end of line yet.
    let reason = reason.to_string().trim().replace('\n', " ");
    let line = format!("\nskipped: {}: {reason}\n", thread.name().unwrap_or("a test"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}
