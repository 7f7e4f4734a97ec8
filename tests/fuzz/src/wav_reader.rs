//! A WAV file: header, then every sample, taken apart into the two sides as a batch would.

use std::io::Cursor;

use oneside::audio::{RATE_MAX_HZ, RATE_MIN_HZ};
use oneside::source::wire::wav;
use oneside::split::{AgentChannel, CHANNELS_MAX, ChannelMap};

/// Sample frames decoded at a time: small, so that odd block lengths occur.
const BLOCK: usize = 1_000;

/// The bytes are a file.
pub fn run(data: &[u8]) {
    let header = match wav::parse(&mut Cursor::new(data), data.len() as u64) {
        Ok(header) => header,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    };
    let layout = &header.layout;
    assert!((RATE_MIN_HZ..=RATE_MAX_HZ).contains(&layout.rate_hz), "{header:?}");
    assert!((1..=CHANNELS_MAX).contains(&layout.channels), "{header:?}");
    let frame = layout.block_bytes();
    let bytes = header.frames.checked_mul(frame as u64).expect("the sound has a size");
    let end = header.data_at.checked_add(bytes).expect("the sound ends somewhere");
    assert!(end <= data.len() as u64, "the sound lies in the file: {header:?}");

    let sound = if bytes == 0 { &[][..] } else { &data[header.data_at as usize..end as usize] };
    let map = ChannelMap::new(AgentChannel(layout.channels - 1), layout.channels);
    let mut decoded = 0;
    for block in sound.chunks(BLOCK * frame) {
        let frames = block.len() / frame;
        let mut samples = vec![0x5A5A; frames * layout.channels];
        layout.encoding.decode(block, &mut samples);
        decoded += frames as u64;
        let Ok(map) = map else { continue };
        let (mut agent, mut customer) = (vec![0; frames], vec![0; frames]);
        map.split(&samples, &mut agent, &mut customer);
        let last = samples.chunks_exact(layout.channels).map(|frame| frame[layout.channels - 1]);
        assert!(agent.iter().copied().eq(last), "the agent's side is the agent's channel");
    }
    assert_eq!(decoded, header.frames, "every sample frame that was promised is there");
    let again = wav::parse(&mut Cursor::new(data), data.len() as u64).expect("what was read once is read again");
    assert_eq!(again, header, "reading does not depend on anything but the bytes");
}
