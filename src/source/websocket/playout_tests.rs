//! Tests of [`super`].

use super::*;

const RATE: u32 = 8_000;

fn sound(byte: u8, frames: usize) -> Result<Zeroizing<Vec<u8>>, u64> {
    Ok(Zeroizing::new(vec![byte; frames]))
}

fn laid(track: &mut Track, to: u64) -> Vec<String> {
    let mut pieces = Vec::new();
    track.lay(to, |piece| {
        pieces.push(match piece {
            Piece::Sound(bytes) => format!("{}×{}", bytes[0], bytes.len()),
            Piece::Undecoded(frames) => format!("undecoded×{frames}"),
            Piece::Lost(frames) => format!("lost×{frames}"),
            Piece::Absent(frames) => format!("absent×{frames}"),
        });
    });
    pieces
}

#[test]
fn chunks_are_laid_in_the_order_of_their_places() {
    let mut track = Track::default();
    for (at, byte) in [(160, 2), (0, 1), (480, 4), (320, 3)] {
        assert_eq!(track.put(at, sound(byte, 160), RATE), Put::Waits);
    }
    assert_eq!(laid(&mut track, 640), ["1×160", "2×160", "3×160", "4×160"]);
}

#[test]
fn what_never_came_keeps_its_length_and_its_reason() {
    let mut track = Track::default();
    track.put(160, sound(1, 160), RATE);
    track.put(480, sound(2, 160), RATE);
    assert_eq!(laid(&mut track, 800), ["absent×160", "1×160", "lost×160", "2×160", "absent×160"]);
    assert_eq!(track.put(320, sound(3, 160), RATE), Put::Late);
}

#[test]
fn a_chunk_is_cut_where_the_line_ends_and_where_another_covers_it() {
    let mut track = Track::default();
    track.put(0, sound(1, 160), RATE);
    track.put(100, sound(2, 160), RATE);
    assert_eq!(laid(&mut track, 50), ["1×50"]);
    assert_eq!(laid(&mut track, 300), ["1×110", "2×100", "absent×40"]);
}

#[test]
fn what_nobody_may_decode_is_only_counted() {
    let mut track = Track::default();
    track.put(0, Err(160), RATE);
    track.put(160, sound(1, 160), RATE);
    assert_eq!(laid(&mut track, 100), ["undecoded×100"]);
    assert_eq!(laid(&mut track, 320), ["undecoded×60", "1×160"]);
}

#[test]
fn doubles_lies_and_floods_are_bounded() {
    let mut track = Track::default();
    assert_eq!(track.put(0, sound(1, 160), RATE), Put::Waits);
    assert_eq!(track.put(0, sound(2, 160), RATE), Put::Twice);
    assert_eq!(track.put(u64::MAX - 1, sound(1, 160), RATE), Put::Refused);
    assert_eq!(track.put(31 * u64::from(RATE), sound(1, 160), RATE), Put::Refused);
    let put: Vec<_> = (1..1_000).map(|n| track.put(n * 160, sound(1, 160), RATE)).collect();
    assert_eq!(put.iter().filter(|put| **put == Put::Waits).count(), WAITING_MAX - 1);
}

#[test]
fn the_line_follows_the_media_and_without_any_the_clock() {
    let mut line = Line::new(RATE, 100, 1_000);
    assert_eq!(line.target(5_000_000_000), 0, "nothing has come");
    line.came(160, 3_000_000_000);
    assert_eq!(line.target(3_000_000_000), 0);
    line.came(1_600, 3_180_000_000);
    assert_eq!(line.target(3_180_000_000), 800, "100 ms behind the newest");
    assert_eq!(line.target(4_180_000_000), 1_600, "a second behind the clock, when nothing comes");
    assert_eq!(line.target(14_180_000_000), 81_600);
    assert_eq!(line.newest(), 1_600);
}

#[test]
fn a_sender_whose_clock_is_slow_is_followed() {
    let mut line = Line::new(RATE, 100, 1_000);
    let mut end = 0;
    for step in 0..500_000u64 {
        // 20 ms of sound every 20.002 ms: after 10,000 s it is a second behind.
        end += 160;
        line.came(end, step * 20_002_000);
        assert!(line.target(step * 20_002_000) <= end, "sound that is on its way is not taken for missing");
    }
}
