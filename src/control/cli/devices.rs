//! `oneside devices`: the sound devices that are there, and what each can do.

use clap::Parser;

use super::complain;
use crate::control::exit::Exit;
use crate::source::capture::{Listed, devices};

/// What was written on the command line.
#[derive(Debug, Parser)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the list.
pub fn main(args: &Args) -> Exit {
    let list = match devices() {
        Ok(list) => list,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    if args.json {
        let text = serde_json::to_string_pretty(&list).expect("a list of plain values becomes JSON");
        say_line!("{text}");
        return Exit::Done;
    }
    if list.is_empty() {
        say_line!("No sound device is there.");
    }
    for device in &list {
        say_line!("{:<40} {}", device.id, device.name);
        say_line!("    {}", able(device));
    }
    Exit::Done
}

fn able(device: &Listed) -> String {
    if let Some(error) = &device.error {
        return format!("cannot be asked: {error}");
    }
    let mut words = vec![if device.loopback { "loopback of an output".into() } else { String::from("input") }];
    if device.default_input {
        words.push("the default input".into());
    }
    if device.default_output {
        words.push("the default output".into());
    }
    if let Some(shape) = &device.opens_as {
        words.push(format!("opens as {} channel(s), {} Hz, {}", shape.channels, shape.rate_hz, shape.format));
    }
    if let (Some(fewest), Some(most)) = (device.channels.first(), device.channels.last()) {
        words.push(format!("{fewest} to {most} channels"));
    }
    if let Some((low, high)) = device.rates_hz {
        words.push(format!("{low} to {high} Hz"));
    }
    if !device.formats.is_empty() {
        words.push(device.formats.join(" "));
    }
    words.join("; ")
}
