//! Small files that settings name: the key for hashed names, the list of revoked tokens, the token of the HTTP API, its
//! certificate and key.

use std::collections::HashSet;
use std::path::Path;

use super::ConfigError;

/// Largest of such files, bytes.
const BYTES_MAX: u64 = 16 << 20;

/// Reads a key.
pub fn read_key(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > BYTES_MAX {
        return Err(ConfigError::Malformed { path: path.to_owned(), message: format!("{size} bytes are no key") });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Reads a text.
pub fn read_text(path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(read_key(path)?).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        message: format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
    })
}

/// Reads a list of token ids, one a line; empty lines and lines that begin with `#` do not count.
pub fn read_token_list(path: &Path) -> Result<HashSet<String>, ConfigError> {
    let text = read_text(path)?;
    let ids = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(ids.map(str::to_owned).collect())
}

/// Fewest characters of a token: with fewer, it can be guessed.
pub const TOKEN_CHARS_MIN: usize = 16;
/// Most of them.
const TOKEN_CHARS_MAX: usize = 512;

/// Reads a token of one line, as it goes into an `Authorization` header.
pub fn read_token(path: &Path) -> Result<String, ConfigError> {
    let bytes = read_key(path)?;
    let malformed = |message: String| ConfigError::Malformed { path: path.to_owned(), message };
    let text = String::from_utf8(bytes).map_err(|_| malformed("a token is plain text".into()))?;
    let token = text.trim();
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("a token is one line of ASCII characters without spaces".into()));
    }
    if !(TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&token.len()) {
        return Err(malformed(format!(
            "a token has {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters, this one {}; make one with `openssl rand -hex 32`",
            token.len()
        )));
    }
    Ok(token.to_owned())
}
