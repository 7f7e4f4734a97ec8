//! The obvious program as a command, and the maker of the calls that everything is measured on.
//!
//!     obvious DIR OUT              every DIR/*.wav → OUT/NAME.agent.wav, OUT/NAME.speech.wav
//!     obvious --make DIR COUNT [--rate 8000|16000|48000] [--codec pcm16|mulaw] [--seconds FROM-UNTIL]
//!                                  makes COUNT calls in DIR, of 180 to 360 s if nothing else is said, and prints the
//!                                  seconds of all together

#[path = "../calls/mod.rs"]
mod calls;
#[path = "mod.rs"]
mod program;

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use calls::{Codec, Kind};

const USAGE: &str = "usage: obvious DIR OUT | obvious --make DIR COUNT [--rate HZ] [--codec pcm16|mulaw] \
                     [--seconds FROM-UNTIL]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--make", dir, count, ref options @ ..] => {
            let (kind, seconds) = kind(options)?;
            println!("{}", calls::make(Path::new(dir), count.parse()?, seconds, kind)?);
            Ok(())
        }
        [dir, out] => all(Path::new(dir), Path::new(out)),
        _ => Err(USAGE.into()),
    }
}

/// What calls to make, and how long ones.
fn kind(options: &[&str]) -> Result<(Kind, Range<u32>), Box<dyn Error>> {
    let (mut kind, mut seconds) = (Kind::default(), 180..361);
    let (pairs, []) = options.as_chunks::<2>() else { return Err(USAGE.into()) };
    for [option, value] in pairs {
        match (*option, *value) {
            ("--rate", hz) => kind.rate_hz = hz.parse()?,
            ("--codec", "pcm16") => kind.codec = Codec::Pcm16,
            ("--codec", "mulaw") => kind.codec = Codec::MuLaw,
            ("--seconds", range) => {
                let (from, until) = range.split_once('-').unwrap_or((range, range));
                seconds = from.parse()?..until.parse::<u32>()? + 1;
            }
            _ => return Err(USAGE.into()),
        }
    }
    Ok((kind, seconds))
}

fn all(dir: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(out)?;
    let mut calls: Vec<PathBuf> =
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    calls.sort();
    for call in calls.iter().filter(|call| call.extension().is_some_and(|extension| extension == "wav")) {
        let name = call.file_stem().unwrap_or_default().to_string_lossy();
        program::obvious(call, &out.join(format!("{name}.agent.wav")), &out.join(format!("{name}.speech.wav")))?;
    }
    Ok(())
}
