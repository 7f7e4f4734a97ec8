//! Tests of the WAV writer, driven with what the gate clears.

#[cfg(test)]
use super::*;
use crate::store::testing::{RATE, Scratch, frame, noise, open_gate, span};

/// Writes pieces `(place, samples)`, finishes at `length`, and gives back what stands.
fn written(pieces: &[(u64, usize)], length: u64, then: impl FnOnce(&mut WavWriter)) -> (Vec<u8>, Finished) {
    written_by((BUFFER_BYTES, false), pieces, length, then)
}

/// The same with so much room, sparse or dense.
fn written_by(
    (room, dense): (usize, bool),
    pieces: &[(u64, usize)],
    length: u64,
    then: impl FnOnce(&mut WavWriter),
) -> (Vec<u8>, Finished) {
    let scratch = Scratch::new();
    let target = scratch.path().join("a.wav");
    let gate = open_gate();
    let writer = WavWriter::begin_with(room, Aside::create(&target).unwrap(), RATE, length).unwrap();
    let mut writer = if dense { writer.dense() } else { writer };
    for (at, count) in pieces {
        for (n, chunk) in noise(*at, *count).chunks(160).enumerate() {
            writer.write(&gate.customer(frame(at + n as u64 * 160, chunk)).unwrap());
        }
    }
    then(&mut writer);
    let finished = writer.finish(length).unwrap();
    let bytes = std::fs::read(crate::store::files::aside_of(&target)).unwrap();
    (bytes, finished)
}

fn expected(pieces: &[(u64, usize)], length: u64) -> Vec<u8> {
    let mut samples = vec![0i16; length as usize];
    for (at, count) in pieces {
        samples[*at as usize..][..*count].copy_from_slice(&noise(*at, *count));
    }
    let mut bytes = header(RATE, length, false).unwrap();
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

#[test]
fn every_sample_stands_at_its_place_and_gaps_are_silent() {
    let long = BUFFER_BYTES as u64;
    for pieces in [
        &[][..],
        &[(0, 160)],
        &[(1, 3), (5, 1)],
        &[(0, 160), (160, 4_000), (10_000, 77)],
        &[(17, 160), (long / 2 - 3, 200), (3 * long + 1, 50_000)],
        &[(2 * long, 40_000), (5 * long, 1)],
        // An odd number of blocks that sound before each silence.
        &[(0, 6_000), (20_000, 7_000), (2 * long, 90_000), (5 * long, 2_048), (7 * long + 5, 100_000)],
    ] {
        let length = pieces.last().map_or(999, |(at, count)| at + *count as u64 + 5_001);
        for how in [(BUFFER_BYTES, false), (BUFFER_BYTES, true), (LIVE_BUFFER_BYTES, false), (LIVE_BUFFER_BYTES, true)]
        {
            let (bytes, finished) = written_by(how, pieces, length, |_| ());
            assert!(bytes == expected(pieces, length), "{how:?} {pieces:?}");
            let measured = digest::measure(&mut &bytes[..], |_, _| ()).unwrap();
            assert_eq!((finished.bytes, finished.digest), (bytes.len() as u64, measured.digest), "{how:?} {pieces:?}");
            assert_eq!(finished.length_samples, Some(length));
        }
    }
}

#[test]
fn hound_reads_what_was_written() {
    let (bytes, _) = written(&[(100, 160)], 1_000, |_| ());
    let mut reader = hound::WavReader::new(&bytes[..]).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate, reader.duration()), (1, RATE, 1_000));
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().unwrap();
    assert_eq!(samples[100..260], noise(100, 160));
    assert!(samples[..100].iter().chain(&samples[260..]).all(|sample| *sample == 0));
}

#[test]
fn a_wiped_stretch_is_silent_wherever_it_lay() {
    let pieces = [(0, 100_000)];
    for wiped in [span(0, 100_000), span(10, 20), span(99_000, 100_000), span(32_000, 99_500), span(50, 1 << 40)] {
        let (bytes, finished) = written(&pieces, 100_100, |writer| writer.wipe(wiped));
        let mut samples = expected(&pieces, 100_100);
        let until = wiped.until.0.min(100_000) as usize;
        samples[HEADER_BYTES + 2 * wiped.from.0 as usize..HEADER_BYTES + 2 * until].fill(0);
        assert!(bytes == samples, "{wiped:?}");
        assert_eq!(finished.digest, digest::measure(&mut &bytes[..], |_, _| ()).unwrap().digest, "{wiped:?}");
    }
}

