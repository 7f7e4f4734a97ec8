//! The buffer over networks of all kinds, in simulated time. The sender's sample `n` has the value `n`, so that everything
//! laid can be held against its place.

use super::*;

const RATE: u32 = 8_000;
const PACKET: u32 = 160;
const MS: u64 = 1_000_000;
const L16: Codec = Codec::L16 { rate_hz: RATE };

/// A packet on its way.
#[derive(Clone)]
struct Sent {
    /// Arrival, ns.
    at: u64,
    header: Header,
    /// The number of its first sample.
    first: u32,
    keys: bool,
}

/// What lies on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Sample(u32),
    Gone(Why),
}

fn sent(count: u32, first_sequence: u16, first_timestamp: u32) -> Vec<Sent> {
    (0..count)
        .map(|n| Sent {
            at: u64::from(n) * 20 * MS,
            header: Header {
                marker: n == 0,
                payload_type: 96,
                sequence: first_sequence.wrapping_add(n as u16),
                timestamp: first_timestamp.wrapping_add(n * PACKET),
                ssrc: 7,
            },
            first: n * PACKET,
            keys: false,
        })
        .collect()
}

/// A generator for the network's moods: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Delivers in the order of arrival, sweeps every 10 ms, and gives the line until a second after the last packet. A sample's
/// number is coded in two payload bytes, its upper part in the packet's length class: numbers wrap at 2¹⁶.
fn line(mut packets: Vec<Sent>) -> (Vec<Frame>, Counts) {
    packets.sort_by_key(|packet| packet.at);
    let last = packets.last().map_or(0, |packet| packet.at) + 1_000 * MS;
    let (mut jitter, mut frames, mut next) = (Jitter::new(RATE, 250), Vec::new(), 0);
    let mut now = 0;
    while now <= last {
        while next < packets.len() && packets[next].at <= now {
            deliver(&mut jitter, &packets[next], now);
            next += 1;
        }
        jitter.tick(now, &mut |piece| lay(piece, &mut frames));
        assert_eq!(frames.len() as u64, jitter.laid());
        let due = (now * u64::from(RATE) / 1_000_000_000).saturating_sub(2_000);
        assert!((due..=due + u64::from(PACKET)).contains(&jitter.laid()), "the line keeps up with the clock");
        now += 10 * MS;
    }
    (frames, jitter.counts())
}

fn deliver(jitter: &mut Jitter, packet: &Sent, now: u64) -> Taken {
    let payload: Vec<u8> = (packet.first..packet.first + PACKET).flat_map(|n| (n as u16).to_be_bytes()).collect();
    let sound = Content::Sound { codec: L16, payload: &payload, frames: PACKET };
    jitter.packet(now, &packet.header, 1, if packet.keys { Content::Other } else { sound })
}

fn lay(piece: Piece<'_>, frames: &mut Vec<Frame>) {
    match piece {
        Piece::Missing { frames: missing, why } => frames.extend((0..missing).map(|_| Frame::Gone(why))),
        Piece::Sound { payload, skip, frames: left, .. } => {
            let samples: Vec<u32> =
                payload.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).collect();
            assert_eq!(samples.len() as u32, skip + left);
            frames.extend(samples[skip as usize..].iter().map(|sample| Frame::Sample(*sample)));
        }
    }
}

/// Every sample lies where the first one says it must; how many there are.
fn in_place(frames: &[Frame]) -> usize {
    let samples = || {
        frames.iter().enumerate().filter_map(|(at, frame)| match frame {
            Frame::Sample(sample) => Some((at, *sample)),
            Frame::Gone(_) => None,
        })
    };
    let Some((at, first)) = samples().next() else { return 0 };
    let origin = at as i64 - i64::from(first);
    for (at, sample) in samples() {
        assert_eq!((at as i64 - origin) as u16, sample as u16, "at {at}");
    }
    samples().count()
}

fn gone(frames: &[Frame], why: Why) -> usize {
    frames.iter().filter(|frame| **frame == Frame::Gone(why)).count()
}

#[test]
fn a_calm_stream_lies_at_its_arrival_and_behind_the_delay_nothing_is_missing() {
    let (frames, counts) = line(sent(100, 65_500, u32::MAX - 2_000));
    assert_eq!(in_place(&frames), 16_000);
    assert_eq!(frames[0], Frame::Sample(0));
    assert_eq!((counts.packets, counts.lost, counts.late, counts.jumps), (100, 0, 0, 0));
}

