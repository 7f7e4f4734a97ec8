//! The flags by which a live command serves the HTTP API and the agent's page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::Settings;
use crate::control::http::{HttpConfig, HttpError, PageConfig, page};

/// How calls are steered while they are recorded.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Steering (HTTP API and the agent's page)")]
pub struct HttpFlags {
    /// Serve the API and the page at this address, or at this port of 127.0.0.1. Other machines reach it only with TLS
    /// and a token
    #[arg(long, value_name = "ADDR|PORT", value_parser = address)]
    http: Option<SocketAddr>,
    /// The token that every request has to bring: a file of one line
    #[arg(long, value_name = "FILE", requires = "http")]
    http_token: Option<PathBuf>,
    /// A name under which this machine is reached, besides its addresses and localhost. May be repeated
    #[arg(long = "http-name", value_name = "NAME", requires = "http")]
    http_names: Vec<String>,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["http", "tls_key"])]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["http", "tls_cert"])]
    tls_key: Option<PathBuf>,
    /// The announcement that the page's "customer was told" reports [default: standard]
    #[arg(long, value_name = "ID", requires = "http")]
    notice: Option<String>,
    /// Its version [default: 1]
    #[arg(long, value_name = "VERSION", requires = "http")]
    notice_version: Option<String>,
    /// Languages of the page, the preferred one first [default: en,sv,da,nb,sl]
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "http", value_parser = page::LANGUAGES)]
    page_languages: Vec<String>,
}

impl HttpFlags {
    /// Whether the API is to be served.
    pub fn is_asked_for(&self) -> bool {
        self.http.is_some()
    }

    /// How the API is to be served, if it is. The page offers the purposes that the store records for.
    pub fn config(&self, settings: &Settings) -> Result<Option<HttpConfig>, HttpError> {
        let Some(listen) = self.http else { return Ok(None) };
        let default = PageConfig::default();
        let languages = if self.page_languages.is_empty() { default.languages } else { self.page_languages.clone() };
        let page = PageConfig {
            notice: self.notice.clone().unwrap_or(default.notice),
            version: self.notice_version.clone().unwrap_or(default.version),
            purposes: settings.purposes.value.clone().unwrap_or_default(),
            languages,
        };
        Ok(Some(HttpConfig {
            listen,
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            token_file: self.http_token.clone(),
            names: self.http_names.clone(),
            page,
        }))
    }
}

/// An address with a port, or a port of this machine alone.
fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let near = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    near.as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| "give an address and a port (127.0.0.1:8741, [::1]:8741), or a port".into())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        assert!(address("8741").unwrap().ip().is_loopback());
        assert_eq!(address("localhost:1"), address("127.0.0.1:1"));
        assert!(address("0.0.0.0:80").is_ok() && address("desk:80").is_err() && address("127.0.0.1").is_err());
    }
}
