//! From layers as written to one set of settings in force, with nothing left to validate.

use std::path::PathBuf;

use super::live::Live;
use super::{ConfigError, Origin, Raw, Setting};
use crate::audio::{RATE_MAX_HZ, RATE_MIN_HZ};
use crate::consent::OnWithdrawal;
use crate::source::presets::{self, Choice, Direction};
use crate::split::AgentChannel;
use crate::voice::hangover::{LEAD_IN_MS, TAIL_MS};
use crate::voice::{Detection, Detector, Mode};

/// Longest lead-in, ms: what is held back in RAM before it is decided.
pub const LEAD_IN_MAX_MS: u32 = 150;
/// Longest tail, ms.
pub const TAIL_MAX_MS: u32 = 2_000;
/// Most calls at a time.
pub const JOBS_MAX: usize = 256;

/// What is in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which channel is the agent's, and by whose word.
    pub agent: Setting<AgentSide>,
    /// What a withdrawal does with what was kept.
    pub on_withdrawal: Setting<OnWithdrawal>,
    /// Purposes recorded for; `None`: whatever a grant names.
    pub purposes: Setting<Option<Vec<String>>>,
    /// The list of revoked tokens.
    pub revoked_tokens: Setting<Option<PathBuf>>,
    /// Detector mode.
    pub vad_mode: Setting<Mode>,
    /// Which implementation of it decides.
    pub detector: Setting<Detector>,
    /// Lead-in, ms.
    pub lead_in_ms: Setting<u32>,
    /// Tail, ms.
    pub tail_ms: Setting<u32>,
    /// Output rate; `None`: the input's.
    pub rate_hz: Setting<Option<u32>>,
    /// Also write the agent's speech alone.
    pub speech: Setting<bool>,
    /// Silence is left as holes where the file system has them; otherwise it is written.
    pub sparse: Setting<bool>,
    /// Also draw the picture.
    pub report: Setting<bool>,
    /// Calls at a time.
    pub jobs: Setting<usize>,
    /// How an input is recognised.
    pub digest: Setting<DigestKind>,
    /// How outputs are named.
    pub names: Setting<Names>,
    /// Findings change the exit code.
    pub strict: Setting<bool>,
    /// What counts for live calls only.
    pub live: Live,
}

impl Settings {
    /// How speech is decided.
    pub fn detection(&self) -> Detection {
        Detection { mode: self.vad_mode.value, detector: self.detector.value }
    }
}

/// Which channel is the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSide {
    /// As said by a person.
    Channel(AgentChannel),
    /// As the patterns of a pair say: the agent's file becomes channel 0.
    Pair,
    /// The source delivers one party alone, in one channel, and a person said which.
    Alone(Alone),
    /// Each source of a media server knows, or is told in a table of its own.
    BySource,
    /// As a known export has it.
    Preset {
        /// The preset's name.
        name: String,
        /// The channel it says.
        channel: AgentChannel,
    },
}

/// The one party that a source delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// The agent.
    Agent,
    /// The customer.
    Customer,
}

/// Who says, besides the knobs, which side is the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sided {
    /// Nobody: the knobs must.
    ByKnobs,
    /// The patterns of a pair of files.
    ByPair,
    /// The source delivers one party alone.
    ByParty(Alone),
    /// The sources of a media server.
    BySource,
}

impl AgentSide {
    /// The agent's channel.
    pub fn channel(&self) -> AgentChannel {
        match self {
            AgentSide::Channel(channel) | AgentSide::Preset { channel, .. } => *channel,
            AgentSide::Pair | AgentSide::Alone(_) | AgentSide::BySource => AgentChannel(0),
        }
    }
}

/// How an input is recognised on a re-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestKind {
    /// Size, time of change and a digest of samples of it.
    Sampled,
    /// A digest of all of it.
    Full,
}

/// How outputs are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// As the inputs are.
    Plain,
    /// By a keyed hash, because dialers put telephone numbers into file names (ANO-02).
    Hash {
        /// The file that holds the key.
        key_file: PathBuf,
    },
}

