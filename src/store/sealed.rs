//! Records that show when they were touched: pretty JSON whose last field is a digest over all its other bytes.
//!
//! The text has one line for every scalar of the outer levels and one line for every element of a list (an entry of
//! the ledger, an output), so that two versions can be compared line by line. It ends `"seal": "<64 hex>"\n}\n`, and
//! the seal is BLAKE3 over the whole text with these 64 digits left out (SEC-08).

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Hexadecimal digits of a seal.
const SEAL_DIGITS: usize = 64;
const BEFORE: &str = "\"seal\": \"";
const AFTER: &str = "\"\n}\n";

/// Serialises any seal as an empty one: what a record carries is not part of what is sealed, and the seal is filled in
/// when the text is there.
pub fn blank<S: serde::Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("")
}

/// Writes a record and seals it. Its last field must be `seal`, serialised by [`blank`].
pub fn to_text(record: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Lines::default());
    record.serialize(&mut serializer).expect("records have text keys and are written to memory");
    let mut text = String::from_utf8(bytes).expect("JSON is UTF-8");
    text.push('\n');
    let at = text.len() - AFTER.len();
    debug_assert!(text[..at].ends_with(BEFORE), "the last field of a record is its empty seal");
    let seal = blake3::hash(text.as_bytes()).to_hex();
    text.insert_str(at, &seal);
    text
}

/// The seal that a text carries, if it is the right one. The error says what is wrong.
pub fn check_seal(text: &str) -> Result<String, String> {
    let missing = || "it does not end with a seal: it was cut off or written by something else".to_string();
    let end = text.len().checked_sub(AFTER.len()).filter(|end| text.get(*end..) == Some(AFTER)).ok_or_else(missing)?;
    let start = end.checked_sub(SEAL_DIGITS).ok_or_else(missing)?;
    let (before, seal) = (text.get(..start), text.get(start..end));
    let (Some(before), Some(seal)) = (before.filter(|text| text.ends_with(BEFORE)), seal) else {
        return Err(missing());
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(before.as_bytes()).update(AFTER.as_bytes());
    match hasher.finalize().to_hex().as_str() == seal {
        true => Ok(seal.to_string()),
        false => Err("the seal is broken: something in the file was changed after it was sealed".into()),
    }
}

/// Reads a record whatever its seal says. The error names line and column.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The first line, from 1, in which two texts differ.
pub fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    Some(same + 1)
}

/// The layout: the record and what it holds directly take a line a member, everything deeper is written in one line.
#[derive(Default)]
struct Lines {
    depth: usize,
    filled: bool,
}

impl Lines {
    fn open(&mut self) {
        self.depth += 1;
        self.filled = false;
    }

    fn member<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.filled = true;
        match (self.depth <= 2, first) {
            (true, true) => self.new_line(out),
            (true, false) => out.write_all(b",").and_then(|()| self.new_line(out)),
            (false, true) => Ok(()),
            (false, false) => out.write_all(b", "),
        }
    }

    fn close<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        let own_line = self.depth <= 2 && self.filled;
        self.depth -= 1;
        self.filled = true;
        if own_line {
            self.new_line(out)?;
        }
        out.write_all(bracket)
    }

    fn new_line<W: ?Sized + io::Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl serde_json::ser::Formatter for Lines {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open();
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.member(out, first)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open();
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.member(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, serde::Deserialize)]
    struct Record {
        name: String,
        list: Vec<Vec<u32>>,
        empty: Vec<u32>,
        #[serde(serialize_with = "blank")]
        seal: String,
    }

    fn text() -> String {
        to_text(&Record { name: "ä".into(), list: vec![vec![1, 2], vec![]], empty: vec![], seal: "old".into() })
    }

    #[test]
    fn a_record_is_written_a_line_a_scalar_and_a_line_an_element() {
        let text = text();
        let seal = check_seal(&text).unwrap();
        let expected = "{\n  \"name\": \"ä\",\n  \"list\": [\n    [1, 2],\n    []\n  ],\n  \"empty\": [],\n  \"seal\": \"SEAL\"\n}\n";
        assert_eq!(text.replace(&seal, "SEAL"), expected);
        assert_eq!(parse::<Record>(&text).unwrap().list, [vec![1, 2], vec![]]);
    }

    #[test]
    fn the_seal_is_the_digest_of_the_text_without_its_digits() {
        let text = text();
        let seal = check_seal(&text).unwrap();
        assert_eq!(blake3::hash(text.replace(&seal, "").as_bytes()).to_hex().as_str(), seal);
    }

    #[test]
    fn any_changed_byte_breaks_the_seal() {
        let text = text();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // What is no text any more is refused before it comes to the seal.
                let broken = String::from_utf8(bytes).map_or(true, |text| check_seal(&text).is_err());
                assert!(broken, "bit {bit} of byte {at}");
            }
        }
        for cut in 1..text.len() {
            assert!(text.get(cut..).is_none_or(|text| check_seal(text).is_err()));
            assert!(text.get(..cut).is_none_or(|text| check_seal(text).is_err()));
        }
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some(2));
    }
}
