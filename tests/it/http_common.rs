//! The HTTP API over calls that nobody makes: a server, and requests as they are written.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use oneside::control::http::{HttpConfig, Running, serve};
use oneside::run::live::{Desk, OpenCall};
use serde_json::Value;

use crate::common::Scratch;
use crate::fake_call::desk;

pub struct Server {
    pub desk: Arc<Desk>,
    pub running: Running,
}

pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// A problem, with all that a problem has.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(problem["remedy"].as_str().is_some_and(|text| !text.is_empty()));
        problem
    }
}

pub fn any() -> HttpConfig {
    HttpConfig { listen: "127.0.0.1:0".parse().unwrap(), ..HttpConfig::default() }
}

impl Server {
    pub fn new(calls: &[&str]) -> Server {
        Server::with(any(), calls)
    }

    pub fn with(config: HttpConfig, calls: &[&str]) -> Server {
        let desk = desk();
        for call in calls {
            desk.open(OpenCall { call: Some((*call).into()), ..OpenCall::default() }).unwrap();
        }
        let running = serve(Arc::clone(&desk), config, Arc::new(AtomicBool::new(false))).unwrap();
        Server { desk, running }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A request as it is written.
    pub fn raw(&self, request: &str) -> Answered {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request}: {all}"));
        let status = head[9..12].parse().unwrap();
        Answered { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answered {
        let own = format!("Host: {}", self.running.address);
        let host = if headers.iter().any(|h| h.starts_with("Host:")) { "" } else { &own };
        let lines: Vec<&str> = [host].into_iter().chain(headers.iter().copied()).filter(|h| !h.is_empty()).collect();
        let length = body.len();
        let head = lines.join("\r\n");
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    pub fn get(&self, path: &str) -> Answered {
        self.send("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answered {
        self.send("POST", path, &["Content-Type: application/json"], &body.to_string())
    }

    pub fn ctl(&self, scratch: &Scratch, arguments: &[&str]) -> crate::common::Ran {
        let all: Vec<&str> = ["ctl", "--at", &self.running.url].iter().chain(arguments).copied().collect();
        scratch.run(&all)
    }
}

pub fn certificate(scratch: &Scratch) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=desk", "-addext", "subjectAltName=IP:127.0.0.1,DNS:desk.example"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(scratch.at("key.pem"))
        .arg("-out")
        .arg(scratch.at("cert.pem"))
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