#[test]
fn two_hundred_milliseconds_of_jitter_lose_nothing_and_move_nothing() {
    for seed in 1..60 {
        let mut chance = Chance(seed * 7_919);
        let mut packets = sent(1_500, 1, 1);
        for packet in &mut packets {
            packet.at += chance.below(200 * MS);
        }
        let (frames, counts) = line(packets);
        assert_eq!(in_place(&frames), 1_500 * PACKET as usize, "seed {seed}: {counts:?}");
        assert_eq!((counts.late, counts.jumps, counts.lost), (0, 0, 0), "seed {seed}");
        assert_eq!(gone(&frames[..240_000], Why::Source), 0);
    }
}

#[test]
fn loss_reordering_and_duplication_keep_every_place() {
    for seed in 1..60 {
        let mut chance = Chance(seed * 104_729);
        let (mut packets, mut lost, mut doubled) = (Vec::new(), 0, 0);
        for (number, mut packet) in sent(1_500, 60_000, 4_000_000_000).into_iter().enumerate() {
            packet.at += chance.below(80 * MS);
            if number > 0 && number < 1_499 && chance.below(20) == 0 {
                lost += 1;
                continue;
            }
            if chance.below(20) == 0 {
                doubled += 1;
                packets.push(Sent { at: packet.at + chance.below(100 * MS), ..packet.clone() });
            }
            packets.push(packet);
        }
        let (frames, counts) = line(packets);
        assert_eq!(in_place(&frames), (1_500 - lost) * PACKET as usize, "seed {seed}: {counts:?}");
        assert_eq!((counts.lost, counts.duplicates), (lost as u64, doubled), "seed {seed}");
        assert_eq!(gone(&frames, Why::Source), lost * PACKET as usize, "seed {seed}");
    }
}

#[test]
fn what_the_sender_did_not_send_is_absent_and_not_lost() {
    let mut packets = sent(100, 1, 1);
    packets.truncate(50);
    for mut later in sent(150, 1, 1).split_off(100) {
        later.header.sequence -= 50;
        packets.push(later);
    }
    packets[50].header.marker = true;
    let (frames, counts) = line(packets);
    assert_eq!(in_place(&frames), 100 * PACKET as usize);
    assert_eq!((counts.lost, counts.jumps, gone(&frames, Why::Source)), (0, 0, 0));
    assert_eq!(frames[8_000..16_000], [Frame::Gone(Why::Absent); 8_000]);
}

#[test]
fn an_outage_is_lost_as_far_as_that_shows_before_it_is_laid() {
    let mut packets = sent(200, 1, 1);
    packets.drain(50..100);
    let (frames, counts) = line(packets);
    assert_eq!(in_place(&frames), 150 * PACKET as usize);
    assert_eq!((counts.lost, counts.jumps), (50, 0));
    let (absent, lost) = (gone(&frames[..16_000], Why::Absent), gone(&frames[..16_000], Why::Source));
    assert_eq!(absent + lost, 50 * PACKET as usize);
    assert!(lost >= 1_900, "the last 250 ms of it: {lost}");
}

#[test]
fn what_came_too_late_or_found_no_room_is_lost() {
    let mut packets = sent(100, 1, 1);
    packets[50].at += 400 * MS;
    packets[51].at += 400 * MS;
    let (frames, counts) = line(packets);
    assert_eq!((counts.late, counts.lost), (2, 0));
    assert_eq!(gone(&frames[..16_000], Why::Source), 2 * PACKET as usize);
    // Without the next packet nothing of it was known when it was laid. With a packet that waits behind, it is.
    let mut jitter = Jitter::new(RATE, 250);
    let mut segments = Vec::new();
    let big = [0u8; BYTES_MAX - 1_000];
    for (packet, payload) in sent(3, 1, 1).iter().zip([&big[..320], &big, &big[..320]]) {
        let frames = if payload.len() == 320 { PACKET } else { 1 };
        let sound = Content::Sound { codec: L16, payload, frames };
        segments.push(jitter.packet(packet.at, &packet.header, 1, sound));
    }
    assert_eq!(segments, [Taken::New; 3]);
    let later = sent(5, 1, 1);
    let sound = Content::Sound { codec: L16, payload: &big, frames: PACKET };
    assert_eq!(jitter.packet(later[3].at, &later[3].header, 1, sound), Taken::Overflow);
    assert_eq!(deliver(&mut jitter, &later[4], later[4].at), Taken::New);
    let mut lost = 0;
    jitter.tick(1_000 * MS, &mut |piece| {
        if let Piece::Missing { frames, why: Why::Source } = piece {
            lost += frames;
        }
    });
    assert_eq!(lost, u64::from(PACKET));
}

