//! Who may ask (SEC-03). Four questions before any request reaches a call:
//!
//! 1. Does it name us? A page of another site can have its name resolved to 127.0.0.1 (DNS rebinding); its requests
//!    then carry that name in `Host`.
//! 2. Does it come from us? A browser says in `Origin` and `Sec-Fetch-Site` which page asks. Another site's gets nothing,
//!    and there are no CORS headers that would say otherwise. What changes something needs `application/json` as well,
//!    which no form can send.
//! 3. Does it bring the token, if there is one?
//! 4. May the page be put into a frame of another site? Never: a hidden *yes* could be clicked.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;

/// Paths that need no token: they tell nothing of a call.
const OPEN_PATHS: [&str; 6] = ["/", "/page.css", "/page.js", "/words.js", "/openapi.json", "/health"];

/// Headers of every answer.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// What is known of who may ask.
#[derive(Debug)]
pub struct Guard {
    /// The token's digest: comparing digests takes the same time wherever they differ.
    pub token: Option<blake3::Hash>,
    /// Whether only this machine reaches us.
    pub loopback: bool,
    /// Names of the machine.
    pub names: Vec<String>,
    /// `http` or `https`.
    pub scheme: &'static str,
}

/// Asks the questions, counts the answer, and sets the headers of every answer.
pub async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let admitted = shared.guard.admit(request.method(), request.uri(), request.headers());
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    shared.answers.count(response.status().as_u16());
    response
}

impl Guard {
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = self.host(uri, headers)?;
        self.same_site(method, uri, headers, host)?;
        match &self.token {
            Some(token) if !OPEN_PATHS.contains(&uri.path()) => authorized(token, headers),
            _ => Ok(()),
        }
    }

    fn host<'h>(&self, uri: &Uri, headers: &'h HeaderMap) -> Result<&'h str, Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let in_target = uri.authority().map(|authority| authority.as_str());
        match host {
            Some(host) if hosts.next().is_none() && in_target.is_none_or(|name| name == host) && self.knows(host) => {
                Ok(host)
            }
            _ => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "unknown_host",
                "the request names another host than this one (it may be a page of another site)",
                "use http://127.0.0.1 or http://localhost, or add the machine's name to the configuration (--http-name)",
            )),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let Some(name) = name_of(host) else { return false };
        if name.eq_ignore_ascii_case("localhost") || self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return true;
        }
        // An address cannot be rebound. One of another machine means nothing to a listener on loopback.
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => !self.loopback || address.is_loopback(),
            Err(_) => false,
        }
    }

    fn same_site(&self, method: &Method, uri: &Uri, headers: &HeaderMap, host: &str) -> Result<(), Problem> {
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let ours = format!("{}://{host}", self.scheme);
        let origins = headers.get_all(header::ORIGIN).iter().count();
        let origin = origins == 0 || origins == 1 && said("origin").is_some_and(|o| o.eq_ignore_ascii_case(&ours));
        // A link to the page may stand anywhere; the page itself asks nothing before somebody presses a button.
        let navigates = method == Method::GET && uri.path() == "/" && said("sec-fetch-dest") == Some("document");
        let site = matches!(said("sec-fetch-site"), None | Some("same-origin" | "none")) || navigates;
        match origin && site {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "the request comes from a page of another site",
                "use the page that is served here, or a program that is no browser (`oneside ctl`)",
            )),
        }
    }
}

fn authorized(token: &blake3::Hash, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.split_once(' '));
    match given {
        // Equality of digests is decided in constant time (blake3's documentation).
        Some((scheme, given))
            if scheme.eq_ignore_ascii_case("bearer") && blake3::hash(given.trim().as_bytes()) == *token =>
        {
            Ok(())
        }
        _ => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token_needed",
            "the request brings no token, or not the right one",
            "send `Authorization: Bearer TOKEN` (`oneside ctl --token-file FILE`; the page: open it with #token=TOKEN)",
        )),
    }
}

/// The host without its port.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, rest)) => (&host[..inside.len() + 2], rest.strip_prefix(':').or(rest.is_empty().then_some("0"))?),
        None => host.split_once(':').unwrap_or((host, "0")),
    };
    port.parse::<u16>().ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(loopback: bool) -> Guard {
        Guard { token: None, loopback, names: vec!["desk.example".into()], scheme: "http" }
    }

    #[test]
    fn only_our_own_names_are_known() {
        let near = guard(true);
        for host in
            ["127.0.0.1:8741", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8741", "[::1]", "desk.example:8741"]
        {
            assert!(near.knows(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.5:8741",
            "",
            ":",
            "[::1",
            "[::1]x",
            "127.0.0.1:x",
            "localhost:99999",
            "2130706433",
        ] {
            assert!(!near.knows(host), "{host}");
        }
        assert!(guard(false).knows("10.0.0.5:8741") && !guard(false).knows("evil.example"));
    }

    #[test]
    fn a_page_of_another_site_is_refused_and_a_link_to_ours_is_not() {
        let headers = |list: &[(&'static str, &'static str)]| -> HeaderMap {
            list.iter().map(|(k, v)| (header::HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
        };
        let asks = |method: &Method, path: &str, list: &[(&'static str, &'static str)]| {
            guard(true).admit(method, &path.parse().unwrap(), &headers(list)).is_ok()
        };
        let host = ("host", "127.0.0.1:8741");
        assert!(asks(&Method::POST, "/v1/calls", &[host]));
        assert!(asks(&Method::POST, "/v1/calls", &[host, ("origin", "http://127.0.0.1:8741")]));
        for origin in
            ["http://evil.example", "null", "https://127.0.0.1:8741", "http://127.0.0.1:8742", "http://localhost:8741"]
        {
            assert!(!asks(&Method::POST, "/v1/calls", &[host, ("origin", origin)]), "{origin}");
            assert!(!asks(&Method::GET, "/v1/calls", &[host, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "other"] {
            let list = [host, ("sec-fetch-site", site), ("sec-fetch-dest", "document")];
            assert!(!asks(&Method::POST, "/v1/calls", &list) && !asks(&Method::GET, "/v1/calls", &list), "{site}");
            assert!(asks(&Method::GET, "/", &list) && !asks(&Method::POST, "/", &list), "{site}");
            assert!(
                !asks(&Method::GET, "/", &[host, ("sec-fetch-site", site), ("sec-fetch-dest", "iframe")]),
                "{site}"
            );
        }
        assert!(!asks(&Method::GET, "/", &[]), "a request that names no host");
        assert!(!asks(&Method::GET, "http://evil.example/", &[host]), "a target that names another host");
    }
}
