//! Small files that settings name: the key for hashed names, the list of revoked tokens.

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

/// Reads a list of token ids, one a line; empty lines and lines that begin with `#` do not count.
pub fn read_token_list(path: &Path) -> Result<HashSet<String>, ConfigError> {
    let bytes = read_key(path)?;
    let text = String::from_utf8(bytes).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        message: format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
    })?;
    let ids = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(ids.map(str::to_owned).collect())
}
