//! What may be told of an input, in files and on the screen: everything, or with hashed names no name and no path
//! (ANO-02).

use super::job::{JobError, Orders};
use crate::source::Input;

/// Where an error names the call that a line is about, which may be anybody's.
const ABOUT: &str = "but the line is about `";

impl Orders {
    /// An error as it may be told.
    pub fn told(&self, error: &JobError, input: &Input) -> String {
        let mut text = error.to_string();
        if self.namer.is_none() {
            return text;
        }
        let mut paths: Vec<(String, &str)> =
            input.sound.paths().iter().map(|path| (path.display().to_string(), "input")).collect();
        paths.extend(input.events.iter().map(|path| (path.display().to_string(), "events file")));
        let dirs = input.sound.paths().into_iter().filter_map(|path| path.parent());
        // A directory of one part could be any word of the error.
        let dirs = dirs.filter(|dir| dir.components().count() > 1).map(|dir| (dir.display().to_string(), "directory"));
        paths.extend(dirs.collect::<Vec<_>>());
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        for (path, word) in paths {
            text = without_path(&text, &path, word);
        }
        let last = input.name.rsplit('/').next().unwrap_or(&input.name);
        for name in [input.name.as_str(), last] {
            text = text.replace(&format!("`{name}`"), &format!("`{}`", self.stored_name(input)));
        }
        if let Some(at) = text.find(ABOUT) {
            text.truncate(at);
            text.push_str("but the line is about another call");
        }
        text
    }

    /// The files of an input as they may be told.
    pub fn told_paths(&self, input: &Input) -> Vec<String> {
        let paths = input.sound.paths().into_iter();
        paths.map(|path| if self.namer.is_some() { "input".into() } else { path.display().to_string() }).collect()
    }
}

/// A text with a word in the place of a path, wherever the path stands whole: a short one may be part of a word.
pub fn without_path(text: &str, path: &str, word: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '/' | '\\' | '_' | '-');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(path).filter(|_| !path.is_empty()) {
        let (front, behind) = (&rest[..at], &rest[at + path.len()..]);
        let begins = !front.chars().next_back().or(out.chars().next_back()).is_some_and(|c| part(c) || c == '.');
        let ends = !behind.trim_start_matches('.').chars().next().is_some_and(|c| part(c) && !behind.is_empty());
        out.push_str(front);
        out.push_str(if begins && ends { word } else { path });
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_replaced_where_it_stands_whole_and_nowhere_else() {
        assert_eq!(without_path("in/a.wav: not in/a.wav.bak, in/a.wav", "in/a.wav", "X"), "X: not in/a.wav.bak, X");
        assert_eq!(without_path("the call ends", "all", "X"), "the call ends");
        assert_eq!(without_path("text", "", "X"), "text");
    }
}
