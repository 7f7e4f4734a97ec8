//! Names and numbers in RIFF chunks.

/// The little-endian number in the first eight bytes, which must be there.
pub(super) fn le64(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// Whether it could be a chunk's name: four printable ASCII characters.
pub(super) fn plausible(id: [u8; 4]) -> bool {
    id.iter().all(|byte| (0x20..0x7F).contains(byte))
}

/// Chunks that real writers put into WAV files.
pub(super) fn known(id: [u8; 4]) -> bool {
    const KNOWN: [&[u8; 4]; 24] = [
        b"fmt ", b"data", b"LIST", b"fact", b"JUNK", b"junk", b"bext", b"cue ", b"id3 ", b"ID3 ", b"PEAK", b"PAD ",
        b"FLLR", b"iXML", b"axml", b"chna", b"smpl", b"inst", b"cart", b"DISP", b"plst", b"ds64", b"levl", b"_PMX",
    ];
    KNOWN.contains(&&id)
}

/// What a message says of a chunk that claims more than there is. Where no writer is known to have put a chunk of that
/// name, its name and its size may be somebody's voice: neither is said.
pub(super) fn overlong(id: [u8; 4], bytes: u64) -> String {
    match known(id) {
        true => format!("chunk \"{}\" claims {bytes} bytes, more than the file has", id.escape_ascii()),
        false => "an unknown chunk claims more bytes than the file has".into(),
    }
}
