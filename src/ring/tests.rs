//! The ring: nothing shifts, nothing stays, and no interleaving of the two threads lets an event count too early.

use super::*;

impl Word for shuttle::sync::atomic::AtomicU64 {
    fn new(value: u64) -> Self {
        shuttle::sync::atomic::AtomicU64::new(value)
    }

    fn load(&self) -> u64 {
        shuttle::sync::atomic::AtomicU64::load(self, Ordering::SeqCst)
    }

    fn store(&self, value: u64) {
        shuttle::sync::atomic::AtomicU64::store(self, value, Ordering::SeqCst);
    }
}

/// Reads everything: the time line with `None` where a frame is missing.
fn line<W: Word>(drain: &mut Drain<W>) -> (Vec<Option<i16>>, bool) {
    let mut line = Vec::new();
    let mut block = [0; 6];
    loop {
        match drain.read(&mut block) {
            Piece::Sound(frames) => {
                line.extend(block[..frames * drain.channels()].iter().step_by(drain.channels()).map(|s| Some(*s)))
            }
            Piece::Gap { frames, .. } => line.extend((0..frames).map(|_| None)),
            Piece::Nothing => return (line, false),
            Piece::Ended => return (line, true),
        }
    }
}

fn counted(range: std::ops::Range<i16>) -> Vec<i16> {
    range.flat_map(|n| [n, -n]).collect()
}

#[test]
fn what_finds_no_room_is_a_gap_of_its_length_and_later_sound_keeps_its_place() {
    let (mut inlet, mut drain) = ring(4, 2);
    assert_eq!(inlet.push(&counted(1..7)), 2);
    assert_eq!(inlet.push(&counted(7..9)), 2);
    let (mut whole, _) = line(&mut drain);
    assert_eq!(inlet.push(&counted(9..12)), 0);
    inlet.skip(2, Why::Source);
    assert_eq!(inlet.push(&counted(14..15)), 0);
    assert_eq!(inlet.position().end(), 14);
    drop(inlet);
    let (rest, ended) = line(&mut drain);
    whole.extend(rest);
    assert!(ended);
    let expected: Vec<Option<i16>> = (1..15).map(|n| (!matches!(n, 5..=8 | 12 | 13)).then_some(n)).collect();
    assert_eq!(whole, expected);
    assert_eq!(drain.at(), 14);
}

#[test]
fn more_gaps_than_can_wait_become_one_and_the_length_still_holds() {
    let (mut inlet, mut drain) = ring(1, 1);
    for n in 0..1_000 {
        inlet.push(&[n]);
        inlet.skip(1, Why::Source);
    }
    drop(inlet);
    let (whole, ended) = line(&mut drain);
    assert!(ended);
    assert_eq!((whole.len(), whole[0]), (2_000, Some(0)));
    assert!(whole[1..].iter().all(Option::is_none), "nothing is placed before a gap that was not said");
}

#[test]
fn what_was_read_is_wiped() {
    let (mut inlet, mut drain) = ring(8, 1);
    inlet.push(&[11; 6]);
    let mut out = [0; 4];
    assert_eq!(drain.read(&mut out), Piece::Sound(4));
    // What lies before the read end can be reached again once the ring has gone round.
    let (first, second) = inlet.samples.vacant_slices_mut();
    let vacant: Vec<i16> = first.iter_mut().chain(second).map(|place| *place.write(0)).collect();
    assert_eq!(vacant.len(), 6);
    assert_eq!(drain.read(&mut out), Piece::Sound(2));
    let (first, _) = drain.samples.as_mut_slices();
    assert!(first.is_empty());
}

/// Three threads: a source that delivers five frames in pieces into a ring that is too small, a worker, and somebody
/// whose grant arrives at any moment. Every sample whose delivery had begun before the grant lies before its stamp.
fn one_schedule() {
    let (mut inlet, mut drain) = with_words::<shuttle::sync::atomic::AtomicU64>(2, 1);
    let position = inlet.position();
    let begun = std::sync::Arc::new(shuttle::sync::atomic::AtomicU64::new(0));
    let delivering = std::sync::Arc::clone(&begun);
    let source = shuttle::thread::spawn(move || {
        for piece in [&[1i16, 2][..], &[3], &[4, 5]] {
            inlet.push(piece);
            delivering.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
    });
    let grant = shuttle::thread::spawn(move || {
        let delivered = begun.load(Ordering::SeqCst);
        let stamp = position.end();
        assert!(stamp >= delivered, "a grant counts from {stamp}, but {delivered} frames had been delivered before it");
    });
    let worker = shuttle::thread::spawn(move || {
        let mut whole = Vec::new();
        loop {
            let (piece, ended) = line(&mut drain);
            whole.extend(piece);
            if ended {
                break whole;
            }
            shuttle::thread::yield_now();
        }
    });
    source.join().unwrap();
    grant.join().unwrap();
    let whole = worker.join().unwrap();
    assert_eq!(whole.len(), 5);
    for (at, sample) in whole.into_iter().enumerate() {
        assert!(sample.is_none_or(|sample| sample == at as i16 + 1), "frame {at} shifted");
    }
}

#[test]
fn no_schedule_of_source_worker_and_event_breaks_the_order() {
    shuttle::check_random(one_schedule, 20_000);
    shuttle::check_pct(one_schedule, 5_000, 3);
}

/// The stamp and the worker's place: sound that the worker has read lies before any stamp taken afterwards.
#[test]
fn no_schedule_lets_the_worker_read_past_a_later_stamp() {
    let schedule = || {
        let (mut inlet, mut drain) = with_words::<shuttle::sync::atomic::AtomicU64>(4, 1);
        let position = inlet.position();
        let source = shuttle::thread::spawn(move || {
            inlet.push(&[1, 2]);
            inlet.push(&[3]);
        });
        let worker = shuttle::thread::spawn(move || {
            let mut block = [0; 4];
            for _ in 0..4 {
                drain.read(&mut block);
                assert!(position.end() >= drain.at());
                shuttle::thread::yield_now();
            }
        });
        source.join().unwrap();
        worker.join().unwrap();
    };
    shuttle::check_random(schedule, 20_000);
}
