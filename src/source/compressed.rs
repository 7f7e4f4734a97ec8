//! Compressed recordings: FLAC, MP3, Ogg Vorbis through symphonia, Ogg Opus through opus-pure (ING-08).
//!
//! A damaged file must not shift the time line, because consent counts by it: damage with sound behind it is an error
//! that names the place, and so is a missing stretch. Only a cut tail is a finding: what is there is processed.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use zeroize::Zeroizing;

use super::error::SourceError;
use super::files::{Format, Recording};
use super::mp3::FrameChain;
use super::opus::OpusVoice;
use super::wire::fmt::Layout;
use super::wire::sample::Encoding;
use crate::split::Finding;

/// Gap between two packets that is taken for rounding, seconds; anything longer is lost sound.
const GAP_MAX_S: f64 = 0.01;
/// Most sample frames that one byte of MP3 can hold: 576 in 24 bytes (8 kbit/s at 24 kHz).
const MP3_FRAMES_PER_BYTE: u64 = 24;
/// Most sample frames that one byte of FLAC or Ogg is taken to hold, where the file does not name its length.
const FRAMES_PER_BYTE: u64 = 8_192;

/// An open compressed recording.
pub struct Compressed {
    path: PathBuf,
    format: Format,
    reader: Box<dyn FormatReader>,
    track: u32,
    decoder: Decoder,
    /// Decoded sound of one packet, and how much of it was given out already (samples).
    pcm: Zeroizing<Vec<i16>>,
    given: usize,
    /// Sample frames decoded so far.
    decoded: u64,
    /// Where the next packet has to begin, in the track's ticks.
    next_tick: Option<i64>,
    tick_hz: u32,
    /// Of an MP3, whose packets carry no time of their own.
    chain: Option<FrameChain>,
    promised: Option<u64>,
    ended: bool,
    findings: Vec<Finding>,
}

enum Decoder {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<OpusVoice>),
}

impl Compressed {
    /// Opens a FLAC, MP3 or Ogg file of `size` bytes.
    pub(super) fn open(path: &Path, file: File, size: u64) -> Result<Compressed, SourceError> {
        let refused = |what: String| SourceError::Refused { path: path.into(), what };
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&Default::default(), stream, Default::default(), Default::default())
            .map_err(|error| {
                refused(format!(
                    "byte 0: its beginning cannot be read ({error}); the file is damaged or of another kind"
                ))
            })?;
        let track = reader.default_track(TrackType::Audio).ok_or_else(|| {
            refused("it holds no sound that is read (FLAC, MP3, Vorbis, Opus); convert it to WAV".into())
        })?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or_else(|| refused("its sound has no description; convert it to WAV".into()))?;
        let (decoder, layout, name) = decoder_of(params).map_err(refused)?;
        let tick_hz = params.sample_rate.unwrap_or(layout.rate_hz);
        let delay = if let Decoder::Opus(voice) = &decoder { voice.delay() } else { 0 };
        let promised = track.num_frames.map(|ticks| to_frames(ticks, tick_hz, layout.rate_hz).saturating_sub(delay));
        let guess = size.saturating_mul(if name == "MP3" { MP3_FRAMES_PER_BYTE } else { FRAMES_PER_BYTE });
        let format = Format {
            rate_hz: layout.rate_hz,
            channels: layout.channels,
            frames: None,
            frames_at_most: promised.unwrap_or(guess),
            encoding: name.into(),
        };
        let chain = if name == "MP3" { Some(FrameChain::open(path)) } else { None };
        let chain = chain.transpose().map_err(|source| SourceError::Io { path: path.into(), source })?;
        Ok(Compressed {
            chain,
            path: path.into(),
            format,
            track: track.id,
            decoder,
            pcm: Zeroizing::new(Vec::new()),
            given: 0,
            decoded: 0,
            next_tick: None,
            tick_hz,
            promised,
            ended: false,
            findings: Vec::new(),
            reader,
        })
    }

    /// Decodes the next packet that holds sound; false at the end.
    fn decode_next(&mut self) -> Result<bool, SourceError> {
        while !self.ended {
            let Some(packet) = self.next_packet()? else {
                self.check_end()?;
                self.end(false);
                return Ok(false);
            };
            self.check_place(&packet)?;
            if let Err(what) = self.decode(&packet) {
                // The last packet of a cut file is itself cut. Anything else has sound behind it.
                if matches!(self.reader.next_packet(), Ok(Some(_))) {
                    return Err(self.damaged(what));
                }
                self.end(true);
                return Ok(false);
            }
            let frames = (self.pcm.len() / self.format.channels) as u64;
            self.decoded += frames;
            if self.decoded > self.format.frames_at_most {
                return Err(self.damaged("it holds more sound than its header says, as if files were joined".into()));
            }
            if frames > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, SourceError> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    self.end(true);
                    return Ok(None);
                }
                Err(Error::IoError(source)) => return Err(SourceError::Io { path: self.path.clone(), source }),
                Err(Error::ResetRequired) => {
                    return Err(self.damaged("another stream begins here: files were joined; split them again".into()));
                }
                Err(error) => return Err(self.damaged(error.to_string())),
            }
        }
    }

    /// Refuses a packet that does not begin where the one before it ended.
    fn check_place(&mut self, packet: &Packet) -> Result<(), SourceError> {
        let begins = packet.pts.get();
        let missing = begins - self.next_tick.unwrap_or(begins);
        if missing as f64 > GAP_MAX_S * f64::from(self.tick_hz) {
            let seconds = missing as f64 / f64::from(self.tick_hz);
            return Err(self.damaged(format!("{seconds:.2} s of sound are missing here")));
        }
        let ticks = packet.dur.get().saturating_add(packet.trim_start.get()).saturating_add(packet.trim_end.get());
        self.next_tick = Some(begins.saturating_add_unsigned(ticks));
        match self.chain.as_mut().map(|chain| chain.follow(&packet.data)) {
            Some(Err(source)) => Err(SourceError::Io { path: self.path.clone(), source }),
            Some(Ok(false)) => Err(self.damaged("bytes that are no sound lie here, some sound may be lost".into())),
            None | Some(Ok(true)) => Ok(()),
        }
    }

    /// Refuses an MP3 with frames behind its end: its header counts only the first of several joined files, and the
    /// decoder leaves out the rest without a word.
    fn check_end(&mut self) -> Result<(), SourceError> {
        match self.chain.as_mut().map(FrameChain::goes_on) {
            Some(Err(source)) => Err(SourceError::Io { path: self.path.clone(), source }),
            Some(Ok(true)) => {
                Err(self.damaged("it holds more sound than its header says, as if files were joined".into()))
            }
            None | Some(Ok(false)) => Ok(()),
        }
    }

    fn decode(&mut self, packet: &Packet) -> Result<(), String> {
        self.given = 0;
        let (rate_hz, channels) = match &mut self.decoder {
            Decoder::Opus(voice) => {
                voice.decode(&packet.data, packet.trim_end.get(), &mut self.pcm)?;
                (self.format.rate_hz, self.format.channels)
            }
            Decoder::Symphonia(decoder) => {
                let sound = decoder.decode(packet).map_err(|error| error.to_string())?;
                self.pcm.resize(sound.samples_interleaved(), 0);
                sound.copy_to_slice_interleaved(&mut self.pcm[..]);
                (sound.spec().rate(), sound.spec().channels().count())
            }
        };
        if (rate_hz, channels) != (self.format.rate_hz, self.format.channels) {
            return Err(format!("the sound changes to {rate_hz} Hz and {channels} channel(s) here"));
        }
        Ok(())
    }

    /// Takes note of the end; `cut` if the file says itself that more was to come.
    fn end(&mut self, cut: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.pcm.clear();
        self.given = 0;
        match self.promised {
            Some(promised) if promised > self.decoded => {
                self.findings.push(Finding::Truncated { promised, found: self.decoded });
            }
            _ if cut => self.findings.push(Finding::Unfinished),
            _ => {}
        }
    }

    fn damaged(&self, what: String) -> SourceError {
        let at_s = self.decoded as f64 / f64::from(self.format.rate_hz);
        SourceError::Damaged { path: self.path.clone(), at_s, what }
    }
}

