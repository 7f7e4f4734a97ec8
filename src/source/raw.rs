//! Sound without a header: its format has to be said (`--raw`, `--rate`, `--channels`).

use super::wire::fmt::Layout;
use super::wire::sample::Encoding;

/// How files without a header are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFormat(Layout);

impl RawFormat {
    /// The format in the user's words: `s16le`, `mulaw` or `alaw`; rate in Hz; interleaved channels. The error is a
    /// sentence that names the remedy.
    pub fn new(encoding: &str, rate_hz: u32, channels: usize) -> Result<RawFormat, String> {
        let encoding = match encoding {
            "s16le" => Encoding::S16,
            "mulaw" => Encoding::Mulaw,
            "alaw" => Encoding::Alaw,
            _ => return Err(format!("`{encoding}` is no raw format: say s16le, mulaw or alaw")),
        };
        Layout::new(encoding, rate_hz, channels).map(RawFormat)
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.0
    }
}
