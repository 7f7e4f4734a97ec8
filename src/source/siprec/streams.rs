//! What an offer says of streams that were there before.

use crate::source::wire::siprec::{Direction, Media, Offer, Sides};

/// One of the parties does not send: sound of both stops for that time.
pub(super) fn is_on_hold(offer: &Offer, sides: &Sides) -> bool {
    let silent = |number: usize| {
        offer.media.get(number).is_none_or(|media| media.direction == Direction::Silent || !is_there(media))
    };
    silent(sides.agent) || sides.customer.is_some_and(silent)
}

/// Whether it is a stream of sound at present.
pub(super) fn is_there(media: &Media) -> bool {
    media.audio && media.port != 0
}

/// Whether the streams are those that they were. One that is not there needs no label (RFC 3264 §8.2).
pub(super) fn same_labels(before: &Offer, now: &Offer, sides: &Sides) -> bool {
    [Some(sides.agent), sides.customer].into_iter().flatten().all(|number| {
        let (before, now) = (before.media.get(number), now.media.get(number));
        let gone = [before, now].into_iter().flatten().any(|media| !is_there(media));
        gone || before.map(|media| &media.label) == now.map(|media| &media.label)
    })
}
