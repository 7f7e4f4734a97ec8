//! Bencode, as rtpengine speaks it: byte strings, integers, lists, dictionaries. Pure; borrowed, and bounded in depth.
//!
//! Dictionaries keep their order and may be unsorted, as rtpengine sends them. What stands behind a value is ignored.

/// Deepest nesting that is read: rtpengine's answers have six levels.
pub const DEPTH_MAX: u32 = 16;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A byte string.
    Bytes(&'a [u8]),
    /// An integer.
    Integer(i64),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary.
    Dictionary(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Reads the value at the beginning of these bytes. None if there is none.
    pub fn read(bytes: &'a [u8]) -> Option<Value<'a>> {
        value(bytes, 0).map(|(value, _)| value)
    }

    /// A dictionary out of these.
    pub fn dictionary(entries: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Value<'a> {
        Value::Dictionary(entries.into_iter().map(|(key, value)| (key.as_bytes(), value)).collect())
    }

    /// A list of byte strings.
    pub fn texts(texts: impl IntoIterator<Item = &'a str>) -> Value<'a> {
        Value::List(texts.into_iter().map(Value::from).collect())
    }

    /// What a dictionary has under this key.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.entries().find(|(known, _)| *known == key.as_bytes()).map(|(_, value)| value)
    }

    /// What a dictionary has under this key, if it is UTF-8.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_text()
    }

    /// A byte string, if it is UTF-8.
    pub fn as_text(&self) -> Option<&'a str> {
        match self {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// What is in a dictionary.
    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], &Value<'a>)> {
        let entries = if let Value::Dictionary(entries) = self { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, value)| (*key, value))
    }

    /// What is in a list.
    pub fn items(&self) -> &[Value<'a>] {
        if let Value::List(items) = self { items } else { &[] }
    }

    /// Writes it behind what is in `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Bytes(bytes) => write_bytes(bytes, out),
            Value::Integer(number) => out.extend(format!("i{number}e").bytes()),
            Value::List(items) => {
                out.push(b'l');
                items.iter().for_each(|item| item.write(out));
                out.push(b'e');
            }
            Value::Dictionary(entries) => {
                out.push(b'd');
                for (key, value) in entries {
                    write_bytes(key, out);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Bytes(text.as_bytes())
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend(bytes);
}

fn value(bytes: &[u8], depth: u32) -> Option<(Value<'_>, &[u8])> {
    let (first, behind) = bytes.split_first()?;
    match first {
        b'i' => {
            let (number, rest) = number(behind, b'e')?;
            Some((Value::Integer(number), rest))
        }
        b'l' if depth < DEPTH_MAX => {
            let (mut items, mut rest) = (Vec::new(), behind);
            while rest.first()? != &b'e' {
                let (item, behind) = value(rest, depth + 1)?;
                items.push(item);
                rest = behind;
            }
            Some((Value::List(items), &rest[1..]))
        }
        b'd' if depth < DEPTH_MAX => {
            let (mut entries, mut rest) = (Vec::new(), behind);
            while rest.first()? != &b'e' {
                let (key, behind) = byte_string(rest)?;
                let (value, behind) = value(behind, depth + 1)?;
                entries.push((key, value));
                rest = behind;
            }
            Some((Value::Dictionary(entries), &rest[1..]))
        }
        b'0'..=b'9' => byte_string(bytes).map(|(bytes, rest)| (Value::Bytes(bytes), rest)),
        _ => None,
    }
}

fn byte_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes, b':')?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// A number up to its end byte, and what stands behind that.
fn number(bytes: &[u8], end: u8) -> Option<(i64, &[u8])> {
    let length = bytes.iter().take(21).position(|byte| *byte == end)?;
    let text = std::str::from_utf8(&bytes[..length]).ok().filter(|text| !text.starts_with('+'))?;
    Some((text.parse().ok()?, &bytes[length + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let value = Value::dictionary([
            ("command", "query".into()),
            ("flags", Value::texts(["all", "SIPREC"])),
            ("n", Value::Integer(-42)),
            ("in", Value::dictionary([])),
        ]);
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        assert_eq!(bytes, b"d7:command5:query5:flagsl3:all6:SIPRECe1:ni-42e2:indee");
        assert_eq!(Value::read(&bytes), Some(value));
        for end in 0..bytes.len() {
            assert_eq!(Value::read(&bytes[..end]), None);
        }
    }

    #[test]
    fn entries_are_found_by_name() {
        let value = Value::read(b"d6:result2:ok4:tagsd1:ad5:label5:agenteee trailing").unwrap();
        assert_eq!(value.text("result"), Some("ok"));
        assert_eq!(value.get("tags").unwrap().entries().next().unwrap().1.text("label"), Some("agent"));
        assert_eq!((value.text("tags"), value.text("absent"), value.items().len()), (None, None, 0));
    }

    #[test]
    fn lies_about_lengths_and_depth_are_refused() {
        for bytes in [
            &b"99999999999999999999:a"[..],
            b"9223372036854775807:a",
            b"-1:a",
            b"+1:a",
            b"i99999999999999999999e",
            b"ie",
            b"i1",
            b"di1e1:ae",
            b"d1:ae",
            b"l",
            b"x",
        ] {
            assert_eq!(Value::read(bytes), None, "{}", bytes.escape_ascii());
        }
        assert_eq!(Value::read(&b"l".repeat(65_000)), None);
        assert!(Value::read(&[b"l".repeat(16), b"e".repeat(16)].concat()).is_some());
        assert_eq!(Value::read(&[b"l".repeat(17), b"e".repeat(17)].concat()), None);
    }
}