/// Resolves the three layers. The agent's side is required and has no default.
///
/// `sided`: who says, besides them, which side is the agent's.
pub fn resolve(file: Raw, environment: Raw, flags: Raw, sided: Sided) -> Result<Settings, ConfigError> {
    let layers = [(Origin::Flag, flags), (Origin::Environment, environment), (Origin::File, file)];
    let layers = Layers(&layers, sided);
    layers.refuse_opt_out()?;
    Ok(Settings {
        agent: layers.agent()?,
        on_withdrawal: layers.on_withdrawal()?,
        purposes: layers.pick(|raw| raw.purposes.clone()).map_or(unset(), |s| s.wrapped()),
        revoked_tokens: layers.pick(|raw| raw.revoked_tokens.clone()).map_or(unset(), |s| s.wrapped()),
        vad_mode: layers.mode()?,
        detector: layers.detector()?,
        lead_in_ms: layers.at_most("lead_in_ms", |raw| raw.lead_in_ms, LEAD_IN_MS, LEAD_IN_MAX_MS)?,
        tail_ms: layers.at_most("tail_ms", |raw| raw.tail_ms, TAIL_MS, TAIL_MAX_MS)?,
        rate_hz: layers.rate()?,
        speech: layers.flag(|raw| raw.speech),
        sparse: layers.pick(|raw| raw.sparse).unwrap_or(default(true)),
        report: layers.flag(|raw| raw.report),
        jobs: layers.jobs()?,
        digest: layers.digest()?,
        names: layers.names()?,
        strict: layers.flag(|raw| raw.strict),
        live: layers.live()?,
    })
}

/// The layers, strongest first, and who else says which side is the agent's.
pub(super) struct Layers<'a>(pub(super) &'a [(Origin, Raw); 3], Sided);

impl<T> Setting<T> {
    fn wrapped(self) -> Setting<Option<T>> {
        Setting { value: Some(self.value), origin: self.origin }
    }
}

fn unset<T>() -> Setting<Option<T>> {
    Setting { value: None, origin: Origin::Default }
}

pub(super) fn default<T>(value: T) -> Setting<T> {
    Setting { value, origin: Origin::Default }
}

pub(super) fn bad(key: &'static str, origin: Origin, message: impl Into<String>) -> ConfigError {
    ConfigError::BadValue { key, origin, message: message.into() }
}

