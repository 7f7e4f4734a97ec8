//! Who is who: the channel map, and the doubt about it.
//!
//! What types cannot catch is which channel is the agent, so that map lives in this file alone, and it has no default.

pub mod doubt;
pub mod finding;
mod lagged;

pub use doubt::Doubt;
pub use finding::{Finding, MissingParty, Remedy};

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::audio::{Work, wide};

/// Most channels an input may have.
pub const CHANNELS_MAX: usize = 8;

/// Which channel of an interleaved input is the agent's. All the others are the customer's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelMap {
    agent: usize,
    channels: usize,
}

/// Which channel is the agent's, as a person says it: `left`, `right`, or a number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentChannel(pub usize);

/// Why a channel map cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    /// One channel holds both voices, or only one: there is nothing to split.
    #[error(
        "it has one channel, so the two sides cannot be told apart; record both sides on channels of their own, \
         or give the two sides as a pair of files (--pair)"
    )]
    Mono,
    /// The input has fewer channels than the map asks for.
    #[error("it has {channels} channels, counted from 0, so there is no channel {agent}; correct --agent-channel")]
    NoSuchChannel {
        /// The channel asked for.
        agent: usize,
        /// How many there are.
        channels: usize,
    },
    /// More channels than a call has.
    #[error("it has {0} channels; at most {CHANNELS_MAX} are read")]
    TooManyChannels(usize),
}

impl ChannelMap {
    /// The map of an input with `channels` channels whose channel `agent` is the agent's.
    pub fn new(agent: AgentChannel, channels: usize) -> Result<ChannelMap, MapError> {
        match channels {
            0 | 1 => Err(MapError::Mono),
            _ if channels > CHANNELS_MAX => Err(MapError::TooManyChannels(channels)),
            _ if agent.0 >= channels => Err(MapError::NoSuchChannel { agent: agent.0, channels }),
            _ => Ok(ChannelMap { agent: agent.0, channels }),
        }
    }

    /// The agent's channel, from 0.
    pub fn agent(&self) -> usize {
        self.agent
    }

    /// Channels in the input.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Takes interleaved samples apart. With more than two channels the customer's side is the saturated sum of all
    /// that are not the agent's. The three lengths must fit: `interleaved` is `channels` times the others.
    pub fn split(&self, interleaved: &[i16], agent: &mut [i16], customer: &mut [i16]) {
        assert_eq!(interleaved.len(), agent.len() * self.channels, "an interleaved block holds whole sample frames");
        assert_eq!(agent.len(), customer.len(), "both sides of a block are of one length");
        match (self.channels, self.agent) {
            (2, 0) => split_stereo(interleaved, agent, customer),
            (2, _) => split_stereo(interleaved, customer, agent),
            _ => self.split_many(interleaved, agent, customer),
        }
    }

    fn split_many(&self, interleaved: &[i16], agent: &mut [i16], customer: &mut [i16]) {
        let frames = interleaved.chunks_exact(self.channels);
        for ((frame, agent), customer) in frames.zip(agent).zip(customer) {
            *agent = frame[self.agent];
            let sum: i32 = frame.iter().map(|s| i32::from(*s)).sum::<i32>() - i32::from(*agent);
            *customer = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }
}

/// What a live source delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Both sides, on channels of their own.
    Both(ChannelMap),
    /// The agent alone, in one channel: an EAGI on the agent's leg, a one-sided tap.
    AgentAlone,
    /// The customer alone, in one channel.
    CustomerAlone,
}

