//! A stand-in for an API server: answers `/healthz` and `/` by HTTPS, and a one-line question by plain text.
//!
//! One port serves both: the first byte tells a TLS record (or an SSLv2 hello) from text. An old hello without TLS
//! 1.2 is answered by an alert, as a real API server does. While the file given by `--sick` exists, `/healthz` says
//! 500. One line per request on standard output.

use super::host::{Host, View};
use super::net::Lab;
use super::process::Process;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The longest request that is read.
const MAX_REQUEST: usize = 8 * 1024;
/// The longest a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

struct Backend {
    name: String,
    sick: Option<PathBuf>,
    tls: TlsAcceptor,
}

/// `lab backend --name cp1 --listen 0.0.0.0:6443 [--sick FILE]`
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let (mut name, mut listen, mut sick) = ("backend".to_owned(), None, None);
    let mut rest = args.iter();
    while let (Some(option), Some(value)) = (rest.next(), rest.next()) {
        match option.as_str() {
            "--name" => value.clone_into(&mut name),
            "--listen" => listen = value.parse::<SocketAddr>().ok(),
            "--sick" => sick = Some(PathBuf::from(value)),
            other => return usage(other),
        }
    }
    let Some(listen) = listen else { return usage("--listen") };
    let served = super::block_on(async move {
        let tls = TlsAcceptor::from(Arc::new(server_config()?));
        serve(listen, Rc::new(Backend { name, sick, tls })).await
    });
    super::exit(served)
}

fn usage(what: &str) -> ExitCode {
    eprintln!("lab backend --name NAME --listen ADDRESS:PORT [--sick FILE]; not understood: {what}");
    ExitCode::from(2)
}

fn server_config() -> super::Result<ServerConfig> {
    let wrong = |error: &dyn std::fmt::Display| super::Trouble::new(format!("certificate: {error}"));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|e| wrong(&e))?;
    let names = vec!["localhost".to_owned(), "lab.example".to_owned()];
    let cert = rcgen::CertificateParams::new(names)
        .and_then(|params| params.self_signed(&key))
        .map_err(|e| wrong(&e))?;
    let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(|e| wrong(&e))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], secret))
        .map_err(|e| wrong(&e))
}

async fn serve(listen: SocketAddr, backend: Rc<Backend>) -> super::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        let backend = Rc::clone(&backend);
        tokio::task::spawn_local(async move {
            let talk = tokio::time::timeout(PATIENCE, backend.talk(stream, from));
            let line = match talk.await {
                Ok(Ok(line)) => line,
                Ok(Err(error)) => format!("error {error}"),
                Err(_) => "error timeout".to_owned(),
            };
            println!("{} {from} {line}", super::now_us());
        });
    }
}

impl Backend {
    async fn talk(&self, stream: TcpStream, from: SocketAddr) -> std::io::Result<String> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Ok("nothing".to_owned());
        }
        if first[0] == 0x16 || first[0] & 0x80 != 0 {
            let stream = self.tls.accept(stream).await?;
            Ok(format!("tls {}", self.answer(stream, from).await?))
        } else {
            Ok(format!("plain {}", self.answer(stream, from).await?))
        }
    }

    async fn answer(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        from: SocketAddr,
    ) -> std::io::Result<String> {
        let mut request = Vec::new();
        let mut chunk = [0; 1024];
        while request.len() < MAX_REQUEST {
            let length = stream.read(&mut chunk).await?;
            request.extend_from_slice(&chunk[..length]);
            let http = request.starts_with(b"GET ") || request.starts_with(b"OPTIONS ");
            let end: &[u8] = if http { b"\r\n\r\n" } else { b"\n" };
            if length == 0 || request.windows(end.len()).any(|window| window == end) {
                break;
            }
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        let reply = self.reply(&line, from);
        stream.write_all(reply.as_bytes()).await?;
        stream.shutdown().await?;
        Ok(line)
    }

    fn reply(&self, line: &str, from: SocketAddr) -> String {
        let who = format!("{} {}", self.name, from.ip());
        let path = line.split_whitespace().nth(1).unwrap_or("/");
        if !line.starts_with("GET ") && !line.starts_with("OPTIONS ") {
            return format!("{who}\n");
        }
        let sick = self.sick.as_ref().is_some_and(|file| file.exists());
        let status = match path {
            "/healthz" if sick => "500 Internal Server Error",
            "/" | "/healthz" | "/livez" | "/readyz" => "200 OK",
            _ => "404 Not Found",
        };
        let length = who.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{who}")
    }
}

/// The file that makes the backend of this machine say 500 while it exists.
#[must_use]
pub fn sick_file(host: &Host) -> PathBuf {
    host.dir().join("sick")
}

/// Starts one on a machine, at port 6443.
///
/// # Errors
/// When it cannot be started.
pub fn start(lab: &Lab, host: &Host) -> super::Result<Process> {
    let line =
        format!("backend --name {} --listen [::]:6443 --sick {}", host.name(), sick_file(host).display());
    host.spawn("backend", &lab.helper(&line), &View::default())
}
