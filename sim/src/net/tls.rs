//! Test certificates of tier 2: Ed25519, a fixed key, valid around the simulated date and at no other.
//!
//! Ed25519, since the signatures of ECDSA differ in length from run to run and would move frames. The bytes of TLS
//! are random all the same: nobody hashes them.

use super::clock;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ServerConfig, version};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// The name in the certificates.
pub const NAME: &str = "apiserver.example";
/// An Ed25519 key in PKCS #8 (RFC 8410) is this and 32 octets.
const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The one key of all simulated backends. It protects nothing.
const KEY: [u8; 32] = *b"standfast simulated backends key";

/// Simulated time, for TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimTime;

impl TimeProvider for SimTime {
    fn current_time(&self) -> Option<UnixTime> {
        clock::wall().duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

/// What the backends of a simulation show, and what a check needs to believe it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the backends.
    pub server: Arc<ServerConfig>,
    /// The certificate, which is its own authority, as `ca-file` holds it.
    pub pem: Arc<str>,
}

/// A certificate that begins to be valid a day before the simulation and ends `lasts` after its beginning.
///
/// # Panics
/// Never: key and names are fixed.
#[must_use]
pub fn identity(lasts: Duration) -> Identity {
    let secret = [&PREFIX[..], &KEY[..]].concat();
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(secret.clone()), &PKCS_ED25519)
        .expect("the key is a well-formed one");
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("the name is a host name");
    let began = rcgen::date_time_ymd(2026, 1, 1);
    params.not_before = began - Duration::from_secs(86_400);
    params.not_after = began + lasts;
    params.serial_number = Some(1_u64.into());
    let certificate = params.self_signed(&key).expect("the key signs");
    let mut server = ServerConfig::builder_with_details(Arc::new(default_provider()), Arc::new(SimTime))
        .with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .expect("ring knows both versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(secret)),
        )
        .expect("the key belongs to the certificate");
    // Tickets would be frames that nobody reads.
    server.send_tls13_tickets = 0;
    Identity { server: Arc::new(server), pem: certificate.pem().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_the_same_every_time() {
        let (one, two) = (identity(Duration::from_secs(60)), identity(Duration::from_secs(60)));
        assert_eq!(one.pem, two.pem);
        assert_ne!(one.pem, identity(Duration::from_secs(61)).pem);
    }
}
