//! Text messages of mod_audio_stream, mod_audio_fork and jambonz: the first one, and those after it.

use oneside::source::wire::audio_stream::{Text, parse, parse_first};
use oneside::source::wire::json::{WORD_BYTES_MAX, WORDS_MAX};

/// What is kept is bounded; a key is a key.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(first) = parse_first(text) {
        assert!(first.words.len() <= WORDS_MAX);
        assert!(first.words.iter().all(|(_, value)| value.len() <= WORD_BYTES_MAX));
        assert!(first.plain.is_none() || first.words.is_empty());
    }
    if let Text::Digit(digit) = parse(text) {
        assert!("0123456789*#ABCD".contains(digit));
    }
}
