//! What the check tests share: a plain tokio fabric, servers that misbehave, probes, commands.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::manual_async_fn,
    reason = "a test fails by panicking; futures here are static"
)]

use standfast_core::config::model::{Bind, Command, Expect, HttpProbe, Probe, TlsProbe};
use standfast_core::input::Outcome;
use standfast_io::check::{self, Scripts};
use standfast_io::fabric::Fabric;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// tokio's own sockets, with nothing added.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Fabric for Plain {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, bind: &Bind) -> io::Result<TcpListener> {
        TcpListener::bind(bind.at).await
    }
    async fn accept(&self, listener: &mut TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept().await
    }
    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
    fn local(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }
    fn reset_on_drop(&self, stream: &TcpStream) {
        socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// For checks that are no scripts.
#[derive(Clone, Copy, Debug)]
pub struct NoScripts;

impl Scripts for NoScripts {
    fn run(&self, _command: &Command, _within: Duration) -> impl Future<Output = Outcome> + 'static {
        async { panic!("no script is part of this test") }
    }
}

/// Runs one network probe.
pub async fn probe(probe: Probe, within: Duration) -> Outcome {
    check::run(&Plain, &NoScripts, &probe, within).await
}

/// A port at which each connection is given to `serve`.
pub async fn server<T: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> T + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    at
}

/// A port at which nobody listens.
pub async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub const SECOND: Duration = Duration::from_secs(1);

/// `GET /healthz HTTP/1.0`, 2xx or 3xx.
pub fn healthz(to: SocketAddr) -> HttpProbe {
    HttpProbe {
        to,
        connect: SECOND,
        tls: None,
        method: "GET".into(),
        uri: "/healthz".into(),
        version: "HTTP/1.0".into(),
        headers: vec![],
        body: String::new(),
        expect: Expect::Default,
    }
}

/// `verify none`.
pub fn trusting() -> TlsProbe {
    TlsProbe { verify: false, roots: None, name: None, alpn: vec![] }
}

/// A command without a user.
pub fn command(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>().into(), user: None }
}

/// A self-made authority and a server it vouches for.
pub struct Authority {
    pub pem: Arc<str>,
    pub server: Arc<rustls::ServerConfig>,
}

/// An authority, and a certificate of it for `name`, Ed25519.
pub fn authority(name: &str) -> Authority {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519};
    let ca_key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(ca, ca_key))
        .unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut server =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Authority { pem: ca_pem.into(), server: Arc::new(server) }
}
