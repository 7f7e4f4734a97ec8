//! What the process forbids itself before it hears anybody (ONE-02).

#[test]
#[cfg(target_os = "linux")]
fn a_crash_leaves_no_core_dump() {
    use std::fs;
    use std::process::Stdio;

    let scratch = super::common::Scratch::new("hardening");
    // With a list on standard input it waits there, so it can be looked at.
    let mut child = scratch
        .command(&["batch", "-", "--out", "out", "--agent-channel", "left"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let limits = format!("/proc/{}/limits", child.id());
    let core = |text: &str| text.lines().find(|line| line.starts_with("Max core file size")).map(str::to_owned);
    let is_zero = |line: &str| line.split_whitespace().filter(|word| *word == "0").count() == 2;
    let mut last = None;
    for _ in 0..2_000 {
        last = core(&fs::read_to_string(&limits).unwrap_or_default());
        if last.as_deref().is_some_and(is_zero) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(child.stdin.take());
    let ended = child.wait().expect("it ends when the list does");
    assert!(last.as_deref().is_some_and(is_zero), "{last:?}");
    assert_eq!(ended.code(), Some(2), "an empty list names no recordings");
}
