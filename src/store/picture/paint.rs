//! The colours and patterns of the fates, the same for lanes and legend. Every fate differs from every other by pattern or
//! lightness as well as by hue; the hues are those of Okabe and Ito, which colour-blind people can tell apart.

use super::svg::PALE;
use crate::consent::Dropped;

/// The agent's stored talk.
pub(super) const STORED: &str = "#0072b2";
/// The customer's kept voice.
pub(super) const KEPT: &str = "#009e73";
/// An open door.
pub(super) const OPEN: &str = "#bfe6da";
/// Something that shuts.
pub(super) const SHUT: &str = "#c0480a";
/// Activity of the customer's side that was not kept, from hardly any to all of the time.
pub(super) const DROPPED_ACTIVITY: [&str; 3] = ["#d5d9de", "#b3bac2", "#8c96a1"];
/// Activity of the customer's side that was kept, from hardly any to all of the time.
pub(super) const KEPT_ACTIVITY: [&str; 3] = ["#a6dccb", "#59c2a2", KEPT];

/// The fill of what was left out for a reason.
pub(super) fn fill(reason: Dropped) -> &'static str {
    match reason {
        Dropped::NotSpeech | Dropped::NoDecision => PALE,
        Dropped::Bleed => "url(#bleed)",
        Dropped::Doubt => "url(#doubt)",
        Dropped::Paused => "url(#paused)",
        Dropped::Quarantined => "url(#quarantined)",
        Dropped::Refused => "url(#refused)",
        Dropped::Withdrawn => "url(#withdrawn)",
        Dropped::WithdrawnLater => "url(#later)",
        Dropped::Expired => "url(#expired)",
        Dropped::Held => "url(#held)",
        Dropped::CallOver => "#dde1e5",
        Dropped::Private => "url(#private)",
        Dropped::OutsideWindow => "url(#window)",
        Dropped::Masked => "url(#masked)",
        Dropped::Tone => "url(#tone)",
        Dropped::Interrupted => "url(#interrupted)",
        Dropped::Lost => "url(#lost)",
        Dropped::Absent => "url(#absent)",
        Dropped::Undecoded => "url(#undecoded)",
    }
}

/// A reason in a few words.
pub(super) fn words(reason: Dropped) -> &'static str {
    match reason {
        Dropped::NotSpeech => "not speech",
        Dropped::Bleed => "customer's voice in the microphone",
        Dropped::Doubt => "sides cannot be told apart",
        Dropped::Paused => "paused",
        Dropped::Quarantined => "quarantined",
        Dropped::NoDecision => "no decision",
        Dropped::Refused => "refused",
        Dropped::Withdrawn => "withdrawn",
        Dropped::WithdrawnLater => "withdrawn later",
        Dropped::Expired => "consent ran out",
        Dropped::Held => "on hold",
        Dropped::CallOver => "call over",
        Dropped::Private => "private",
        Dropped::OutsideWindow => "outside the recording window",
        Dropped::Masked => "masked",
        Dropped::Tone => "tone of a key",
        Dropped::Interrupted => "interrupted",
        Dropped::Lost => "lost on its way",
        Dropped::Absent => "nothing was sent",
        Dropped::Undecoded => "not decoded",
    }
}

/// The patterns that [`fill`] names.
pub(super) fn patterns() -> String {
    let tile = |id: &str, size: u32, ground: &str, stroke: &str, path: &str| {
        format!(
            r#"<pattern id="{id}" patternUnits="userSpaceOnUse" width="{size}" height="{size}"><rect width="{size}" height="{size}" fill="{ground}"/><path d="{path}" stroke="{stroke}" stroke-width="1.6" fill="none"/></pattern>
"#
        )
    };
    // Diagonals run over the tile's corners, so that neighbouring tiles meet without a gap.
    let rising = "M-2 2L2 -2M0 8L8 0M6 10L10 6";
    let falling = "M-2 6L2 10M0 0L8 8M6 -2L10 2";
    let crossed = format!("{rising}{falling}");
    [
        tile("bleed", 8, "#f6c667", "#a85f00", rising),
        tile("doubt", 6, "#e7c3d8", "#8f3f73", "M2 3h2"),
        tile("paused", 8, "#ffffff", "#6b7680", "M2 0v8M6 0v8"),
        tile("quarantined", 8, "#f3c9b5", "#b23c00", &crossed),
        tile("refused", 8, "#f8ddcf", "#c0480a", falling),
        tile("withdrawn", 8, "#f8ddcf", "#c0480a", "M0 2h8M0 6h8"),
        tile("later", 8, "#fdf3cf", "#b08900", "M0 4h4"),
        tile("expired", 8, "#f4f5f6", "#6b7680", &crossed),
        tile("held", 6, "#e3eef7", "#3d7ea6", "M2 3h2"),
        tile("private", 8, "#ffffff", "#3f4a54", "M0 2h8M0 6h8"),
        tile("window", 8, "#eceff1", "#6b7680", falling),
        tile("masked", 8, "#4a5560", "#1f262d", rising),
        tile("tone", 6, "#ffffff", "#1f2933", "M2 3h2"),
        tile("interrupted", 8, "#f3c9b5", "#9a3606", "M2 0v8M6 0v8"),
        tile("lost", 8, "#ffffff", "#c0480a", "M2 2L6 6M2 6L6 2"),
        tile("absent", 8, "#f4f5f6", "#9aa5b1", "M0 4h4"),
        tile("undecoded", 8, "#eef1f4", "#7b8794", "M4 0v4"),
    ]
    .concat()
}
