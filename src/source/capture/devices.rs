//! The sound devices that are there: what each can do, and how one is picked by name.

use std::cmp::Reverse;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, Host, HostId};
use glob::{MatchOptions, Pattern};
use serde::Serialize;

use super::CaptureError;

/// A device as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// The name by which it is found again: exact, and the same tomorrow.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// It captures by itself: a microphone, a line, a monitor that the sound system shows as an input.
    pub input: bool,
    /// What it plays can be captured (WASAPI, and macOS from 14.6 on): the customer's voice in the headset.
    pub loopback: bool,
    /// The system's default input.
    pub default_input: bool,
    /// The system's default output.
    pub default_output: bool,
    /// What it is opened with if nothing else is asked for.
    pub opens_as: Option<Shape>,
    /// Channels that it can have.
    pub channels: Vec<u16>,
    /// Lowest and highest rate, Hz.
    pub rates_hz: Option<(u32, u32)>,
    /// Sample formats, as cpal names them.
    pub formats: Vec<String>,
    /// Why it cannot be asked, if it cannot: busy, mostly.
    pub error: Option<String>,
}

/// Channels, rate and format of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Channels.
    pub channels: u16,
    /// Sample frames a second.
    pub rate_hz: u32,
    /// The sample format, as cpal names it.
    pub format: String,
}

/// The sound system: named, never guessed, for what cpal takes by itself depends on what is installed.
pub(super) fn host() -> Result<Host, CaptureError> {
    cpal::host_from_id(host_id()).map_err(|error| CaptureError::System { source: error })
}

#[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "freebsd", target_os = "netbsd"))]
fn host_id() -> HostId {
    HostId::Alsa // PulseAudio and PipeWire by their ALSA plugin
}

