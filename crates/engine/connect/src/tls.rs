//! How a connection is protected. Certificates are read again for each connection, so that a renewed file counts
//! without a restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is verified, with which certificates.
#[derive(Clone, Debug)]
pub struct Protection {
    /// What the server has to prove.
    pub(crate) proof: Proof,
    /// A file with the authorities that may have signed its certificate; without one, those that the system trusts.
    pub(crate) authorities: Option<PathBuf>,
    /// Files with our own certificate and its key, for a server that asks who we are.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What a server has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: an attacker on the way can pose as the server.
    Nothing,
    /// That an authority signed its certificate, for whatever host.
    Chain,
    /// That an authority signed its certificate for this host.
    Host,
}

/// Why certificates can't be used. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or is not what it should be.
    #[error("{what} {path}: {why}", path = path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system has no authorities.
    #[error(
        "this system has no certificate authorities of its own: name a file that holds one with sslrootcert"
    )]
    NoAuthorities,
    /// Certificate and key, or the authorities, are refused.
    #[error("cannot set up TLS: {0}")]
    Refused(String),
}

impl Protection {
    /// What TLS needs, from the files as they are now.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let refused = |error: &dyn fmt::Display| TlsError::Refused(error.to_string());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(&error))?;
        let builder = match self.proof {
            Proof::Host => builder.with_root_certificates(self.roots()?),
            Proof::Chain => {
                let roots = Arc::new(self.roots()?);
                let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .build()
                    .map_err(|error| refused(&error))?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Lenient::new(provider, Some(chain)))
            }
            Proof::Nothing => builder
                .dangerous()
                .with_custom_certificate_verifier(Lenient::new(provider, None)),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    certificates("the client certificate", certificate)?,
                    private_key(key)?,
                )
                .map_err(|error| TlsError::File {
                    what: "the client certificate",
                    path: certificate.clone(),
                    why: format!("does not go with the key {}: {error}", key.display()),
                })?,
        };
        // As libpq does; `sslnegotiation=direct` needs it.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.authorities else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return if roots.is_empty() {
                Err(TlsError::NoAuthorities)
            } else {
                Ok(roots)
            };
        };
        for certificate in certificates("the certificate authority", path)? {
            roots.add(certificate).map_err(|error| TlsError::File {
                what: "the certificate authority",
                path: path.clone(),
                why: error.to_string(),
            })?;
        }
        Ok(roots)
    }
}

/// What a client needs that trusts the authorities in a file, and has a certificate of its own if it has one: for other
/// protocols than PostgreSQL's.
pub fn client_config(authorities: &Path, identity: Option<(&Path, &Path)>) -> Result<ClientConfig, TlsError> {
    let protection = Protection {
        proof: Proof::Host,
        authorities: Some(authorities.to_owned()),
        identity: identity.map(|(certificate, key)| (certificate.to_owned(), key.to_owned())),
    };
    let mut config = protection.client_config()?;
    config.alpn_protocols.clear();
    Ok(config)
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why: String| TlsError::File {
        what,
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(format!("is not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |why: String| TlsError::File {
        what: "the client key",
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| wrong("holds no private key in PEM form without a passphrase".to_owned()))
}

impl MakeTlsConnect<Socket> for Protection {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = TlsError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, TlsError> {
        let mut connect = MakeRustlsConnect::new(self.client_config()?);
        let Ok(connect) = MakeTlsConnect::<Socket>::make_tls_connect(&mut connect, host);
        Ok(connect)
    }
}

/// Asks a server for less than its name: for `sslmode=verify-ca`, and for `require` and `prefer`, which are no protection
/// from an attacker who can change what is sent.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Lenient {
    fn new(provider: Arc<CryptoProvider>, chain: Option<Arc<WebPkiServerVerifier>>) -> Arc<Self> {
        Arc::new(Self { provider, chain })
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is checked last: by then the certificate is signed and valid.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
