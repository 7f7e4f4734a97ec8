//! The flags that `batch` and `check` share: one layer of configuration, and how inputs are read.

use std::path::PathBuf;

use crate::config::{ConfigError, Raw, Settings, Sided, resolve};
use crate::source::{PairPattern, RawFormat};

/// Knobs of the recording. Each can also stand in the --config file (with underscores) and in the environment
/// (ONESIDE_ and the name in capitals); flags beat the environment, the environment beats the file.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is kept")]
pub struct Knobs {
    /// Which channel is the agent's: left, right, or a number from 0. There is no default
    #[arg(long, value_name = "left|right|N")]
    agent_channel: Option<String>,
    /// A known export, whose channel layout is known (`oneside presets`)
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Direction of the calls, for presets whose layout depends on it
    #[arg(long, value_name = "inbound|outbound")]
    direction: Option<String>,
    /// What a withdrawal does with what was kept under the grant [default: erase]
    #[arg(long, value_name = "erase|keep")]
    on_withdrawal: Option<String>,
    /// A purpose this store records for; grants for other purposes do not open. May be repeated [default: any]
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<String>,
    /// Ids of revoked standing tokens, one a line
    #[arg(long, value_name = "FILE")]
    revoked_tokens: Option<PathBuf>,
    /// Detector mode, 0 (keeps more) to 3 (keeps less) [default: 2]
    #[arg(long, value_name = "0-3")]
    vad_mode: Option<u8>,
    /// Which detector decides: ours of many lanes, or the crate webrtc-vad call by call; the decisions are the same
    /// [default: lanes]
    #[arg(long, value_name = "lanes|webrtc")]
    detector: Option<String>,
    /// Kept before speech, ms [default: 150]
    #[arg(long, value_name = "MS")]
    lead_in_ms: Option<u32>,
    /// Kept after speech, ms [default: 250]
    #[arg(long, value_name = "MS")]
    tail_ms: Option<u32>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Findings change the exit code (3)
    #[arg(long)]
    strict: bool,
}

/// What is written beside the agent's track, and under which names.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is written")]
pub struct Writing {
    /// Also NAME.speech.wav (agent speech only) and NAME.timeline.csv (the way back)
    #[arg(long)]
    speech: bool,
    /// Leave silence as holes in the files, where the file system has them; `--sparse=false` writes it [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sparse: Option<bool>,
    /// Also NAME.svg: one picture of what was kept and dropped, and why
    #[arg(long)]
    report: bool,
    /// Calls at a time [default: cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// How an input is recognised on a re-run: size, time of change and a sampled digest, or a digest of all of it
    #[arg(long, value_name = "sampled|full")]
    digest: Option<String>,
    /// Name outputs as the inputs, or by a keyed hash (dialers put telephone numbers into file names)
    #[arg(long, value_name = "plain|hash")]
    names: Option<String>,
    /// The key for --names hash: a file of at least 16 bytes
    #[arg(long, value_name = "FILE")]
    names_key: Option<PathBuf>,
}

/// How inputs are read.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How inputs are read")]
pub struct Reading {
    /// Files without a header are read as this; needs --rate and --channels
    #[arg(long, value_name = "s16le|mulaw|alaw")]
    pub raw: Option<String>,
    /// With --raw: the input's rate. Otherwise: the output's rate, Hz [default: the input's]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<u32>,
    /// With --raw: the input's channels
    #[arg(long, value_name = "N", requires = "raw")]
    pub channels: Option<usize>,
    /// Calls in two files: patterns of the agent's and the customer's, NAME is what `*` matches in both
    #[arg(long, value_name = "AGENT:CUSTOMER")]
    pub pair: Option<String>,
    /// With --pair: the customer's file begins this much later than the agent's
    #[arg(long, value_name = "SECONDS", requires = "pair", allow_negative_numbers = true)]
    pub offset: Option<f64>,
    /// Consent events of all calls (JSON Lines, or CSV with --map) [default: NAME.events.jsonl beside each input]
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// With --events: which columns of a CSV file say what, e.g. `call=CallId,at=Time,event=Type`
    #[arg(long, value_name = "MAP", requires = "events")]
    pub map: Option<String>,
}

impl Knobs {
    /// Resolves what is in force from the file, the environment and these flags.
    pub fn settings(&self, writing: &Writing, reading: &Reading) -> Result<Settings, ConfigError> {
        let (file, environment, flags) = self.layers(writing, reading)?;
        let sided = if reading.pair.is_some() { Sided::ByPair } else { Sided::ByKnobs };
        resolve(file, environment, flags, sided)
    }

    /// The layers that these flags stand on: the file, the environment, the flags.
    pub fn layers(&self, writing: &Writing, reading: &Reading) -> Result<(Raw, Raw, Raw), ConfigError> {
        let file = match &self.config {
            Some(path) => Raw::from_file(path)?,
            None => Raw::default(),
        };
        let environment = Raw::from_environment(|name| std::env::var(name).ok())?;
        Ok((file, environment, self.raw(writing, reading)))
    }

    fn raw(&self, writing: &Writing, reading: &Reading) -> Raw {
        let on = |flag: bool| flag.then_some(true);
        Raw {
            agent_channel: self.agent_channel.clone(),
            preset: self.preset.clone(),
            direction: self.direction.clone(),
            on_withdrawal: self.on_withdrawal.clone(),
            purposes: (!self.purposes.is_empty()).then(|| self.purposes.clone()),
            revoked_tokens: self.revoked_tokens.clone(),
            on_silence: None,
            dtmf_refuse_only: None,
            vad_mode: self.vad_mode,
            detector: self.detector.clone(),
            lead_in_ms: self.lead_in_ms,
            tail_ms: self.tail_ms,
            rate: reading.rate.filter(|_| reading.raw.is_none()),
            speech: on(writing.speech),
            sparse: writing.sparse,
            report: on(writing.report),
            jobs: writing.jobs,
            digest: writing.digest.clone(),
            names: writing.names.clone(),
            names_key: writing.names_key.clone(),
            strict: on(self.strict),
            ..Raw::default()
        }
    }
}

impl Reading {
    /// The format of files without a header, if one was given whole.
    pub fn raw_format(&self) -> Result<Option<RawFormat>, String> {
        let Some(encoding) = &self.raw else { return Ok(None) };
        let rate = self.rate.ok_or("--raw needs --rate: a file without a header does not tell its rate")?;
        let channels = self.channels.ok_or("--raw needs --channels: a file without a header does not tell them")?;
        RawFormat::new(encoding, rate, channels).map(Some)
    }

    /// The patterns of a pair, if they were given.
    pub fn pair_pattern(&self) -> Result<Option<PairPattern>, String> {
        self.pair.as_deref().map(|text| text.parse().map_err(|error| format!("--pair {text}: {error}"))).transpose()
    }
}