#[test]
fn wiping_leaves_nothing_in_memory_either() {
    let scratch = Scratch::new();
    let gate = open_gate();
    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1 << 20).unwrap();
    // One buffer full has been flushed, and its remains lie behind what waits now.
    let sound = noise(0, BUFFER_BYTES / 2 + 100);
    writer.write(&gate.customer(frame(0, &sound)).unwrap());
    assert!(writer.buffer.iter().any(|byte| *byte != 0));
    writer.wipe(span(0, 1 << 20));
    assert!(writer.buffer.iter().all(|byte| *byte == 0));
}

#[test]
fn discarding_leaves_silence_of_full_length() {
    let (bytes, finished) = written(&[(0, 100_000)], 100_100, WavWriter::discard_all);
    assert!(bytes == expected(&[], 100_100));
    assert_eq!(finished.digest, digest::measure(&mut &bytes[..], |_, _| ()).unwrap().digest);
}

#[test]
fn sound_out_of_order_or_behind_the_end_is_an_error_that_stays() {
    let scratch = Scratch::new();
    let gate = open_gate();
    let sound = noise(0, 160);
    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1_000).unwrap();
    writer.write(&gate.customer(frame(160, &sound)).unwrap());
    writer.write(&gate.customer(frame(319, &sound)).unwrap());
    assert!(matches!(writer.error(), Some(StoreError::OutOfOrder { at: 319, next: 320, .. })));
    assert!(matches!(writer.finish(1_000), Err(StoreError::OutOfOrder { .. })));

    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1_000).unwrap();
    writer.write(&gate.customer(frame(841, &sound)).unwrap());
    assert!(matches!(writer.finish(1_000), Err(StoreError::TooLong { limit: 1_000, .. })));

    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1_000).unwrap();
    writer.write(&gate.customer(frame(u64::MAX - 200, &sound)).unwrap());
    assert!(matches!(writer.finish(1_000), Err(StoreError::TooLong { .. })));

    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1_000).unwrap();
    writer.write(&gate.customer(frame(0, &sound)).unwrap());
    assert!(matches!(writer.finish(159), Err(StoreError::TooLong { .. })));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing half-written is left");
}

#[test]
fn what_could_pass_four_gibibytes_has_sizes_of_64_bits() {
    let scratch = Scratch::new();
    let target = scratch.path().join("a.wav");
    let plain_max = PLAIN_DATA_BYTES_MAX / SAMPLE_BYTES;
    assert!(!WavWriter::create(&target, RATE, plain_max).unwrap().rf64);
    // The whole file is a hole, so this takes no space.
    let samples = plain_max + 100_000;
    let mut writer = WavWriter::create(&target, RATE, samples).unwrap();
    let sound = noise(0, 160);
    writer.write(&open_gate().customer(frame(samples - 160, &sound)).unwrap());
    let finished = writer.finish(samples).unwrap();
    assert_eq!(finished.bytes, RF64_HEADER_BYTES as u64 + samples * 2);
    let mut start = [0; RF64_HEADER_BYTES];
    let aside = crate::store::files::aside_of(&target);
    std::io::Read::read_exact(&mut std::fs::File::open(&aside).unwrap(), &mut start).unwrap();
    assert_eq!((&start[..4], &start[8..16]), (&b"RF64"[..], &b"WAVEds64"[..]));
    let size = |at: usize| u64::from_le_bytes(start[at..at + 8].try_into().unwrap());
    assert_eq!((size(20), size(28), size(36)), (finished.bytes - 8, samples * 2, samples));
    assert_eq!((&start[48..52], &start[72..]), (&b"fmt "[..], &b"data\xff\xff\xff\xff"[..]));
}

#[test]
fn a_rate_that_no_header_can_carry_is_refused() {
    let scratch = Scratch::new();
    for rate in [0, RATE_MAX_HZ + 1, u32::MAX] {
        let refused = WavWriter::create(&scratch.path().join("a.wav"), rate, 10);
        assert!(matches!(refused, Err(StoreError::Rate { .. })), "{rate} Hz");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_stays_and_leaves_nothing_half_written() {
    let scratch = Scratch::new();
    let gate = open_gate();
    let mut writer = WavWriter::create(&scratch.path().join("a.wav"), RATE, 1 << 20).unwrap();
    writer.aside.swap(std::fs::File::options().read(true).write(true).open("/dev/full").unwrap());
    let sound = noise(0, BUFFER_BYTES);
    writer.write(&gate.customer(frame(0, &sound)).unwrap());
    assert!(matches!(writer.error(), Some(StoreError::DiskFull { offset: Some(44), .. })), "{:?}", writer.error());
    let position = writer.position();
    writer.write(&gate.customer(frame(1 << 19, &sound)).unwrap());
    assert_eq!(writer.position(), position, "nothing is taken after an error");
    assert!(writer.finish(1 << 20).unwrap_err().is_disk_full());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}
