//! Parameters, addresses and lists within the value of a header; quotes are heeded.

/// A parameter of a header's value that stands behind the address: `<sip:a@b;x=1>;tag=…`. Names are matched in any case.
pub fn param(value: &str, name: &str) -> Option<String> {
    pieces(behind_address(value), ';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The text from the end of `<…>` on; all of it where there is none. A `<` within quotes is none.
fn behind_address(value: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, character) in value.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return value[at..].find('>').map_or("", |end| &value[at + end..]),
            _ => {}
        }
    }
    value
}

/// The address within `<…>`, or what stands before the first `;`.
pub fn address(value: &str) -> Option<&str> {
    let behind = behind_address(value);
    if behind.starts_with('>') {
        let end = value.len() - behind.len();
        return value[..end].rfind('<').map(|at| value[at + 1..end].trim()).filter(|uri| !uri.is_empty());
    }
    value.split(';').next().map(str::trim).filter(|uri| !uri.is_empty() && !uri.contains(['<', '>', '"']))
}

/// A list cut at a separator that does not stand within quotes.
pub fn pieces(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if character == separator && !quoted => {
                    rest = Some(&text[at + character.len_utf8()..]);
                    return Some(&text[..at]);
                }
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}
