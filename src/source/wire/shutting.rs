//! Words that want to shut something, also misspelt: whoever wrote them meant a voice to be let go, so they are never
//! passed over as unknown.

/// How words begin that mean something shuts, in feeds that do not use ours.
const BEGINNINGS: [&str; 26] = [
    "refus",
    "withdr",
    "revok",
    "revoc",
    "optout",
    "optedout",
    "declin",
    "reject",
    "denied",
    "deny",
    "join",
    "transfer",
    "conferenc",
    "paus",
    "hold",
    "held",
    "hang",
    "hung",
    "end",
    "mute",
    "stop",
    "eras",
    "delet",
    "mask",
    "privat",
    "windowclos",
];

/// Of these, those that are telling enough to count anywhere in a word (`customerrefused`). The others stand in harmless
/// words too (`threshold`, `pending`).
const ANYWHERE: [&str; 15] = [
    "refus",
    "withdr",
    "revok",
    "optout",
    "optedout",
    "declin",
    "reject",
    "denied",
    "join",
    "transfer",
    "conferenc",
    "paus",
    "hangup",
    "hungup",
    "onhold",
];

/// Words that a misspelling is held against.
const WHOLE: [&str; 26] = [
    "refused",
    "refuse",
    "refusal",
    "withdrawn",
    "withdraw",
    "withdrew",
    "withdrawal",
    "joined",
    "paused",
    "pause",
    "held",
    "hold",
    "hungup",
    "hangup",
    "hung",
    "revoked",
    "revoke",
    "declined",
    "decline",
    "rejected",
    "optout",
    "optedout",
    "transferred",
    "transfer",
    "masked",
    "private",
];

/// Words that shut nothing and look like some that do (`resumed`, `refused`). What is nearer to one of these is taken for
/// it; in doubt it shuts.
const HARMLESS: [&str; 16] = [
    "told",
    "granted",
    "resumed",
    "resume",
    "retrieved",
    "retrieve",
    "left",
    "opened",
    "answered",
    "ringing",
    "implied",
    "unknown",
    "selected",
    "asked",
    "talked",
    "marked",
];

/// Most slips of the pen in a word of five letters and more. Shorter words have one: with two, they are any word.
const SLIPS_MAX: usize = 2;

/// Whether a kind of event that nobody knows wants to shut something.
pub(super) fn shuts(kind: &str) -> bool {
    let words = words(kind);
    let bare = words.concat();
    ANYWHERE.iter().any(|stem| bare.contains(stem))
        || words
            .iter()
            .chain([&bare])
            .any(|word| BEGINNINGS.iter().any(|stem| word.starts_with(stem)) || misspelt(word))
}

/// The words of a kind, in lower case: `customer_refused`, `customer-refused` and `customerRefused` are two.
fn words(kind: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in kind.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && after_lower {
            words.push(String::new());
        }
        after_lower = letter.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn misspelt(word: &str) -> bool {
    let nearest = |list: &[&str]| list.iter().filter_map(|known| slips(word, known)).min();
    let may_have = |known: &str| if known.len() < 5 { 1 } else { SLIPS_MAX };
    let shut = WHOLE.iter().filter_map(|known| slips(word, known).filter(|slips| *slips <= may_have(known))).min();
    shut.is_some_and(|shut| nearest(&HARMLESS).is_none_or(|harmless| shut <= harmless))
}

/// Letters left out, put in, exchanged or swapped with their neighbour between two words; `None` if more than count.
fn slips(word: &str, known: &str) -> Option<usize> {
    // A word from outside has any length; only few letters more or less than the known ones are worth a table.
    let one: Vec<char> = word.chars().take(known.len() + SLIPS_MAX + 1).collect();
    let other: Vec<char> = known.chars().collect();
    if one.len().abs_diff(other.len()) > SLIPS_MAX {
        return None;
    }
    let mut table: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, meant) in other.iter().enumerate() {
            let exchanged = table[i][j] + usize::from(letter != meant);
            let mut least = exchanged.min(table[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *meant {
                least = least.min(table[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        table.push(row);
    }
    table.last().and_then(|row| row.last()).copied().filter(|slips| *slips <= SLIPS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_shut_are_known_also_misspelt_and_among_others() {
        for word in [
            "wihtdrawn",
            "puased",
            "consent_withdrawn",
            "customer_refused",
            "recording_paused",
            "customerRefused",
            "recordingPuased",
            "CUSTOMER REFUSED",
            "refsued",
            "rfused",
            "refussed",
            "jioned",
            "joind",
            "hodl",
            "hled",
            "withrawn",
            "withdarwn",
            "wtihdrwan",
            "hnugup",
            "hung_pu",
            "call-on-hold",
            "opt_out",
            "opt_otu",
            "trasnfer",
            "tarnsferred",
            "revkoed",
            "declned",
            "call_ended",
            "resused",
            "customerwithdrew",
            "maskd",
            "maksed",
            "privte",
            "privat_call",
            "window_closed",
        ] {
            assert!(shuts(word), "{word}");
        }
    }

    #[test]
    fn words_that_open_or_mean_nothing_are_not_taken_for_such_that_shut() {
        for word in [
            "implied",
            "unknown",
            "stayed_on_line",
            "stayed_on_the_line",
            "answered",
            "ringing",
            "retrieved",
            "told",
            "granted",
            "resumed",
            "left",
            "opened",
            "Resumed",
            "Told",
            "recording_resumed",
            "resumd",
            "consented",
            "yes",
            "dtmf",
            "pending",
            "threshold",
            "connected",
            "selected",
            "",
            "7",
            "call_answered",
            "silence",
            "asked",
            "talked",
            "marked",
            "ß",
        ] {
            assert!(!shuts(word), "{word}");
        }
        assert!(!shuts(&"x".repeat(1 << 20)));
    }
}
