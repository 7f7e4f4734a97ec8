//! Whether a connection may speak for a switch: a bearer token or a password (SEC-03), and Twilio's signature.
//!
//! What is secret is compared by digests or by HMAC, so that the time tells nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

/// What a connection has to bring.
#[derive(Clone)]
pub enum Credential {
    /// `Authorization: Bearer TOKEN` or `Basic …`: the digest of the header as it must be.
    Header(blake3::Hash),
    /// Twilio's signature of the address by which it reaches us.
    Twilio {
        /// The account's authentication token.
        token: Zeroizing<String>,
        /// The address as it stands in TwiML, `wss://host/path`.
        url: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Header(_) => "Header",
            Credential::Twilio { .. } => "Twilio",
        })
    }
}

impl Credential {
    /// A bearer token.
    pub fn bearer(token: &str) -> Credential {
        Credential::Header(blake3::hash(format!("bearer {token}").as_bytes()))
    }

    /// A name and a password.
    pub fn basic(user: &str, password: &str) -> Credential {
        Credential::Header(blake3::hash(format!("basic {}", STANDARD.encode(format!("{user}:{password}"))).as_bytes()))
    }

    /// Whether the headers of a connection bring it. `header` gives the value of one by its name in small letters, if it is
    /// there once.
    pub fn admits<'h>(&self, header: impl Fn(&str) -> Option<&'h str>) -> bool {
        match self {
            Credential::Header(expected) => header("authorization")
                .and_then(|value| value.trim().split_once(' '))
                .map(|(scheme, secret)| format!("{} {}", scheme.to_ascii_lowercase(), secret.trim()))
                .is_some_and(|said| blake3::hash(said.as_bytes()) == *expected),
            Credential::Twilio { token, url } => {
                let said = header("x-twilio-signature").and_then(|value| STANDARD.decode(value.trim()).ok());
                said.is_some_and(|said| twilio(token, url, &said))
            }
        }
    }
}

/// HMAC-SHA1 over the address. Twilio may or may not put a slash at its end.
fn twilio(token: &str, url: &str, said: &[u8]) -> bool {
    let bare = url.trim_end_matches('/');
    let fits = |url: &str| {
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).is_ok_and(|mut mac| {
            mac.update(url.as_bytes());
            mac.verify_slice(said).is_ok()
        })
    };
    fits(bare) | fits(&format!("{bare}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(name: &'static str, value: &'static str) -> impl Fn(&str) -> Option<&'static str> {
        move |header| (header == name).then_some(value)
    }

    #[test]
    fn a_token_and_a_password_are_taken_whole() {
        let bearer = Credential::bearer("abcdefghijklmnop");
        assert!(bearer.admits(says("authorization", "Bearer abcdefghijklmnop")));
        assert!(bearer.admits(says("authorization", "bearer  abcdefghijklmnop")));
        for wrong in ["Bearer abcdefghijklmno", "abcdefghijklmnop", "Basic abcdefghijklmnop", "Bearer", ""] {
            assert!(!bearer.admits(says("authorization", wrong)), "{wrong}");
        }
        assert!(!bearer.admits(says("cookie", "Bearer abcdefghijklmnop")));
        let basic = Credential::basic("recorder", "secret");
        assert!(basic.admits(says("authorization", "Basic cmVjb3JkZXI6c2VjcmV0")));
        assert!(!basic.admits(says("authorization", "Basic cmVjb3JkZXI6c2VjcmV1")));
    }

    #[test]
    fn twilio_signs_the_address_with_or_without_a_slash() {
        let url = "wss://recorder.example.com/twilio";
        let credential = Credential::Twilio { token: Zeroizing::new("12345".into()), url: url.into() };
        let sign = |url: &str| {
            let mut mac = Hmac::<Sha1>::new_from_slice(b"12345").unwrap();
            mac.update(url.as_bytes());
            STANDARD.encode(mac.finalize().into_bytes())
        };
        for signed in [url.to_owned(), format!("{url}/")] {
            let signature = sign(&signed);
            assert!(credential.admits(|name| (name == "x-twilio-signature").then_some(signature.as_str())));
        }
        let other = sign("wss://recorder.example.com/other");
        assert!(!credential.admits(|name| (name == "x-twilio-signature").then_some(other.as_str())));
        assert!(!credential.admits(says("x-twilio-signature", "?")));
        assert!(!credential.admits(|_| None));
    }
}
