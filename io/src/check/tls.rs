//! TLS for checks: rustls with ring, versions 1.2 and 1.3.
//!
//! `verify none` believes anybody, as the word says. `verify required` wants a chain to one of the `ca-file`'s
//! roots, and a certificate for the name that was sent as SNI; without such a name, names are not compared
//! (haproxy 3.4). Any failure is `L6RSP`, none in time `L6TOUT`.

use super::verdict::{Failure, fail, words};
use crate::fabric::Fabric;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use standfast_core::config::model::TlsProbe;
use standfast_core::input::CheckCode;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Shakes hands on `stream`, which is connected to `to`; certificates are judged by the date of `fabric`.
pub(super) async fn handshake<F: Fabric>(
    fabric: &F,
    stream: F::Stream,
    to: SocketAddr,
    probe: &TlsProbe,
    end: Instant,
) -> Result<TlsStream<F::Stream>, Failure> {
    let (config, name) = match client(to, probe, fabric.date()) {
        Ok(ready) => ready,
        Err(why) => return fail(CheckCode::L6Response, why),
    };
    match timeout_at(end, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
        Err(_) => fail(CheckCode::L6Timeout, ""),
        Ok(Err(error)) => fail(CheckCode::L6Response, words(&error)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

fn client(
    to: SocketAddr,
    probe: &TlsProbe,
    date: Arc<dyn TimeProvider>,
) -> Result<(ClientConfig, ServerName<'static>), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // rustls sends no SNI for an address.
    let name = match &probe.name {
        Some(name) => {
            ServerName::try_from(name.clone()).map_err(|_| format!("{name} cannot be sent as SNI"))?
        }
        None => ServerName::IpAddress(to.ip().into()),
    };
    let trust = Arc::new(Trust {
        roots: if probe.verify { Some(roots(probe.roots.as_deref())?) } else { None },
        named: probe.name.is_some(),
        provider: provider.clone(),
    });
    let mut config = ClientConfig::builder_with_details(provider, date)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(trust)
        .with_no_client_auth();
    config.alpn_protocols = probe.alpn.iter().map(|p| p.clone().into_bytes()).collect();
    Ok((config, name))
}

fn roots(pem: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.unwrap_or_default().as_bytes()) {
        let certificate = certificate.map_err(|error| format!("ca-file: {error}"))?;
        store.add(certificate).map_err(|error| format!("ca-file: {error}"))?;
    }
    if store.is_empty() { Err("ca-file: no certificate".to_owned()) } else { Ok(store) }
}

/// Whom a check believes.
#[derive(Debug)]
struct Trust {
    /// `verify required`; `None` is `verify none`: anybody.
    roots: Option<RootCertStore>,
    /// The name sent as SNI must be the certificate's.
    named: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
            if self.named {
                rustls::client::verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.roots.is_none() {
            // Who believes anybody gains nothing from a signature, and loses servers with odd certificates.
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.roots.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
