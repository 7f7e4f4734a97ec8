//! The recorder's API from the other side: asks, and says in a line what was answered.

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::Args;
use crate::config::{read_key, read_token};
use crate::control::exit::Exit;
use crate::control::http::calls::escaped;

/// Longest wait for an answer; closing a call takes longest.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Who watches and hears nothing for so long has lost the recorder: it gives a sign of life once a second.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// Why a command came to nothing.
pub(super) struct Failed {
    pub(super) exit: Exit,
    pub(super) say: String,
}

fn usage(say: impl Into<String>) -> Failed {
    Failed { exit: Exit::Usage, say: say.into() }
}

/// The recorder's API.
pub(super) struct Api {
    agent: Agent,
    at: String,
    token: Option<String>,
    json: bool,
}

impl Api {
    pub(super) fn new(args: &Args) -> Result<Api, Failed> {
        let token = args.token_file.as_deref().map(read_token).transpose().map_err(|error| usage(error.to_string()))?;
        let at = args.at.trim_end_matches('/').to_owned();
        let near = ["http://127.", "http://localhost", "http://[::1]"].iter().any(|start| at.starts_with(start));
        if token.is_some() && !at.starts_with("https://") && !near {
            return Err(usage("the token is not sent over a network in the clear; use https"));
        }
        let tls = tls(args, at.starts_with("https://"))?;
        // No proxy: what is asked is between this machine and the recorder. No redirects: nobody else gets the token.
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_recv_response(Some(ANSWER_WITHIN))
            .timeout_per_read(Some(SILENT_MAX.max(ANSWER_WITHIN)));
        Ok(Api { agent: config.build().new_agent(), at, token, json: args.json })
    }

    /// The path of a call, the only one in hand if none was named.
    pub(super) fn path(&self, args: &Args, below: &str) -> Result<String, Failed> {
        if let Some(call) = &args.call {
            return Ok(format!("/v1/calls/{}{below}", escaped(call)));
        }
        let calls = self.get("/v1/calls")?;
        let names: Vec<&str> =
            calls.as_array().into_iter().flatten().filter_map(|state| state["call"].as_str()).collect();
        match names[..] {
            [call] => Ok(format!("/v1/calls/{}{below}", escaped(call))),
            [] => Err(usage("no call is in hand; `oneside ctl open` opens one where that is possible")),
            _ => Err(usage(format!("{} calls are in hand ({}); say which with --call", names.len(), names.join(", ")))),
        }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failed> {
        let request = self.agent.get(format!("{}{path}", self.at));
        self.answer(self.with_token(request).call())
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let request = self.agent.post(format!("{}{path}", self.at));
        self.answer(self.with_token(request).send_json(body))
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failed {
        usage(format!(
            "no recorder answers at {}: {error}; is one running with --http? Say where with --at URL",
            self.at
        ))
    }

    fn answer(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Failed> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let body: Value = answer.body_mut().read_json().map_err(|error| self.unreachable(&error))?;
        if status < 300 {
            return Ok(body);
        }
        if self.json {
            say_line!("{body}");
        }
        let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let exit = match (status, word("code").as_str()) {
            (409, _) => Exit::Refused,
            (503, "failed") => Exit::Disk,
            (503, _) => Exit::Partly,
            (500, _) => Exit::Bug,
            _ => Exit::Usage,
        };
        Err(Failed { exit, say: format!("{} ({}); {}", word("title"), word("code"), word("remedy")) })
    }

    /// Says what changes until the recorder or the reader goes.
    pub(super) fn watch(&self) -> Result<(), Failed> {
        let request = self.with_token(self.agent.get(format!("{}/v1/events", self.at)));
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        if answer.status().as_u16() != 200 {
            return self.answer(Ok(answer)).map(drop);
        }
        let mut event = String::new();
        for line in BufReader::new(answer.into_body().into_reader()).lines() {
            let line = line.map_err(|error| usage(format!("the recorder at {} is gone: {error}", self.at)))?;
            if let Some(name) = line.strip_prefix("event:") {
                event = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:").filter(|_| event != "alive") {
                let data: Value = serde_json::from_str(data.trim()).unwrap_or_default();
                let told = writeln!(std::io::stdout(), "{}", json!({ "event": event, "data": data }));
                if told.is_err() {
                    return Ok(());
                }
            }
        }
        Err(usage(format!("the recorder at {} has ended", self.at)))
    }
}

/// Whose certificates are believed: those that were given, and nobody else's.
fn tls(args: &Args, needed: bool) -> Result<TlsConfig, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    let Some(path) = &args.tls_ca else {
        return match needed {
            true => Err(usage(
                "whose certificates are believed? Give --tls-ca FILE: the authority that signed the recorder's (for the \
                 public ones, what the system keeps: /etc/ssl/certs/ca-certificates.crt)",
            )),
            false => Ok(tls.build()),
        };
    };
    let bytes = read_key(path).map_err(|error| usage(error.to_string()))?;
    let certs = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certs: Vec<_> = certs.collect();
    match certs.is_empty() {
        true => Err(usage(format!("{}: there is no certificate in it (PEM)", path.display()))),
        false => Ok(tls.root_certs(RootCerts::from(certs)).build()),
    }
}

/// Says an answer, as it is or in a line.
pub(super) fn tell(args: &Args, value: &Value, line: impl Fn(&Value) -> String) {
    match args.json {
        true => say_line!("{value}"),
        false => say_line!("{}", line(value)),
    }
}

/// Says a list, as it is or a line each.
pub(super) fn each(args: &Args, list: &Value, line: impl Fn(&Value) -> String) {
    match args.json {
        true => say_line!("{list}"),
        false => list.as_array().into_iter().flatten().for_each(|value| say_line!("{}", line(value))),
    }
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("-")
}

pub(super) fn answer_line(kind: &str, answer: &Value) -> String {
    format!(
        "{}: {kind} counts from {:.3} s (sample {}); ledger {}; customer {}; {}",
        word(answer, "outcome"),
        answer["seconds"].as_f64().unwrap_or(0.0),
        answer["sample"],
        answer["ledger"],
        word(answer, "customer"),
        word(answer, "recording"),
    )
}

pub(super) fn state_line(state: &Value) -> String {
    let customer = match (state["customer_stored"].as_bool(), state["customer_why"].as_str()) {
        (Some(true), _) => "customer stored".to_owned(),
        (_, Some(why)) => format!("customer not stored ({why})"),
        _ => "customer not stored".to_owned(),
    };
    let told = if state["told"] == true { "told" } else { "not told" };
    let seconds = state["seconds"].as_f64().unwrap_or(0.0);
    format!("{}  {seconds:.1} s  {}  {told}  {customer}", word(state, "call"), word(state, "recording"))
}

pub(super) fn ended_line(ended: &Value) -> String {
    let seconds = |key: &str| ended[key].as_f64().unwrap_or(0.0);
    let mut line = format!(
        "{}  {:.1} s  agent {:.1} s  customer {:.1} s  {}",
        word(ended, "call"),
        seconds("seconds"),
        seconds("agent_s"),
        seconds("customer_s"),
        word(ended, "result"),
    );
    if let Some(error) = ended["error"].as_str() {
        line.push_str(&format!("  ({error})"));
    }
    line
}
