//! Certificates, and what is said when one is not accepted.

use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::rustls::pki_types::pem::PemObject as _;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::{ConnectOptions, Server};

use super::ConnectError;

/// Certificates for a connection by TLS, in PEM form. Read again for each attempt to connect: a renewed file needs no
/// restart.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The authorities that may have signed the server's certificate; without, those that the system trusts.
    pub authorities: Option<PathBuf>,
    /// Our own certificate, for a server that asks who we are.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Checks the files once, so that an error shows at once, and has them read for each connection.
    pub(super) fn protect(
        &self,
        options: ConnectOptions,
        demanded: bool,
    ) -> Result<ConnectOptions, ConnectError> {
        let mut options = options.require_tls(demanded || self.authorities.is_some() || self.key.is_some());
        if let Some(path) = &self.authorities {
            certificates("certificate authority", path)?;
            options = options.add_root_certificates(path.clone());
        }
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                certificates("client certificate", certificate)?;
                if let Err(error) = PrivateKeyDer::from_pem_file(key) {
                    return Err(unusable("client key", key, &error));
                }
                Ok(options.add_client_certificate(certificate.clone(), key.clone()))
            }
            (None, None) => Ok(options),
            _ => Err(ConnectError::Login(
                "a NATS client certificate and its key go together",
            )),
        }
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<(), ConnectError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(unusable(what, path, &"holds no certificate in PEM form")),
        Ok(_) => Ok(()),
        Err(error) => Err(unusable(what, path, &error)),
    }
}

fn unusable(what: &'static str, path: &Path, why: &dyn fmt::Display) -> ConnectError {
    ConnectError::TlsFile {
        what,
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// Why there is no TLS, if that is why a server was not reached: a certificate that is not accepted, on either side. It
/// stays wrong until an operator changes it.
pub(super) fn why_not(servers: &[Server]) -> Option<String> {
    let mut told = servers.iter().filter_map(|server| server.last_error.as_deref());
    // async-nats gives a failed handshake no kind of its own.
    let about_tls = |told: &&str| {
        let text = told.to_lowercase();
        ["certificate", "tls", "fatal alert"]
            .iter()
            .any(|word| text.contains(word))
    };
    let told = told.rfind(about_tls)?;
    Some(format!("no TLS connection to nats: {told}"))
}