impl Delivery {
    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        match self {
            Delivery::Both(map) => map.channels(),
            Delivery::AgentAlone | Delivery::CustomerAlone => 1,
        }
    }

    /// The agent's channel, if there is one.
    pub fn agent(&self) -> Option<usize> {
        match self {
            Delivery::Both(map) => Some(map.agent()),
            Delivery::AgentAlone => Some(0),
            Delivery::CustomerAlone => None,
        }
    }

    /// The same behind what is there of both sides, which are of one length.
    pub fn append(&self, interleaved: &[i16], agent: &mut Vec<i16>, customer: &mut Vec<i16>) {
        if let Delivery::Both(map) = self
            && map.channels == 2
        {
            let (pairs, _) = interleaved.as_chunks::<2>();
            let (first, second) = if map.agent == 0 { (agent, customer) } else { (customer, agent) };
            return wide(Pairs { pairs, first, second });
        }
        let from = agent.len();
        let until = from + interleaved.len() / self.channels();
        agent.resize(until, 0);
        customer.resize(until, 0);
        self.split(interleaved, &mut agent[from..], &mut customer[from..]);
    }

    /// Takes interleaved samples apart; a side that is not delivered is silent. Lengths as in [`ChannelMap::split`].
    pub fn split(&self, interleaved: &[i16], agent: &mut [i16], customer: &mut [i16]) {
        match self {
            Delivery::Both(map) => map.split(interleaved, agent, customer),
            Delivery::AgentAlone => {
                agent.copy_from_slice(interleaved);
                customer.fill(0);
            }
            Delivery::CustomerAlone => {
                customer.copy_from_slice(interleaved);
                agent.fill(0);
            }
        }
    }
}

/// Two channels to be taken apart, each behind what is there.
struct Pairs<'a> {
    pairs: &'a [[i16; 2]],
    first: &'a mut Vec<i16>,
    second: &'a mut Vec<i16>,
}

impl Work for Pairs<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.first.extend(self.pairs.iter().map(|pair| pair[0]));
        self.second.extend(self.pairs.iter().map(|pair| pair[1]));
    }
}

fn split_stereo(interleaved: &[i16], left: &mut [i16], right: &mut [i16]) {
    let (pairs, _) = interleaved.as_chunks::<2>();
    for ((pair, left), right) in pairs.iter().zip(left).zip(right) {
        *left = pair[0];
        *right = pair[1];
    }
}

impl FromStr for AgentChannel {
    type Err = String;

    fn from_str(text: &str) -> Result<AgentChannel, String> {
        match text.to_ascii_lowercase().as_str() {
            "left" => Ok(AgentChannel(0)),
            "right" => Ok(AgentChannel(1)),
            number => number.parse().ok().filter(|n| *n < CHANNELS_MAX).map(AgentChannel).ok_or_else(|| {
                format!("`{text}` is no channel: say left, right, or a number from 0 to {}", CHANNELS_MAX - 1)
            }),
        }
    }
}

impl fmt::Display for AgentChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("left"),
            1 => f.write_str("right"),
            n => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_and_right_name_channels_zero_and_one() {
        assert_eq!("left".parse(), Ok(AgentChannel(0)));
        assert_eq!("RIGHT".parse(), Ok(AgentChannel(1)));
        assert_eq!("3".parse(), Ok(AgentChannel(3)));
        assert!("8".parse::<AgentChannel>().is_err());
        assert!("agent".parse::<AgentChannel>().is_err());
    }

    #[test]
    fn a_mono_input_has_no_map() {
        assert_eq!(ChannelMap::new(AgentChannel(0), 1), Err(MapError::Mono));
        assert_eq!(ChannelMap::new(AgentChannel(2), 2), Err(MapError::NoSuchChannel { agent: 2, channels: 2 }));
    }

    #[test]
    fn stereo_is_split_either_way_round() {
        let (mut agent, mut customer) = ([0; 2], [0; 2]);
        ChannelMap::new(AgentChannel(0), 2).unwrap().split(&[1, 2, 3, 4], &mut agent, &mut customer);
        assert_eq!((agent, customer), ([1, 3], [2, 4]));
        ChannelMap::new(AgentChannel(1), 2).unwrap().split(&[1, 2, 3, 4], &mut agent, &mut customer);
        assert_eq!((agent, customer), ([2, 4], [1, 3]));
    }

    #[test]
    fn of_many_channels_all_but_the_agents_are_the_customers() {
        let (mut agent, mut customer) = ([0; 2], [0; 2]);
        let map = ChannelMap::new(AgentChannel(1), 3).unwrap();
        map.split(&[1, 20, 3, 30_000, 40, 30_000], &mut agent, &mut customer);
        assert_eq!((agent, customer), ([20, 40], [4, i16::MAX]));
    }
}
