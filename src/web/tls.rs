//! TLS with certificate files that are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use x509_cert::der::Decode;

use crate::config::TlsConfig;

/// A certificate or key that cannot be used, with the setting, the file and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{setting}: {path} {problem}")]
pub struct TlsError {
    setting: &'static str,
    path: PathBuf,
    problem: String,
}

/// The certificate in use. Clones share it.
#[derive(Clone)]
pub struct Certificate {
    files: TlsConfig,
    current: Arc<Mutex<Current>>,
}

struct Current {
    acceptor: TlsAcceptor,
    ends_at: Option<Timestamp>,
    read: Stamp,
}

/// Times of the last change of both files.
type Stamp = (Option<SystemTime>, Option<SystemTime>);

impl Certificate {
    /// Reads certificate and key. Blocks.
    pub fn read(files: &TlsConfig) -> Result<Self, TlsError> {
        let read = stamp(files);
        let (acceptor, ends_at) = acceptor(files)?;
        Ok(Self { files: files.clone(), current: Arc::new(Mutex::new(Current { acceptor, ends_at, read })) })
    }

    /// Reads both files again if one has changed; returns true if a new certificate is in use from now on. While they
    /// do not match, the previous one stays in use. Blocks.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let stamp = stamp(&self.files);
        if self.lock().read == stamp {
            return Ok(false);
        }
        let (acceptor, ends_at) = acceptor(&self.files)?;
        *self.lock() = Current { acceptor, ends_at, read: stamp };
        Ok(true)
    }

    /// Returns the certificate's file and the end of its validity (UTC); `None` if that is not known.
    pub fn ends(&self) -> Option<(&Path, Timestamp)> {
        Some((self.files.certificate.as_path(), self.lock().ends_at?))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.lock().acceptor.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(files: &TlsConfig) -> Stamp {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    (changed(&files.certificate), changed(&files.key))
}

fn acceptor(files: &TlsConfig) -> Result<(TlsAcceptor, Option<Timestamp>), TlsError> {
    let of_certificate =
        |problem: String| TlsError { setting: "server.tls.certificate", path: files.certificate.clone(), problem };
    let of_key = |problem: String| TlsError { setting: "server.tls.key", path: files.key.clone(), problem };
    let certificates =
        CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(
            |error| of_certificate(format!("cannot be read ({error}); it must hold a certificate chain in PEM")),
        )?;
    if certificates.is_empty() {
        return Err(of_certificate("holds no certificate; it must hold a certificate chain in PEM".to_owned()));
    }
    let ends_at = certificates.first().and_then(ends_at);
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| of_key(format!("cannot be read ({error}); it must hold a private key in PEM")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| of_key(format!("does not fit to the certificate ({error})")))?;
    Ok((TlsAcceptor::from(Arc::new(config)), ends_at))
}

fn ends_at(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let until = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Timestamp::from_second(i64::try_from(until.as_secs()).ok()?).ok()
}