impl Layers<'_> {
    pub(super) fn pick<T>(&self, knob: impl Fn(&Raw) -> Option<T>) -> Option<Setting<T>> {
        self.0.iter().find_map(|(origin, raw)| knob(raw).map(|value| Setting { value, origin: *origin }))
    }

    pub(super) fn flag(&self, knob: impl Fn(&Raw) -> Option<bool>) -> Setting<bool> {
        self.pick(knob).unwrap_or(default(false))
    }

    fn refuse_opt_out(&self) -> Result<(), ConfigError> {
        for (origin, raw) in self.0 {
            match raw.on_silence.as_deref() {
                None | Some("drop") => {}
                Some(_) => return Err(ConfigError::OptOut { key: "on_silence", origin: *origin }),
            }
            if raw.dtmf_refuse_only == Some(true) {
                return Err(ConfigError::OptOut { key: "dtmf_refuse_only", origin: *origin });
            }
        }
        Ok(())
    }

    fn agent(&self) -> Result<Setting<AgentSide>, ConfigError> {
        match self.1 {
            Sided::ByKnobs => {}
            Sided::ByPair => return Ok(Setting { value: AgentSide::Pair, origin: Origin::Flag }),
            Sided::ByParty(party) => return Ok(Setting { value: AgentSide::Alone(party), origin: Origin::Flag }),
            Sided::BySource => return Ok(Setting { value: AgentSide::BySource, origin: Origin::File }),
        }
        let given = self.pick(|raw| raw.agent_channel.clone());
        let given = match given {
            Some(Setting { value, origin }) => {
                let channel: AgentChannel =
                    value.parse().map_err(|message: String| bad("agent_channel", origin, message))?;
                Some(Setting { value: channel, origin })
            }
            None => None,
        };
        let Some(Setting { value: name, origin }) = self.pick(|raw| raw.preset.clone()) else {
            let Setting { value, origin } = given.ok_or(ConfigError::NoAgentSide)?;
            return Ok(Setting { value: AgentSide::Channel(value), origin });
        };
        let direction = self.direction()?;
        let choice = Choice { agent_channel: given.as_ref().map(|given| given.value), direction, pair: false };
        let says = presets::find(&name)
            .and_then(|preset| preset.agent_channel(choice))
            .map_err(|error| bad("preset", origin, error.to_string()))?;
        match given {
            Some(given) if given.value != says => {
                Err(ConfigError::Contradiction { given: given.value.to_string(), preset: name, says: says.to_string() })
            }
            _ => Ok(Setting { value: AgentSide::Preset { name, channel: says }, origin }),
        }
    }

    fn direction(&self) -> Result<Option<Direction>, ConfigError> {
        match self.pick(|raw| raw.direction.clone()) {
            None => Ok(None),
            Some(Setting { value, origin }) => {
                value.parse().map(Some).map_err(|message: String| bad("direction", origin, message))
            }
        }
    }

    fn on_withdrawal(&self) -> Result<Setting<OnWithdrawal>, ConfigError> {
        let Some(Setting { value, origin }) = self.pick(|raw| raw.on_withdrawal.clone()) else {
            return Ok(default(OnWithdrawal::Erase));
        };
        match value.as_str() {
            "erase" => Ok(Setting { value: OnWithdrawal::Erase, origin }),
            "keep" => Ok(Setting { value: OnWithdrawal::Keep, origin }),
            _ => Err(bad("on_withdrawal", origin, format!("`{value}` is neither erase nor keep"))),
        }
    }

    fn mode(&self) -> Result<Setting<Mode>, ConfigError> {
        let Some(Setting { value, origin }) = self.pick(|raw| raw.vad_mode) else {
            return Ok(default(Mode::default()));
        };
        let value =
            Mode::new(value).ok_or_else(|| bad("vad_mode", origin, format!("{value} is not a mode; 0 to 3 are")))?;
        Ok(Setting { value, origin })
    }

    fn detector(&self) -> Result<Setting<Detector>, ConfigError> {
        let Some(Setting { value, origin }) = self.pick(|raw| raw.detector.clone()) else {
            return Ok(default(Detector::default()));
        };
        match value.as_str() {
            "lanes" => Ok(Setting { value: Detector::Lanes, origin }),
            "webrtc" => Ok(Setting { value: Detector::Webrtc, origin }),
            _ => Err(bad("detector", origin, format!("`{value}` is neither lanes nor webrtc"))),
        }
    }

    pub(super) fn at_most(
        &self,
        key: &'static str,
        knob: impl Fn(&Raw) -> Option<u32>,
        usual: u32,
        most: u32,
    ) -> Result<Setting<u32>, ConfigError> {
        match self.pick(knob) {
            None => Ok(default(usual)),
            Some(Setting { value, origin }) if value > most => {
                Err(bad(key, origin, format!("{value} is too long; at most {most}")))
            }
            Some(setting) => Ok(setting),
        }
    }

    fn rate(&self) -> Result<Setting<Option<u32>>, ConfigError> {
        match self.pick(|raw| raw.rate) {
            None => Ok(unset()),
            Some(Setting { value, origin }) if !(RATE_MIN_HZ..=RATE_MAX_HZ).contains(&value) => {
                Err(bad("rate", origin, format!("{value} Hz is outside {RATE_MIN_HZ} to {RATE_MAX_HZ} Hz")))
            }
            Some(setting) => Ok(setting.wrapped()),
        }
    }

    fn jobs(&self) -> Result<Setting<usize>, ConfigError> {
        match self.pick(|raw| raw.jobs) {
            None => Ok(default(std::thread::available_parallelism().map_or(1, usize::from).min(JOBS_MAX))),
            Some(Setting { value, origin }) if value == 0 || value > JOBS_MAX => {
                Err(bad("jobs", origin, format!("{value} is not possible; 1 to {JOBS_MAX} are")))
            }
            Some(setting) => Ok(setting),
        }
    }

    fn digest(&self) -> Result<Setting<DigestKind>, ConfigError> {
        let Some(Setting { value, origin }) = self.pick(|raw| raw.digest.clone()) else {
            return Ok(default(DigestKind::Sampled));
        };
        match value.as_str() {
            "sampled" => Ok(Setting { value: DigestKind::Sampled, origin }),
            "full" => Ok(Setting { value: DigestKind::Full, origin }),
            _ => Err(bad("digest", origin, format!("`{value}` is neither sampled nor full"))),
        }
    }

    fn names(&self) -> Result<Setting<Names>, ConfigError> {
        let Some(Setting { value, origin }) = self.pick(|raw| raw.names.clone()) else {
            return Ok(default(Names::Plain));
        };
        match value.as_str() {
            "plain" => Ok(Setting { value: Names::Plain, origin }),
            "hash" => {
                let key_file = self.pick(|raw| raw.names_key.clone()).ok_or_else(|| {
                    bad("names", origin, "hash needs a key of at least 16 bytes: give --names-key FILE (a hash without a key can be guessed back)")
                })?;
                Ok(Setting { value: Names::Hash { key_file: key_file.value }, origin })
            }
            _ => Err(bad("names", origin, format!("`{value}` is neither plain nor hash"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> Raw {
        Raw { agent_channel: Some("left".into()), ..Raw::default() }
    }

    #[test]
    fn the_agents_side_has_no_default() {
        assert!(matches!(
            resolve(Raw::default(), Raw::default(), Raw::default(), Sided::ByKnobs),
            Err(ConfigError::NoAgentSide)
        ));
    }

    #[test]
    fn flags_beat_the_environment_beats_the_file_beats_defaults() {
        let at = |mode| Raw { vad_mode: mode, ..left() };
        let mode = |file, env, flag| resolve(at(file), at(env), at(flag), Sided::ByKnobs).unwrap().vad_mode;
        assert_eq!(mode(None, None, None), Setting { value: Mode::default(), origin: Origin::Default });
        assert_eq!(mode(Some(1), None, None).origin, Origin::File);
        assert_eq!(mode(Some(1), Some(0), None).origin, Origin::Environment);
        assert_eq!(mode(Some(1), Some(0), Some(3)), Setting { value: Mode::new(3).unwrap(), origin: Origin::Flag });
    }

    #[test]
    fn an_opt_out_design_is_refused_wherever_it_stands() {
        let silence = Raw { on_silence: Some("record".into()), ..left() };
        let error = resolve(silence.clone(), Raw::default(), Raw::default(), Sided::ByKnobs).unwrap_err().to_string();
        assert!(error.contains("CON-03"), "{error}");
        assert!(
            resolve(left(), Raw::default(), Raw { on_silence: Some("drop".into()), ..left() }, Sided::ByKnobs).is_ok()
        );
        let keys = Raw { dtmf_refuse_only: Some(true), ..left() };
        assert!(matches!(resolve(left(), keys, Raw::default(), Sided::ByKnobs), Err(ConfigError::OptOut { .. })));
    }

    #[test]
    fn hashed_names_without_a_key_are_refused() {
        let hashed = Raw { names: Some("hash".into()), ..left() };
        assert!(
            resolve(Raw::default(), Raw::default(), hashed, Sided::ByKnobs)
                .unwrap_err()
                .to_string()
                .contains("--names-key")
        );
    }
}
