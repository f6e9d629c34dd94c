//! A certificate authority of the local stack's own, and what it signs. Made again at every start; its key is never on
//! disk.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{Datelike as _, Days, NaiveDate, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::checkout::{create_own_dir, write_private};
use crate::servers::postgres::{hand_over, run_as};

/// How long before and after today a certificate is valid.
const VALID: Days = Days::new(400);

/// Signs certificates, and keeps them and their keys in one directory.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

/// A certificate and its key, in PEM form.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
}

/// What clients of servers with TLS need.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// The file with the authority that signed the servers' certificates.
    pub authority: PathBuf,
    /// What proves to the servers that a client is one of ours.
    pub client: Certified,
}

/// What servers with TLS need.
#[derive(Clone, Debug)]
pub(crate) struct ServerFiles {
    pub(crate) server: Certified,
    pub(crate) clients: ClientFiles,
}

impl Authority {
    /// A new one, whose own certificate is `<name>.pem` in `dir`.
    pub fn create(dir: &Path, name: &str) -> anyhow::Result<Self> {
        create_own_dir(dir, 0o711)?;
        let mut params = params(&[], name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("cannot generate a key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("cannot sign a certificate")?;
        let dir = dir.to_owned();
        let authority = Self { issuer, dir };
        authority.write(&format!("{name}.pem"), &authority.issuer.pem())?;
        Ok(authority)
    }

    /// A server's certificate for these host names and addresses, valid now.
    pub fn server(&self, name: &str, hosts: &[&str]) -> anyhow::Result<Certified> {
        self.sign(name, params(hosts, name)?, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The same, but no longer valid.
    pub fn expired_server(&self, name: &str, hosts: &[&str]) -> anyhow::Result<Certified> {
        let mut params = params(hosts, name)?;
        let today = Utc::now().date_naive();
        valid(&mut params, today - VALID, today - Days::new(2));
        self.sign(name, params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate.
    pub fn client(&self, name: &str) -> anyhow::Result<Certified> {
        self.sign(name, params(&[], name)?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        name: &str,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> anyhow::Result<Certified> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("cannot generate a key")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("cannot sign a certificate")?;
        Ok(Certified {
            certificate: self.write(&format!("{name}.pem"), &certificate.pem())?,
            key: self.write(&format!("{name}.key"), &key.serialize_pem())?,
        })
    }

    /// A file that only its owner can read: who runs PostgreSQL, which refuses any other.
    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.join(name);
        write_private(&path, text.as_bytes())?;
        hand_over(&path, run_as()?)?;
        Ok(path)
    }
}

impl ServerFiles {
    /// New ones in `dir`, for servers on this machine.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<Self> {
        let authority = Authority::create(dir, "ca")?;
        Ok(Self {
            server: authority.server("server", &["127.0.0.1", "localhost"])?,
            clients: ClientFiles {
                authority: dir.join("ca.pem"),
                client: authority.client("client")?,
            },
        })
    }
}

impl ClientFiles {
    /// As parameters of a PostgreSQL URL.
    pub fn url_parameters(&self) -> String {
        let encoded = |path: &Path| path.display().to_string().replace('%', "%25").replace(' ', "%20");
        format!(
            "sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
            encoded(&self.authority),
            encoded(&self.client.certificate),
            encoded(&self.client.key)
        )
    }
}

fn params(hosts: &[&str], name: &str) -> anyhow::Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).context("a host name that can't be certified")?;
    params.distinguished_name.push(DnType::CommonName, name);
    let today = Utc::now().date_naive();
    valid(&mut params, today - VALID, today + VALID);
    Ok(params)
}

/// What `date_time_ymd` takes; months and days are one and two digits.
fn parts(day: NaiveDate) -> (i32, u8, u8) {
    let small = |number: u32| u8::try_from(number).unwrap_or(1);
    (day.year(), small(day.month()), small(day.day()))
}

fn valid(params: &mut CertificateParams, from: NaiveDate, until: NaiveDate) {
    let (year, month, day) = parts(from);
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = parts(until);
    params.not_after = date_time_ymd(year, month, day);
}
