//! Who is answered by the HTTP API and who is not: other sites, other machines, other users, connections that are held on to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oneside::control::http::{HttpConfig, HttpError, serve};

use crate::common::Scratch;
use crate::http_common::{Server, any, certificate};

#[test]
fn pages_of_other_sites_are_refused_whatever_they_send() {
    let server = Server::new(&["a"]);
    let json = "Content-Type: application/json";
    let own = format!("Origin: http://{}", server.running.address);
    for (headers, code) in [
        (["Host: evil.example", json], "unknown_host"),
        (["Host: 127.0.0.1.evil.example:80", json], "unknown_host"),
        (["Origin: http://evil.example", json], "cross_site"),
        (["Origin: null", json], "cross_site"),
        (["Sec-Fetch-Site: cross-site", json], "cross_site"),
        (["Sec-Fetch-Site: same-site", json], "cross_site"),
    ] {
        for (method, path) in [("POST", "/v1/calls/a/paused"), ("DELETE", "/v1/calls/a"), ("GET", "/v1/calls")] {
            let answered = server.send(method, path, &headers, "{}");
            answered.problem(403, code);
            assert!(!answered.head.contains("access-control"), "{}", answered.head);
        }
    }
    assert_eq!(server.get("/v1/calls/a").json()["recording"], "recording");
    assert_eq!(
        server.send("POST", "/v1/calls/a/paused", &[&own, "Sec-Fetch-Site: same-origin", json], "{}").status,
        200
    );
    let preflight = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    assert!(!server.send("OPTIONS", "/v1/calls", &preflight, "").head.contains("access-control"));
    let page = server.send("GET", "/", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document"], "");
    assert_eq!(page.status, 200);
    for header in [
        "content-security-policy: default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "x-frame-options: deny",
    ] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    assert!(!page.body.contains("style=") && !page.body.contains("http"), "the page brings all it needs");
}

#[test]
fn an_address_that_others_reach_needs_tls_and_a_token() {
    let scratch = Scratch::new("http-refusals");
    scratch.file("token", b"0123456789abcdef0123456789abcdef\n");
    scratch.file("short", b"abc\n");
    scratch.file("spaces", b"0123456789 abcdef\n");
    certificate(&scratch);
    let at = |name: &str| Some(scratch.at(name));
    let refused = |config: HttpConfig| match serve(Arc::default(), config, Arc::default()) {
        Ok(_) => panic!("it is served"),
        Err(error) => error.to_string(),
    };
    let wide = || HttpConfig { listen: "0.0.0.0:0".parse().unwrap(), ..HttpConfig::default() };
    assert!(refused(wide()).contains("SEC-03"));
    assert!(refused(HttpConfig { token_file: at("token"), ..wide() }).contains("--tls-cert"));
    assert!(
        refused(HttpConfig { tls_cert: at("cert.pem"), tls_key: at("key.pem"), ..wide() }).contains("--http-token")
    );
    assert!(refused(HttpConfig { tls_cert: at("cert.pem"), ..any() }).contains("--tls-key"));
    assert!(refused(HttpConfig { tls_cert: at("token"), tls_key: at("key.pem"), ..any() }).contains("certificate"));
    assert!(refused(HttpConfig { tls_cert: at("cert.pem"), tls_key: at("token"), ..any() }).contains("private key"));
    assert!(refused(HttpConfig { token_file: at("short"), ..any() }).contains("16"));
    assert!(refused(HttpConfig { token_file: at("spaces"), ..any() }).contains("without spaces"));
    assert!(refused(HttpConfig { token_file: at("none"), ..any() }).contains("none"));
    let first = Server::new(&[]);
    let taken = HttpConfig { listen: first.running.address, ..any() };
    assert!(matches!(serve(Arc::default(), taken, Arc::default()), Err(HttpError::Bind { .. })));
}

#[test]
fn with_a_token_and_tls_only_who_brings_it_is_answered() {
    let scratch = Scratch::new("http-tls");
    scratch.file("token", b"0123456789abcdef0123456789abcdef\n");
    scratch.file("other", b"0123456789abcdef0123456789abcdeX\n");
    certificate(&scratch);
    let at = |name: &str| Some(scratch.at(name));
    let listen = "0.0.0.0:0".parse().unwrap();
    let config =
        HttpConfig { listen, tls_cert: at("cert.pem"), tls_key: at("key.pem"), token_file: at("token"), ..any() };
    let server = Server::with(config, &["a"]);
    let url = format!("https://127.0.0.1:{}", server.running.address.port());
    let ctl = |more: &[&str]| {
        let all: Vec<&str> = ["ctl", "--at", &url].iter().chain(more).copied().collect();
        scratch.run(&all)
    };
    let ca = ["--tls-ca", "cert.pem"];
    let ran = ctl(&[&ca[..], &["--token-file", "token", "calls"]].concat()).ends(0);
    assert!(ran.out.starts_with("a  "), "{}", ran.out);
    assert!(ctl(&[&ca[..], &["calls"]].concat()).ends(2).err.contains("token_needed"));
    assert!(ctl(&[&ca[..], &["--token-file", "other", "calls"]].concat()).ends(2).err.contains("token_needed"));
    assert!(ctl(&["--token-file", "token", "calls"]).ends(2).err.contains("--tls-ca"));
    let plain = scratch.run(&["ctl", "--at", "http://10.0.0.1:1", "--token-file", "token", "calls"]).ends(2);
    assert!(plain.err.contains("https"), "{}", plain.err);
}

#[test]
fn on_loopback_a_token_keeps_other_users_out() {
    let scratch = Scratch::new("http-token");
    scratch.file("token", b"0123456789abcdef0123456789abcdef");
    let server = Server::with(HttpConfig { token_file: Some(scratch.at("token")), ..any() }, &["a"]);
    for path in ["/v1/calls", "/v1/events", "/metrics", "/v1/page", "/v1/nothing"] {
        let answered = server.get(path);
        answered.problem(401, "token_needed");
        assert!(answered.head.contains("www-authenticate: bearer"), "{}", answered.head);
    }
    for path in ["/", "/page.js", "/page.css", "/words.js", "/health", "/openapi.json"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef";
    assert_eq!(server.send("GET", "/v1/calls", &[bearer], "").status, 200);
    for wrong in [
        "Authorization: Bearer 0123456789abcdef0123456789abcdeF",
        "Authorization: Bearer",
        "Authorization: Basic 0123456789abcdef0123456789abcdef",
    ] {
        server.send("GET", "/v1/calls", &[wrong], "").problem(401, "token_needed");
    }
}

#[test]
fn clients_that_hold_on_to_connections_do_not_shut_out_others_for_long() {
    let server = Server::new(&["a"]);
    let held: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    let begun = Instant::now();
    drop(held);
    let mut status = 0;
    while status != 200 && begun.elapsed() < Duration::from_secs(30) {
        let mut stream = server.connect();
        let asked =
            write!(stream, "GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.running.address);
        let mut text = String::new();
        if asked.is_ok() && stream.read_to_string(&mut text).is_ok() && text.len() > 12 {
            status = text[9..12].parse().unwrap();
        }
    }
    assert_eq!(status, 200);
    let mut idle = server.connect();
    let begun = Instant::now();
    idle.write_all(b"GET / HTT").unwrap();
    let _ = idle.read_to_end(&mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(14), "a head that never ends is not waited for");
}
