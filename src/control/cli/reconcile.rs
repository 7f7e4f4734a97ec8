//! `oneside reconcile`: the switch's list of calls against what became of them (FIN-02).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::archive::reconcile::{Became, Results};
use crate::config::read_key;
use crate::control::exit::Exit;
use crate::run::naming::Namer;
use crate::source::table::column;

/// Flags of `reconcile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The switch's list (CSV with a heading): a line for each call that it carried
    #[arg(value_name = "CALLS.csv")]
    calls: PathBuf,
    /// The store: the directory to which calls went
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The column that holds the calls' names
    #[arg(long, value_name = "NAME", default_value = "call")]
    column: String,
    /// The key with which the store's names are hashed, if they are
    #[arg(long, value_name = "FILE")]
    names_key: Option<PathBuf>,
    /// What became of every call, as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    super::exit_of(run(args))
}

fn run(args: &Args) -> Result<Exit, (Exit, String)> {
    let usage = |message: String| (Exit::Usage, message);
    if !args.store.is_dir() {
        return Err(usage(format!("{}: there is no such directory", args.store.display())));
    }
    let calls = column(&args.calls, &args.column).map_err(usage)?;
    let namer = match &args.names_key {
        None => None,
        Some(file) => {
            let key = read_key(file).map_err(|error| usage(error.to_string()))?;
            Some(Namer::new(&key).map_err(|error| usage(error.to_string()))?)
        }
    };
    let mut progress = |looked: u64| {
        if looked > 0 && looked.is_multiple_of(20_000) {
            warn_line!("oneside: {looked} calls of the store were looked at");
        }
    };
    let results = Results::of(&args.store, &mut progress).map_err(|error| (Exit::Disk, error.to_string()))?;
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    let mut open = 0u64;
    for (line, call) in &calls {
        let stored = namer.as_ref().map_or_else(|| call.clone(), |namer| namer.name(call));
        let became = results.became(&stored);
        *totals.entry(became.code().to_owned()).or_default() += 1;
        open += u64::from(!became.is_definite());
        if args.json {
            let definite = became.is_definite();
            let told = serde_json::json!({ "call": call, "line": line, "result": became.code(), "definite": definite });
            say_line!("{told}");
        } else if !became.is_definite() {
            say_line!("{}:{line}: {call}: {}", args.calls.display(), sentence(&became));
        }
    }
    if !args.json {
        let told: Vec<String> = totals.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let verdict = if open == 0 { "every call has a definite result".into() } else { format!("{open} without") };
        say_line!("{} call(s): {}; {verdict}", calls.len(), told.join(", "));
    }
    Ok(if open == 0 { Exit::Done } else { Exit::Partly })
}

fn sentence(became: &Became) -> &'static str {
    match became {
        Became::InHand => "it is being recorded; ask again when it is over",
        Became::Waits => "it was interrupted; the next start of the recorder seals it",
        Became::Unreadable => "its manifest cannot be read; `oneside verify` says what is wrong",
        _ => "nothing is known of it: it never reached the recorder, or its name here is another one",
    }
}
