//! `oneside ctl`: what the page does, from a shell or a softphone's hook. Says what the writer did.

mod api;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::control::exit::Exit;
use api::{Api, Failed, answer_line, each, ended_line, state_line, tell};

/// Flags of `ctl`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the recorder's API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8741", global = true)]
    at: String,
    /// The API's token: a file of one line
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// For https: the authority (PEM) that signed the recorder's certificate
    #[arg(long, value_name = "FILE", global = true)]
    tls_ca: Option<PathBuf>,
    /// The call. May be left out if exactly one is in hand
    #[arg(long, value_name = "NAME", global = true)]
    call: Option<String>,
    /// The answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Open a call
    Open {
        /// The agent's id
        #[arg(long)]
        agent: Option<String>,
        /// The other side's number: compared with the never-record list, never stored
        #[arg(long)]
        number: Option<String>,
        /// A private call: neither side is recorded
        #[arg(long)]
        private: bool,
        /// Health and the like: consent alone counts
        #[arg(long)]
        sensitive: bool,
    },
    /// End a call, and wait until it stands
    Close,
    /// The customer was told that the call is recorded
    Told {
        /// The announcement
        #[arg(long)]
        notice: String,
        /// Its version
        #[arg(long)]
        version: String,
        /// Its language
        #[arg(long)]
        language: Option<String>,
        /// Who heard it, if not everyone
        #[arg(long)]
        party: Option<String>,
    },
    /// The customer said yes
    Granted {
        /// dtmf, spoken_yes, button, api or token
        #[arg(long)]
        act: String,
        /// What for. May be repeated
        #[arg(long = "purpose", required = true)]
        purposes: Vec<String>,
        /// Of dtmf: the key
        #[arg(long)]
        digit: Option<String>,
        /// Of spoken_yes and button: the agent's id
        #[arg(long)]
        agent: Option<String>,
        /// Of spoken_yes: the version of the question
        #[arg(long)]
        question: Option<String>,
        /// Of api: which system
        #[arg(long)]
        source: Option<String>,
        /// Of token: its id
        #[arg(long)]
        token: Option<String>,
        /// Of token: when it runs out (RFC 3339)
        #[arg(long)]
        expires: Option<String>,
        /// Who, if not the first remote party
        #[arg(long)]
        party: Option<String>,
        /// Another legal basis than consent
        #[arg(long)]
        basis: Option<String>,
        /// The reference of its assessment
        #[arg(long)]
        basis_ref: Option<String>,
    },
    /// The customer said no
    Refused(Who),
    /// The customer took consent back
    Withdrawn {
        /// Who, if not the first remote party
        #[arg(long)]
        party: Option<String>,
        /// Only this purpose. May be repeated
        #[arg(long = "purpose")]
        purposes: Vec<String>,
    },
    /// Pause: neither side is recorded
    Pause,
    /// Go on after a pause
    Resume,
    /// The call was put on hold
    Hold,
    /// The call was taken off hold
    Retrieve,
    /// Another remote party came on the line
    Joined(WhoElse),
    /// A remote party left
    Left(WhoElse),
    /// Drop the last seconds of both sides
    Mask {
        /// How many
        #[arg(value_name = "SECONDS")]
        seconds: u32,
    },
    /// A private stretch begins
    Private {
        /// It ends
        #[arg(long)]
        end: bool,
    },
    /// The other side hung up
    HungUp,
    /// The state of a call
    State,
    /// The calls in hand
    Calls,
    /// The calls that ended last
    Ended,
    /// What changes, as it changes, a JSON object a line
    Watch,
}

#[derive(Debug, clap::Args)]
struct Who {
    /// Who, if not the first remote party
    #[arg(long)]
    party: Option<String>,
}

#[derive(Debug, clap::Args)]
struct WhoElse {
    /// Who
    #[arg(long)]
    party: String,
}

/// Runs the command.
pub fn main(args: &Args) -> Exit {
    match Api::new(args).and_then(|api| run(args, &api)) {
        Ok(()) => Exit::Done,
        Err(Failed { exit, say }) => {
            warn_line!("oneside: {say}");
            exit
        }
    }
}

fn run(args: &Args, api: &Api) -> Result<(), Failed> {
    match &args.what {
        What::Calls => each(args, &api.get("/v1/calls")?, state_line),
        What::Ended => each(args, &api.get("/v1/ended")?, ended_line),
        What::State => tell(args, &api.get(&api.path(args, "")?)?, state_line),
        What::Open { agent, number, private, sensitive } => {
            let mut body = fields([("call", &args.call), ("agent", agent), ("number", number)]);
            body.insert("private".into(), json!(private));
            body.insert("sensitive".into(), json!(sensitive));
            tell(args, &api.post("/v1/calls", &body.into())?, |state| format!("opened: {}", state_line(state)));
        }
        What::Close => {
            tell(args, &api.post(&api.path(args, "/close")?, &json!({}))?, |ended| {
                format!("ended: {}", ended_line(ended))
            });
        }
        What::Watch => return api.watch(),
        what => {
            let (kind, body) = event(what);
            let answer = api.post(&api.path(args, &format!("/{kind}"))?, &Value::Object(body))?;
            tell(args, &answer, |answer| answer_line(kind, answer));
        }
    }
    Ok(())
}

fn event(what: &What) -> (&'static str, Map<String, Value>) {
    let with = |mut body: Map<String, Value>, purposes: &[String]| {
        if !purposes.is_empty() {
            body.insert("purposes".into(), json!(purposes));
        }
        body
    };
    match what {
        What::Told { notice, version, language, party } => (
            "told",
            fields([
                ("notice", &Some(notice.clone())),
                ("version", &Some(version.clone())),
                ("language", language),
                ("party", party),
            ]),
        ),
        What::Granted { act, purposes, digit, agent, question, source, token, expires, party, basis, basis_ref } => {
            let body = fields([
                ("act", &Some(act.clone())),
                ("digit", digit),
                ("agent", agent),
                ("question", question),
                ("source", source),
                ("token", token),
                ("expires", expires),
                ("party", party),
                ("basis", basis),
                ("basis_ref", basis_ref),
            ]);
            ("granted", with(body, purposes))
        }
        What::Refused(Who { party }) => ("refused", fields([("party", party)])),
        What::Withdrawn { party, purposes } => ("withdrawn", with(fields([("party", party)]), purposes)),
        What::Joined(WhoElse { party }) => ("joined", fields([("party", &Some(party.clone()))])),
        What::Left(WhoElse { party }) => ("left", fields([("party", &Some(party.clone()))])),
        What::Mask { seconds } => ("masked", Map::from_iter([("seconds".to_owned(), json!(seconds))])),
        What::Private { end: false } => ("private", Map::new()),
        What::Private { end: true } => ("private_ended", Map::new()),
        What::Pause => ("paused", Map::new()),
        What::Resume => ("resumed", Map::new()),
        What::Hold => ("held", Map::new()),
        What::Retrieve => ("retrieved", Map::new()),
        _ => ("hung_up", Map::new()),
    }
}

fn fields<const N: usize>(list: [(&str, &Option<String>); N]) -> Map<String, Value> {
    list.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?)))).collect()
}
