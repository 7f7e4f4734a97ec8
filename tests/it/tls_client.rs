//! TLS with an authority of our own: its certificate, one for a server on this machine, and a client that trusts nobody else.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::common::Scratch;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection behind TLS.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What an authority made for a server.
pub struct Certified {
    /// The authority's own certificate.
    pub authority: PathBuf,
    /// The server's.
    pub cert: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certified {
    /// An authority of its own for each `name`, and what it certifies for 127.0.0.1.
    pub fn new(scratch: &Scratch, name: &str) -> Certified {
        let openssl = |arguments: &[&str]| {
            let made = Command::new("openssl").args(arguments).current_dir(scratch.at("")).output();
            let made = made.expect("openssl is there");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        let file = |ending: &str| format!("{name}.{ending}");
        let (authority, secret) = (file("ca.pem"), file("ca.key"));
        let (asked, key, cert, more) = (file("csr"), file("key"), file("pem"), file("ext"));
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let own = ["-days", "2", "-subj", "/CN=an authority", "-keyout", &secret, "-out", &authority];
        openssl(&[&["req", "-x509"][..], &new_key, &own].concat());
        openssl(&[&["req"][..], &new_key, &["-subj", "/CN=recorder", "-keyout", &key, "-out", &asked]].concat());
        scratch.file(&more, b"subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n");
        let by = ["-CA", &authority, "-CAkey", &secret, "-CAcreateserial", "-days", "2", "-extfile", &more];
        openssl(&[&["x509", "-req", "-in", &asked][..], &by, &["-out", &cert]].concat());
        Certified { authority: scratch.at(&authority), cert: scratch.at(&cert), key: scratch.at(&key) }
    }

    /// The keys of a listener's table.
    pub fn keys(&self) -> String {
        format!("tls_cert = {:?}\ntls_key = {:?}\n", self.cert, self.key)
    }
}

/// Connects to a server that this authority has certified; an error if it has not.
pub fn connect(address: SocketAddr, authority: &Path) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    let trusted = std::fs::read(authority)?;
    roots.add(CertificateDer::from_pem_slice(&trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let connection = ClientConnection::new(Arc::new(config), ServerName::from(address.ip())).unwrap();
    let mut tls = StreamOwned::new(connection, stream);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    Ok(tls)
}
