//! Whose packets count.

use std::sync::Mutex;

use super::*;
use crate::source::exchange::Said;

fn address(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

fn later(ms: u64, since: Instant) -> Instant {
    since + Duration::from_millis(ms)
}

fn from(peer: Option<SocketAddr>, prefers: Option<u16>) -> Stream {
    Stream { peer, prefers, ..Stream::default() }
}

#[test]
fn of_two_that_send_in_turns_only_the_first_counts() {
    let (mut lock, began, stream) = (Lock::default(), Instant::now(), from(Some(address(0)), None));
    for packet in 0..1_000 {
        let now = later(packet * 20, began);
        assert_eq!(lock.admits(&stream, address(4), now), Admitted::Yes);
        assert_eq!(lock.admits(&stream, address(6), later(10, now)), Admitted::No, "{packet}");
    }
    assert_eq!(lock.admits(&stream, address(6), later(19_980 + 1_000, began)), Admitted::No);
    assert_eq!(lock.admits(&stream, address(6), later(19_980 + 1_001, began)), Admitted::Yes, "the first is silent");
    assert_eq!(lock.admits(&stream, address(4), later(19_980 + 1_020, began)), Admitted::No);
    assert_eq!(lock.admits(&stream, ([192, 0, 2, 2], 4).into(), later(60_000, began)), Admitted::No, "another host");
}

#[test]
fn two_that_send_at_the_beginning_to_whom_nobody_was_named_are_a_doubt() {
    let doubts = |stream: Stream, every_ms: u64| {
        let (mut lock, began) = (Lock::default(), Instant::now());
        let said = (0..20).flat_map(|packet| [4, 6].map(|port| (packet * every_ms, port)));
        let said: Vec<_> = said.map(|(ms, port)| lock.admits(&stream, address(port), later(ms, began))).collect();
        said.iter().filter(|said| **said == Admitted::Doubtful).count()
    };
    assert_eq!(doubts(from(None, None), 20), 1, "once");
    assert_eq!(doubts(from(None, None), 1_000), 0, "too slow to be heard in the opening phase");
    assert_eq!(doubts(from(Some(address(0)), None), 20), 0);
    let (mut lock, now, stream) = (Lock::default(), Instant::now(), from(None, None));
    assert_eq!(lock.admits(&stream, address(4), now), Admitted::Yes);
    let strays: Vec<_> = (0..2).map(|_| lock.admits(&stream, address(6), now)).collect();
    assert_eq!(strays, [Admitted::No; 2], "a stray packet is no sender");
}

#[test]
fn the_preferred_port_counts_before_others_and_others_where_it_does_not_send() {
    let (mut lock, began, stream) = (Lock::default(), Instant::now(), from(Some(address(0)), Some(6)));
    for packet in 0..10 {
        assert_eq!(lock.admits(&stream, address(4), later(packet * 20, began)), Admitted::Yes, "the only sender");
    }
    assert_eq!(lock.admits(&stream, address(6), later(210, began)), Admitted::Yes);
    assert_eq!(lock.admits(&stream, address(4), later(220, began)), Admitted::No);
    assert_eq!(lock.admits(&stream, address(6), later(230, began)), Admitted::Yes);
}

/// Time stamps by which a key would lie before what is laid, where it is, and the places that are told.
#[test]
fn a_key_never_lies_before_what_is_laid() {
    let (told, line) = line();
    let (inlet, _drain) = crate::ring::ring(80_000, 1);
    let (mut leg, _) = Leg::new(inlet, 1, crate::source::wire::pace::Pace::packets(8_000), line.clone());
    leg.missing(4_000, Why::Absent);
    for (place, counts) in
        [(Some(0), Some(4_000)), (Some(3_999), Some(4_000)), (Some(5_000), Some(5_000)), (None, None)]
    {
        tell(&line, Party::Customer, place, leg.end(), &mut 0, Key { digit: '1', at: 0, still_down: false });
        let expected = Said::Digit { party: Party::Customer, digit: '1', place: counts };
        assert_eq!(told.lock().unwrap().pop(), Some(expected));
    }
}

fn line() -> (Arc<Mutex<Vec<Said>>>, CallLine) {
    let told: Arc<Mutex<Vec<Said>>> = Arc::default();
    let keep = Arc::clone(&told);
    let tell = Box::new(move |said| keep.lock().unwrap().push(said));
    (told, CallLine::new("a".into(), tell, Arc::default()))
}
