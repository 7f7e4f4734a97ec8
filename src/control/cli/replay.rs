//! `oneside replay`: a live call made again from its list of inputs, over sound that is supplied.

use std::path::PathBuf;

use super::flags::Reading;
use crate::archive::Place;
use crate::control::exit::Exit;
use crate::run::live::replay::{ReplayError, differences, manifest_beside, read_list, replay};
use crate::source::open_file;

/// Flags of `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// NAME.inputs.jsonl of a live call, or the journal of one that was interrupted
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// The sound that came in, as a file
    #[arg(long, value_name = "FILE")]
    audio: PathBuf,
    /// Where the call is made again; nothing of that name may stand there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Compare with what stands beside the list; exit 1 if a byte differs, or the sound is another
    #[arg(long)]
    check: bool,
    /// Make it over another sound than the one that came in: a customer in it is kept as if this call's grants were theirs
    #[arg(long)]
    other_sound: bool,
    /// A file without a header is read as this; needs --rate and --channels
    #[arg(long, value_name = "s16le|mulaw|alaw")]
    raw: Option<String>,
    /// Its rate
    #[arg(long, value_name = "HZ", requires = "raw")]
    rate: Option<u32>,
    /// Its channels
    #[arg(long, value_name = "N", requires = "raw")]
    channels: Option<usize>,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    match again(args) {
        Ok(exit) => exit,
        Err((exit, message)) => {
            warn_line!("oneside: {message}");
            exit
        }
    }
}

fn again(args: &Args) -> Result<Exit, (Exit, String)> {
    let usage = |error: String| (Exit::Usage, error);
    let reading = Reading { raw: args.raw.clone(), rate: args.rate, channels: args.channels, ..Reading::default() };
    let raw = reading.raw_format().map_err(usage)?;
    let list = read_list(&args.list).map_err(|error| usage(error.to_string()))?;
    let name = &list.opening.about.call;
    let place = Place::new(&args.out, name).map_err(|error| usage(error.to_string()))?;
    if place.manifest().exists() {
        return Err((Exit::Refused, format!("{}: a call of that name stands there", place.manifest().display())));
    }
    let mut recording = open_file(&args.audio, raw.as_ref()).map_err(|error| usage(error.to_string()))?;
    let replayed = replay(&list, recording.as_mut(), &args.out, args.other_sound).map_err(|error| match error {
        ReplayError::Store(error) => (Exit::Disk, error.to_string()),
        ReplayError::OtherSound => (Exit::Partly, error.to_string()),
        error => (Exit::Usage, error.to_string()),
    })?;
    let other_sound = replayed.same_sound == Some(false);
    if other_sound {
        warn_line!("oneside: this is not the sound that came in: its digest is another");
    }
    if !args.check {
        say_line!("{name}: made again in {}", args.out.display());
        return Ok(Exit::Done);
    }
    let then = manifest_beside(&args.list, name).map_err(|error| usage(error.to_string()))?;
    let differences = differences(&then, &replayed.manifest);
    for difference in &differences {
        say_line!("{name}: {difference}");
    }
    match differences.is_empty() {
        true if other_sound => say_line!("{name}: the outputs are the same, though the sound is another"),
        true => say_line!("{name}: the same, bit for bit"),
        false => {}
    }
    Ok(if differences.is_empty() && !other_sound { Exit::Done } else { Exit::Partly })
}
