//! Names for outputs that tell nothing: keyed hashes of the inputs' names (ANO-02).

use thiserror::Error;

/// Fewest bytes of a key: a shorter one can be tried through.
pub const KEY_BYTES_MIN: usize = 16;

/// The key is too short.
#[derive(Debug, Error)]
#[error(
    "the key for hashed names has {found} bytes; at least {KEY_BYTES_MIN} are needed (make one: head -c 32 /dev/urandom)"
)]
pub struct ShortKey {
    /// Bytes it has.
    pub found: usize,
}

/// Makes names.
#[derive(Clone)]
pub struct Namer {
    key: [u8; 32],
}

impl Namer {
    /// A namer with the key that a file holds; white space around it does not count.
    pub fn new(key: &[u8]) -> Result<Namer, ShortKey> {
        let key = key.trim_ascii();
        if key.len() < KEY_BYTES_MIN {
            return Err(ShortKey { found: key.len() });
        }
        Ok(Namer { key: blake3::derive_key("oneside 2026 names of calls", key) })
    }

    /// The name under which the call `name` is stored: 32 hexadecimal digits, the same for the same key and name.
    pub fn name(&self, name: &str) -> String {
        blake3::keyed_hash(&self.key, name.as_bytes()).to_hex()[..32].to_owned()
    }
}

/// Whether a name looks as if it held a telephone number: seven digits or more in a row, separators between them
/// allowed.
pub fn looks_like_a_number(name: &str) -> bool {
    let mut digits = 0;
    for c in name.chars() {
        match c {
            '0'..='9' => digits += 1,
            '-' | '_' | '.' | ' ' | '+' | '(' | ')' if digits > 0 => continue,
            _ => digits = 0,
        }
        if digits >= 7 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_the_key_and_tells_nothing() {
        let one = Namer::new(b"0123456789abcdef").unwrap();
        let other = Namer::new(b"0123456789abcdeg").unwrap();
        assert_eq!(one.name("+46701234567"), one.name("+46701234567"));
        assert_ne!(one.name("+46701234567"), other.name("+46701234567"));
        assert_eq!(one.name("a").len(), 32);
        assert!(Namer::new(b"  0123456789abcde \n").is_err());
    }

    #[test]
    fn seven_digits_look_like_a_number_and_six_do_not() {
        assert!(looks_like_a_number("call-070-123 45 67-out"));
        assert!(looks_like_a_number("20260301"));
        assert!(!looks_like_a_number("call-123456"));
        assert!(!looks_like_a_number("a1b2c3d4e5f6g7"));
    }
}
