//! The obvious program as a command, and the maker of the calls that it is measured on.
//!
//!     obvious DIR OUT              every DIR/*.wav → OUT/NAME.agent.wav, OUT/NAME.speech.wav
//!     obvious --make DIR COUNT     makes COUNT calls in DIR

#[path = "../calls/mod.rs"]
mod calls;
#[path = "mod.rs"]
mod program;

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--make", dir, count] => {
            let seconds = calls::make(Path::new(dir), count.parse()?, 180..361)?;
            println!("{seconds}");
            Ok(())
        }
        [dir, out] => all(Path::new(dir), Path::new(out)),
        _ => Err("usage: obvious DIR OUT | obvious --make DIR COUNT".into()),
    }
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
