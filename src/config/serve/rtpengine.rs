//! `[serve.rtpengine]`: calls that are fetched from an rtpengine. Where their sound comes to says `[serve.rtp]`.

use serde::Deserialize;

use super::rtp::idle;
use super::{address, bad, drop_before_decode};
use crate::config::ConfigError;
use crate::source::rtpengine::RtpengineConfig;

/// Seconds that an announced call may take to be answered.
pub const WAIT_S: u32 = 120;

/// Seconds after which a call of which nothing comes is over although rtpengine still lists it: longer than both parties
/// are silent on hold, shorter than rtpengine itself keeps it (`silent-timeout`, 3,600 s).
pub const SILENT_S: u32 = 1_800;

/// `[serve.rtpengine]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRtpengine {
    /// Where it listens for "ng" (UDP).
    pub ng: Option<String>,
    /// Seconds that an announced call may take to be there with its parties.
    pub wait_s: Option<u32>,
    /// Seconds after which a silent call is over if rtpengine does not answer either.
    pub idle_s: Option<u32>,
    /// Seconds after which a silent call is over although rtpengine still lists it.
    pub silent_s: Option<u32>,
    /// `guard` or `drop-before-decode`.
    pub reference: Option<String>,
}

impl RawRtpengine {
    /// How calls are fetched.
    pub fn resolve(&self) -> Result<RtpengineConfig, ConfigError> {
        let key = "serve.rtpengine.ng";
        let ng = self.ng.as_ref().ok_or_else(|| bad(key, "is missing: where rtpengine listens (127.0.0.1:2223)"))?;
        let wait_s = self.wait_s.unwrap_or(WAIT_S);
        if !(1..=3_600).contains(&wait_s) {
            return Err(bad("serve.rtpengine.wait_s", format!("{wait_s} s is not possible; 1 to 3600 s are")));
        }
        Ok(RtpengineConfig {
            address: address(key, ng)?,
            wait_s,
            idle_s: idle("serve.rtpengine.idle_s", self.idle_s)?,
            silent_s: idle("serve.rtpengine.silent_s", self.silent_s.or(Some(SILENT_S)))?,
            drop_before_decode: drop_before_decode("serve.rtpengine.reference", self.reference.as_deref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<RtpengineConfig, ConfigError> {
        toml::from_str::<RawRtpengine>(text).unwrap().resolve()
    }

    #[test]
    fn it_needs_to_know_where_rtpengine_is() {
        assert!(resolved("").is_err());
        let config = resolved("ng = '127.0.0.1:2223'\nreference = 'drop-before-decode'").unwrap();
        assert_eq!((config.address.port(), config.wait_s, config.drop_before_decode), (2_223, WAIT_S, true));
        assert_eq!(config.silent_s, SILENT_S);
        for text in [
            "ng = 'x'",
            "ng = '2223'\nwait_s = 0",
            "ng = '2223'\nidle_s = 0",
            "ng = '2223'\nsilent_s = 0",
            "ng = '2223'\nreference = 'off'",
        ] {
            assert!(resolved(text).is_err(), "{text}");
        }
    }
}