#[test]
fn keys_between_sound_leave_a_gap_that_is_no_loss() {
    let mut packets = sent(30, 1, 1);
    for key in &mut packets[10..18] {
        (key.keys, key.header.timestamp) = (true, 1 + 10 * PACKET);
    }
    let (frames, counts) = line(packets);
    assert_eq!(in_place(&frames), 22 * PACKET as usize);
    assert_eq!((counts.lost, counts.jumps, gone(&frames, Why::Source)), (0, 0, 0));
}

#[test]
fn a_key_has_its_place_before_it_is_laid() {
    let mut jitter = Jitter::new(RATE, 250);
    for packet in sent(10, 1, u32::MAX - 100) {
        deliver(&mut jitter, &packet, packet.at);
    }
    assert_eq!(jitter.place((u32::MAX - 100).wrapping_add(1_200)), Some(1_200));
    assert_eq!(Jitter::new(RATE, 250).place(5), None);
}

#[test]
fn another_sender_lies_at_its_own_arrival_and_the_stragglers_of_the_first_are_left_out() {
    let first = sent(50, 1, 1);
    let mut packets = first[..49].to_vec();
    for mut packet in sent(50, 40_000, 900_000_000) {
        (packet.at, packet.header.ssrc, packet.first) = (packet.at + 1_100 * MS, 8, packet.first + 8_800);
        packets.push(packet);
    }
    packets.push(Sent { at: 1_130 * MS, ..first[49].clone() });
    let (frames, counts) = line(packets);
    assert_eq!(in_place(&frames), 99 * PACKET as usize);
    assert_eq!((counts.senders, counts.stragglers, counts.jumps), (1, 1, 0));
}

#[test]
fn a_jump_of_the_time_stamps_moves_nothing_that_came_after_it() {
    for jump in [1_000_000_000, 50_000, 0u32.wrapping_sub(30_000), 0u32.wrapping_sub(200), 0x8000_0000] {
        let mut packets = sent(100, 1, 1);
        for packet in &mut packets[50..] {
            packet.header.timestamp = packet.header.timestamp.wrapping_add(jump);
        }
        let (frames, counts) = line(packets);
        assert_eq!(in_place(&frames), 100 * PACKET as usize, "{jump}");
        assert_eq!(counts.jumps, 1, "{jump}");
    }
}

#[test]
fn sequence_numbers_that_begin_anew_do_so_at_their_arrival() {
    let mut packets = sent(100, 1, 1);
    for packet in &mut packets[50..] {
        packet.header.sequence = packet.header.sequence.wrapping_add(30_000);
    }
    let (frames, counts) = line(packets);
    assert_eq!((in_place(&frames), counts.jumps, counts.lost), (16_000, 1, 0));
}

#[test]
fn after_a_stall_of_the_network_what_is_late_is_left_out_and_the_rest_lies_right() {
    let mut packets = sent(300, 1, 1);
    for packet in &mut packets[100..150] {
        packet.at = 3_000 * MS;
    }
    let (frames, counts) = line(packets);
    assert!(counts.late >= 36 && counts.jumps == 0, "{counts:?}");
    assert_eq!(in_place(&frames), (300 - counts.late as usize) * PACKET as usize);
}

#[test]
fn time_stamps_that_stand_still_while_the_sender_holds_are_anchored_again() {
    let mut packets = sent(200, 1, 1);
    for packet in &mut packets[100..] {
        packet.at += 5_000 * MS;
        packet.first += 40_000;
    }
    let (frames, counts) = line(packets);
    assert_eq!(counts.jumps, 1);
    assert!((11..=14).contains(&counts.late), "{counts:?}");
    assert_eq!(in_place(&frames), (200 - counts.late as usize) * PACKET as usize);
}

