//! Configuration as written: every knob optional, unknown keys refused.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, Origin, RawKeys, RawStaff};

/// One layer of configuration. The names are those of the TOML file; the environment says `ONESIDE_` and the name in
/// capitals; the flags say the name with dashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// `left`, `right` or a channel number from 0.
    pub agent_channel: Option<String>,
    /// A known export's channel layout.
    pub preset: Option<String>,
    /// `inbound` or `outbound`, for presets whose layout depends on it.
    pub direction: Option<String>,
    /// `erase` or `keep`.
    pub on_withdrawal: Option<String>,
    /// Purposes this store records for.
    pub purposes: Option<Vec<String>>,
    /// A file with the ids of revoked standing tokens, one a line.
    pub revoked_tokens: Option<PathBuf>,
    /// Only `drop` is accepted.
    pub on_silence: Option<String>,
    /// Only `false` is accepted.
    pub dtmf_refuse_only: Option<bool>,
    /// Detector mode, 0 to 3.
    pub vad_mode: Option<u8>,
    /// `lanes` or `webrtc`.
    pub detector: Option<String>,
    /// Lead-in, ms.
    pub lead_in_ms: Option<u32>,
    /// Tail, ms.
    pub tail_ms: Option<u32>,
    /// Output rate, Hz.
    pub rate: Option<u32>,
    /// Also write the agent's speech alone.
    pub speech: Option<bool>,
    /// Silence is left as holes.
    pub sparse: Option<bool>,
    /// Also draw the picture.
    pub report: Option<bool>,
    /// Calls at a time.
    pub jobs: Option<usize>,
    /// `sampled` or `full`.
    pub digest: Option<String>,
    /// `plain` or `hash`.
    pub names: Option<String>,
    /// The file with the key for hashed names.
    pub names_key: Option<PathBuf>,
    /// Findings change the exit code.
    pub strict: Option<bool>,
    /// Live calls: seconds of the agent's that stay in memory, where a mask still reaches them (ONE-09).
    pub reach_s: Option<u32>,
    /// Live calls: what the ring holds, ms.
    pub ring_ms: Option<u32>,
    /// Live calls: the longest that sound may wait on its way to us, ms.
    pub worst_buffering_ms: Option<u32>,
    /// Live calls: no call is begun with less free space than this, MiB.
    pub free_min_mib: Option<u64>,
    /// Live calls: also keep the input list, for `replay`.
    pub list: Option<bool>,
    /// Live calls: what the keys of a telephone mean.
    pub keys: Option<RawKeys>,
    /// Rules for staff.
    pub staff: Option<RawStaff>,
    /// A media server's calls.
    #[cfg(feature = "serve")]
    pub serve: Option<super::serve::RawServe>,
    /// What can hurt.
    pub danger: Option<RawDanger>,
}

/// What can hurt. Only a file can say it, and it is told at each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDanger {
    /// The call may be passed through into a regular file: both voices, without consent.
    pub pass_through_to_file: Option<bool>,
    /// Listeners that other machines reach may go without TLS: voices cross the network in the clear.
    pub plain_listeners: Option<bool>,
}

impl Raw {
    /// Reads a TOML file.
    pub fn from_file(path: &Path) -> Result<Raw, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string().trim_end().into(),
        })
    }

    /// Reads the environment through `var` (which gives the value of a variable, if it is set).
    pub fn from_environment(var: impl Fn(&str) -> Option<String>) -> Result<Raw, ConfigError> {
        let env = Environment { var };
        Ok(Raw {
            agent_channel: env.text("agent_channel"),
            preset: env.text("preset"),
            direction: env.text("direction"),
            on_withdrawal: env.text("on_withdrawal"),
            purposes: env.text("purposes").map(|list| list.split(',').map(|p| p.trim().to_owned()).collect()),
            revoked_tokens: env.text("revoked_tokens").map(PathBuf::from),
            on_silence: env.text("on_silence"),
            dtmf_refuse_only: env.parsed("dtmf_refuse_only")?,
            vad_mode: env.parsed("vad_mode")?,
            detector: env.text("detector"),
            lead_in_ms: env.parsed("lead_in_ms")?,
            tail_ms: env.parsed("tail_ms")?,
            rate: env.parsed("rate")?,
            speech: env.parsed("speech")?,
            sparse: env.parsed("sparse")?,
            report: env.parsed("report")?,
            jobs: env.parsed("jobs")?,
            digest: env.text("digest"),
            names: env.text("names"),
            names_key: env.text("names_key").map(PathBuf::from),
            strict: env.parsed("strict")?,
            reach_s: env.parsed("reach_s")?,
            ring_ms: env.parsed("ring_ms")?,
            worst_buffering_ms: env.parsed("worst_buffering_ms")?,
            free_min_mib: env.parsed("free_min_mib")?,
            list: env.parsed("list")?,
            keys: None,
            staff: None,
            #[cfg(feature = "serve")]
            serve: None,
            danger: None,
        })
    }
}

struct Environment<F> {
    var: F,
}

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn text(&self, key: &str) -> Option<String> {
        (self.var)(&format!("ONESIDE_{}", key.to_uppercase())).filter(|value| !value.is_empty())
    }

    fn parsed<T: std::str::FromStr>(&self, key: &'static str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ConfigError::BadValue {
            key,
            origin: Origin::Environment,
            message: format!("`{text}` is not a value of this knob"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_and_named() {
        let error = toml::from_str::<Raw>("agent_chanel = \"left\"").unwrap_err().to_string();
        assert!(error.contains("agent_chanel"), "{error}");
    }

    #[test]
    fn the_environment_names_every_knob_in_capitals() {
        let raw = Raw::from_environment(|name| match name {
            "ONESIDE_AGENT_CHANNEL" => Some("right".into()),
            "ONESIDE_VAD_MODE" => Some("3".into()),
            "ONESIDE_PURPOSES" => Some("training, documentation".into()),
            _ => None,
        })
        .unwrap();
        assert_eq!(raw.agent_channel.as_deref(), Some("right"));
        assert_eq!(raw.vad_mode, Some(3));
        assert_eq!(raw.purposes, Some(vec!["training".into(), "documentation".into()]));
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let error = Raw::from_environment(|name| (name == "ONESIDE_JOBS").then(|| "many".into())).unwrap_err();
        assert!(error.to_string().contains("jobs (environment)"), "{error}");
    }
}
