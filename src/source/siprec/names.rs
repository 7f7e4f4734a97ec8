//! Names of calls without personal data (ANO-02): a session's own id, or a digest. Never an address of record.

use crate::source::wire::siprec::Metadata;

/// Which id a call takes its name from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallName {
    /// The id of the communication session (RFC 7865 §6.3.1), as hexadecimal digits.
    #[default]
    Session,
    /// The Session-ID of the recorded call (RFC 7989), which the switch writes into its own records as well.
    SipSession,
    /// A digest of the recording session's Call-ID.
    CallId,
}

/// The name of a call. What is missing, or might hold more than an id, is replaced by the digest of the Call-ID.
pub fn call_name(by: CallName, metadata: Option<&Metadata>, call_id: &str) -> String {
    let id = metadata.and_then(|metadata| match by {
        CallName::Session => metadata.session.as_deref().and_then(|id| uuid_of_base64(id).or_else(|| token(id))),
        CallName::SipSession => metadata.sip_session.as_deref().and_then(token),
        CallName::CallId => None,
    });
    id.unwrap_or_else(|| digest(call_id))
}

/// An id of hexadecimal digits (a UUID, a Session-ID). All decimals might be a telephone number.
fn token(id: &str) -> Option<String> {
    let id = id.trim();
    let hexadecimal = id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let letters = id.bytes().any(|byte| byte.is_ascii_alphabetic());
    (hexadecimal && letters && (16..=64).contains(&id.len())).then(|| id.to_ascii_lowercase())
}

/// Sixteen bytes in Base64: a UUID as RFC 7865 writes it.
fn uuid_of_base64(id: &str) -> Option<String> {
    let digits = id.trim().strip_suffix("==").filter(|digits| digits.len() == 22)?;
    let mut bits: u128 = 0;
    for (at, byte) in digits.bytes().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        // The last digit carries two bits only.
        bits = if at == 21 { bits << 2 | u128::from(value >> 4) } else { bits << 6 | u128::from(value) };
    }
    Some(format!("{bits:032x}"))
}

fn digest(call_id: &str) -> String {
    format!("siprec-{}", &blake3::hash(call_id.as_bytes()).to_hex()[..24])
}

/// The user part of an address of record: `anna` of `sip:anna@agents.example`.
pub fn user(aor: &str) -> Option<&str> {
    let (scheme, rest) = aor.split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.split_once('@')?.0.split([':', ';']).next()?,
        "tel" => rest.split(';').next()?,
        _ => return None,
    };
    (!user.is_empty()).then_some(user)
}