/// An hour of a sender whose clock is off. Laid sound stays within the delay of its arrival, in steps.
#[test]
fn clocks_that_drift_apart_are_followed() {
    for per_million in [-300i64, -100, 100, 300] {
        let mut jitter = Jitter::new(RATE, 250);
        let (mut laid, mut furthest) = (0u64, 0i64);
        let mut next = sent(1, 1, 1).remove(0);
        for sweep in 0..360_000u64 {
            let now = sweep * 10 * MS;
            while next.at <= now {
                assert_eq!(deliver(&mut jitter, &next, now), Taken::New);
                furthest =
                    furthest.max((jitter.place(next.header.timestamp).unwrap() as i64 - (now / MS * 8) as i64).abs());
                next.at += (20_000_000 - 20 * per_million) as u64;
                next.header.sequence = next.header.sequence.wrapping_add(1);
                next.header.timestamp = next.header.timestamp.wrapping_add(PACKET);
                next.first = 0;
                next.header.marker = false;
            }
            jitter.tick(now, &mut |piece| {
                if let Piece::Sound { frames, .. } = piece {
                    laid += u64::from(frames)
                }
            });
        }
        let counts = jitter.counts();
        assert_eq!((counts.late, counts.jumps, counts.lost), (0, 0, 0), "{per_million}");
        assert!((10..90).contains(&counts.steps), "{per_million}: {counts:?}");
        assert!(furthest < 1_200, "{per_million}: {furthest}");
        assert!(laid > 28_700_000, "{per_million}: {laid}");
    }
}

#[test]
fn a_flood_finds_its_limits() {
    let mut jitter = Jitter::new(RATE, 250);
    let payload = [0u8; 1_400];
    for n in 0..10_000u32 {
        let header = Header { marker: false, payload_type: 0, sequence: n as u16, timestamp: n, ssrc: 1 };
        jitter.packet(0, &header, 1, Content::Sound { codec: Codec::Pcmu, payload: &payload, frames: 1_400 });
        assert!(jitter.pending.len() <= PACKETS_MAX && jitter.bytes <= BYTES_MAX);
    }
    assert!(jitter.counts().overflow > 9_000);
}

#[test]
fn random_packets_break_nothing_and_the_line_is_the_sum_of_its_pieces() {
    let mut chance = Chance(99);
    for _ in 0..200 {
        let (mut jitter, mut now, mut sum) = (Jitter::new(16_000, 250), 0, 0);
        for _ in 0..500 {
            now += chance.below(40 * MS);
            let header = Header {
                marker: chance.below(2) == 0,
                payload_type: 0,
                sequence: [chance.below(65_536), chance.below(300)][chance.below(2) as usize] as u16,
                timestamp: [chance.below(1 << 32), chance.below(40_000)][chance.below(2) as usize] as u32,
                ssrc: chance.below(20) as u32 / 19,
            };
            let payload = vec![1; 1 + chance.below(300) as usize];
            let sound = Content::Sound { codec: Codec::Pcma, payload: &payload, frames: 2 * payload.len() as u32 };
            jitter.packet(now, &header, 2, if chance.below(5) == 0 { Content::Other } else { sound });
            jitter.tick(now, &mut |piece| sum += frames_of(piece));
            assert_eq!(sum, jitter.laid());
        }
    }
}

fn frames_of(piece: Piece<'_>) -> u64 {
    match piece {
        Piece::Sound { frames, .. } => frames.into(),
        Piece::Missing { frames, .. } => frames,
    }
}

#[test]
fn at_its_end_all_that_came_is_laid_though_what_came_first_was_slow() {
    let mut packets = sent(40, 1, 0);
    for (n, packet) in packets.iter_mut().enumerate() {
        let spoken = n as u64 * 20 * MS;
        packet.at = spoken.max((spoken + 200 * MS).min(460 * MS));
    }
    let (mut jitter, mut frames, mut next) = (Jitter::new(RATE, 250), Vec::new(), 0);
    let end = packets[39].at;
    for now in (0..=end).step_by(10 * MS as usize) {
        while next < packets.len() && packets[next].at <= now {
            deliver(&mut jitter, &packets[next], now);
            next += 1;
        }
        jitter.tick(now, &mut |piece| lay(piece, &mut frames));
    }
    let until = end + jitter.delay_ns();
    jitter.hurry(until);
    jitter.tick(until, &mut |piece| lay(piece, &mut frames));
    assert_eq!(frames.last(), Some(&Frame::Sample(40 * PACKET - 1)));
}