impl Recording for Compressed {
    fn format(&self) -> &Format {
        &self.format
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, SourceError> {
        let wanted = out.len() / self.format.channels * self.format.channels;
        let mut done = 0;
        while done < wanted {
            if self.given == self.pcm.len() && !self.decode_next()? {
                break;
            }
            let samples = (wanted - done).min(self.pcm.len() - self.given);
            out[done..done + samples].copy_from_slice(&self.pcm[self.given..self.given + samples]);
            self.given += samples;
            done += samples;
        }
        Ok(done / self.format.channels)
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

fn to_frames(ticks: u64, tick_hz: u32, rate_hz: u32) -> u64 {
    (u128::from(ticks) * u128::from(rate_hz)).div_ceil(u128::from(tick_hz.max(1))) as u64
}

/// The decoder of a track, what comes out of it, and its name. The error is a sentence with a remedy.
fn decoder_of(params: &AudioCodecParameters) -> Result<(Decoder, Layout, &'static str), String> {
    let name = match params.codec {
        CODEC_ID_FLAC => "FLAC",
        CODEC_ID_MP3 => "MP3",
        CODEC_ID_VORBIS => "Ogg Vorbis",
        CODEC_ID_OPUS => "Ogg Opus",
        _ => return Err("its codec is none that is read (FLAC, MP3, Vorbis, Opus); convert it to WAV".into()),
    };
    if params.codec == CODEC_ID_OPUS {
        let voice = OpusVoice::new(params.extra_data.as_deref().unwrap_or_default())?;
        let layout = Layout::new(Encoding::S16, voice.rate_hz(), voice.channels())?;
        return Ok((Decoder::Opus(Box::new(voice)), layout, name));
    }
    let (Some(rate_hz), Some(channels)) = (params.sample_rate, params.channels.as_ref()) else {
        return Err("its header names no rate or no channels; convert it to WAV".into());
    };
    let layout = Layout::new(Encoding::S16, rate_hz, channels.count())?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &Default::default())
        .map_err(|error| format!("its codec cannot be set up ({error}); convert it to WAV"))?;
    Ok((Decoder::Symphonia(decoder), layout, name))
}
