//! Signed requests: the first line is the target, the second the host, the others headers.

use oneside::source::wire::http_signature::{Keys, Request, Verifier};

const NOW_S: u64 = 1_641_013_200;

/// What is taken once is not taken twice, and not without the key.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let (target, authority) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let request = Request { target, authority, headers: &headers };
    let mut keys = Keys::default();
    keys.add("SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh", "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=").expect("a key");
    let mut verifier = Verifier::new(keys);
    let first = verifier.verify(&request, NOW_S);
    assert!(first.is_err() || verifier.verify(&request, NOW_S).is_err(), "a signature is good once");
    assert!(Verifier::default().verify(&request, NOW_S).is_err(), "and never without a key");
}