#[cfg(target_os = "windows")]
fn host_id() -> HostId {
    HostId::Wasapi
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn host_id() -> HostId {
    HostId::CoreAudio
}

/// Whether what an output plays can be captured by opening it as an input.
pub(super) const LOOPS_BACK: bool = cfg!(any(target_os = "windows", target_os = "macos"));

/// All devices that can be listened to. Asks each what it can do, and so opens each for a moment.
pub fn devices() -> Result<Vec<Listed>, CaptureError> {
    let host = host()?;
    let default_input = host.default_input_device().and_then(|device| id_of(&device));
    let default_output = host.default_output_device().and_then(|device| id_of(&device));
    let usable = usable(&host)?;
    Ok(usable
        .iter()
        .map(|device| {
            let mut listed = ask(device);
            listed.default_input = default_input.as_ref() == Some(&listed.id);
            listed.default_output = default_output.as_ref() == Some(&listed.id);
            listed
        })
        .collect())
}

/// The devices that can be listened to, unasked.
pub(super) fn usable(host: &Host) -> Result<Vec<Device>, CaptureError> {
    let all = host.devices().map_err(|error| CaptureError::System { source: error })?;
    Ok(all
        .filter(|device| device.supports_input() || LOOPS_BACK && device.supports_output())
        .filter(|device| id_of(device).is_some_and(|id| id != "null")) // ALSA's endless silence
        .collect())
}

pub(super) fn id_of(device: &Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

pub(super) fn name_of(device: &Device) -> String {
    device.description().map_or_else(|_| id_of(device).unwrap_or_default(), |about| about.name().to_owned())
}

fn ask(device: &Device) -> Listed {
    let input = device.supports_input();
    let ranges: Result<Vec<_>, _> = match input {
        true => device.supported_input_configs().map(Iterator::collect),
        false => device.supported_output_configs().map(Iterator::collect),
    };
    let (ranges, error) = match ranges {
        Ok(ranges) => (ranges, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let opens_as = if input { device.default_input_config() } else { device.default_output_config() };
    let mut channels: Vec<u16> = ranges.iter().map(|range| range.channels()).collect();
    channels.sort_unstable();
    channels.dedup();
    let mut formats: Vec<String> = ranges.iter().map(|range| range.sample_format().to_string()).collect();
    formats.sort_unstable();
    formats.dedup();
    let lowest = ranges.iter().map(|range| range.min_sample_rate()).min();
    let highest = ranges.iter().map(|range| range.max_sample_rate()).max();
    Listed {
        id: id_of(device).unwrap_or_default(),
        name: name_of(device),
        input,
        loopback: !input && LOOPS_BACK,
        default_input: false,
        default_output: false,
        opens_as: opens_as.ok().map(|config| Shape {
            channels: config.channels(),
            rate_hz: config.sample_rate(),
            format: config.sample_format().to_string(),
        }),
        channels,
        rates_hz: lowest.zip(highest),
        formats,
        error,
    }
}

/// Finds the one device that is meant, by its id, its name, a part of either, or a pattern with `*` and `?`; upper and
/// lower case are the same. Several that match are an error, unless they are one device under several ALSA names.
pub(super) fn find(host: &Host, wanted: &str) -> Result<Device, CaptureError> {
    let mut devices = usable(host)?;
    let names: Vec<Name> =
        devices.iter().map(|device| Name { id: id_of(device).unwrap_or_default(), name: name_of(device) }).collect();
    let at = choose(&names, wanted)?;
    Ok(devices.swap_remove(at))
}

/// A device's names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub(super) id: String,
    pub(super) name: String,
}

impl Name {
    fn told(&self) -> String {
        if self.id == self.name { self.id.clone() } else { format!("{} ({})", self.name, self.id) }
    }
}

pub(super) fn choose(names: &[Name], wanted: &str) -> Result<usize, CaptureError> {
    let lower = wanted.trim().to_lowercase();
    let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
    let pattern = Pattern::new(wanted.trim()).ok().filter(|_| wanted.contains(['*', '?']));
    let matching = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|at| fits(&names[*at].id) || fits(&names[*at].name)).collect()
    };
    let mut matches = matching(&|name| !lower.is_empty() && name.to_lowercase() == lower);
    if matches.is_empty() {
        matches = match &pattern {
            Some(pattern) => matching(&|name| pattern.matches_with(name, options)),
            None => matching(&|name| !lower.is_empty() && name.to_lowercase().contains(&lower)),
        };
    }
    let told = |list: &[usize]| list.iter().map(|at| names[*at].told()).collect::<Vec<_>>();
    match matches[..] {
        [] => {
            let all: Vec<usize> = (0..names.len()).collect();
            Err(CaptureError::NoSuchDevice { wanted: wanted.into(), there: told(&all) })
        }
        [one] => Ok(one),
        _ => same_card(names, &matches)
            .ok_or_else(|| CaptureError::Ambiguous { wanted: wanted.into(), matches: told(&matches) }),
    }
}

/// ALSA shows a sound card's device under many names. If all matches are one device of one card, the name that
/// converts (`plughw`) is taken, so that any rate and format can be asked for.
fn same_card(names: &[Name], matches: &[usize]) -> Option<usize> {
    const RANKS: [&str; 5] = ["plughw", "sysdefault", "dsnoop", "hw", "front"];
    let card = |at: usize| {
        let (kind, card) = names[at].id.split_once(":CARD=")?;
        let rank = RANKS.iter().position(|known| *known == kind)?;
        let (card, device) = card.split_once(",DEV=").unwrap_or((card, "0"));
        // A card has a name and a number; the same description is the same card.
        let numbered = card.bytes().all(|byte| byte.is_ascii_digit());
        Some((rank, if numbered { None } else { Some(card.to_owned()) }, device.to_owned()))
    };
    let cards: Vec<_> = matches.iter().map(|at| card(*at).map(|card| (*at, card))).collect::<Option<_>>()?;
    let (first, (_, _, device)) = cards.first()?;
    let mut named = cards.iter().filter_map(|(_, (_, card, _))| card.as_ref());
    let one_card = named.next().is_none_or(|first| named.all(|other| other == first));
    let alike = cards.iter().all(|(at, (_, _, other))| other == device && names[*at].name == names[*first].name);
    let best = cards.iter().max_by_key(|(_, (rank, card, _))| (Reverse(*rank), card.is_some()));
    best.filter(|_| one_card && alike).map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[(&str, &str)]) -> Vec<Name> {
        list.iter().map(|(id, name)| Name { id: (*id).into(), name: (*name).into() }).collect()
    }

    fn desk() -> Vec<Name> {
        names(&[
            ("default", "Default Audio Device"),
            ("sysdefault:CARD=H340", "Headset H340, USB Audio"),
            ("hw:CARD=H340,DEV=0", "Headset H340, USB Audio"),
            ("plughw:CARD=H340,DEV=0", "Headset H340, USB Audio"),
            ("hw:CARD=1,DEV=0", "Headset H340, USB Audio"),
            ("hw:CARD=PCH,DEV=0", "HDA Intel PCH, ALC257 Analog"),
            ("hw:CARD=PCH,DEV=2", "HDA Intel PCH, ALC257 Alt Analog"),
            ("headset_monitor", "Monitor of Headset"),
        ])
    }

    #[test]
    fn a_device_is_found_by_id_by_name_by_part_and_by_pattern() {
        for (wanted, at) in [
            ("default", 0),
            ("HW:card=pch,dev=2", 6),
            ("monitor of", 7),
            ("*monitor", 7),
            ("h340", 3),
            ("HDA*Alt*", 6),
            ("alt analog", 6),
        ] {
            assert_eq!(choose(&desk(), wanted).ok(), Some(at), "{wanted}");
        }
    }

    #[test]
    fn several_devices_are_an_error_that_names_them() {
        let error = choose(&desk(), "headset").unwrap_err().to_string();
        assert!(error.contains("Monitor of Headset (headset_monitor)") && error.contains("H340"), "{error}");
        assert!(matches!(choose(&desk(), "hw:CARD=PCH"), Err(CaptureError::Ambiguous { .. })));
    }

    #[test]
    fn two_headsets_of_one_make_are_two_devices() {
        let two = names(&[
            ("plughw:CARD=H340,DEV=0", "Headset H340, USB Audio"),
            ("plughw:CARD=H340_1,DEV=0", "Headset H340, USB Audio"),
        ]);
        assert!(matches!(choose(&two, "h340"), Err(CaptureError::Ambiguous { .. })));
    }

    #[test]
    fn a_device_that_is_not_there_shows_those_that_are() {
        for wanted in ["jabra", "", "  ", "ja?ra"] {
            let error = choose(&desk(), wanted).unwrap_err().to_string();
            assert!(error.contains("HDA Intel PCH, ALC257 Analog (hw:CARD=PCH,DEV=0)"), "{wanted}: {error}");
        }
        let error = choose(&[], "jabra").unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
