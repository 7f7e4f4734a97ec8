//! The HTTP API over calls that nobody makes: for schemathesis and the browser. Ends when its standard input does.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use oneside::control::http::{HttpConfig, serve};
use oneside::run::live::OpenCall;

#[path = "../it/fake_call.rs"]
mod fake_call;

fn main() {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let desk = fake_call::desk();
    for call in std::env::args().skip(2) {
        desk.open(OpenCall { call: Some(call), ..OpenCall::default() }).expect("a call opens");
    }
    let listen = listen.parse().expect("an address");
    let mut config = HttpConfig { listen, ..HttpConfig::default() };
    config.page.purposes = vec!["training".into(), "quality".into()];
    let running = serve(desk, config, Arc::new(AtomicBool::new(false))).expect("it is served");
    println!("{}", running.url);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
