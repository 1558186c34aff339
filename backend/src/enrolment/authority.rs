//! What signs publishers' certificates: a key that never signs anything else.

use super::config::AuthorityConfig;
use super::token::{NoRandomness, random};
use crate::hexadecimal;
use crate::store::Publisher;
use event_model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use service_runtime::read_bounded;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate and a key have a few thousand bytes.
const LARGEST_FILE: u64 = 4 << 20;

/// Where an authority that was made here lies, in the store's directory: key and certificate in one file, so
/// that there is never one without the other.
const OWN_FILE: &str = "enrolment-authority.pem";
/// An authority that is made here holds for so long. It is believed by this backend alone, which can make another.
const OWN_LIFE: Duration = Duration::from_hours(20 * 365 * 24);
/// Certificates begin to hold a little before they are issued, for clocks that are behind.
const BACKDATED: Duration = Duration::from_mins(5);

/// A certificate's serial number, as an authority here gives them: 16 bytes, the first neither zero nor negative.
pub(crate) type Serial = [u8; 16];

/// The issuing authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// Its name as it stands in the certificates that it issued: DER.
    subject: Vec<u8>,
    /// Until when it holds itself.
    not_after: Timestamp,
}

/// A certificate as it is handed out.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) serial: Serial,
    pub(super) not_after: Timestamp,
}

/// An authority that cannot be used, with the way out.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub(crate) enum AuthorityError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} holds no {what} in PEM", path.display())]
    Pem { path: PathBuf, what: &'static str },
    #[error(
        "{} is no authority's certificate: it needs the basic constraint CA:true, and keyCertSign where it has key usages",
        path.display()
    )]
    NoAuthority { path: PathBuf },
    #[error("{} has expired: give another, with its key", path.display())]
    Expired { path: PathBuf },
    #[error("the key of {} cannot be used, or is not that of its certificate: {source}", path.display())]
    Key { path: PathBuf, source: rcgen::Error },
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    OtherKey { certificate: PathBuf, key: PathBuf },
    #[error("a certificate could not be made: {0}")]
    Sign(#[from] rcgen::Error),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Authority {
    /// The authority that is configured, or the one in `directory`, which is made where it is missing.
    pub(super) fn open(config: &AuthorityConfig, directory: &Path) -> Result<Self, AuthorityError> {
        if let Some((certificate, key)) = config.files() {
            return Self::read(certificate, key);
        }
        let path = directory.join(OWN_FILE);
        if !path.exists() {
            make(&path)?;
            tracing::info!(file = %path.display(), "an authority for publishers' certificates was made");
        }
        Self::read(&path, &path)
    }

    fn read(certificate_file: &Path, key_file: &Path) -> Result<Self, AuthorityError> {
        let read = |path: &Path| {
            read_bounded(path, LARGEST_FILE)
                .map_err(|source| AuthorityError::Read { path: path.to_owned(), source })
        };
        let pem = |path: &Path, what| AuthorityError::Pem { path: path.to_owned(), what };
        let certificate = CertificateDer::from_pem_slice(&read(certificate_file)?)
            .map_err(|_| pem(certificate_file, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
            .map_err(|_| pem(key_file, "private key"))?;
        let broken = |source| AuthorityError::Key { path: key_file.to_owned(), source };
        let key = KeyPair::try_from(&key).map_err(broken)?;
        let (subject, not_after) = check(certificate_file, &certificate)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(broken)?;
        let authority = Self { issuer, certificate, subject, not_after };
        if !authority.is_sound()? {
            let (certificate, key) = (certificate_file.to_owned(), key_file.to_owned());
            return Err(AuthorityError::OtherKey { certificate, key });
        }
        Ok(authority)
    }

    /// Whether what it signs is believed by its certificate: issues one, and looks.
    fn is_sound(&self) -> Result<bool, AuthorityError> {
        let publisher = Publisher { cluster: "none".into(), node: "none".into() };
        let key = KeyPair::generate()?;
        let issued = self.issue(&publisher, &key, Duration::ZERO, Timestamp::now())?;
        let parsed = X509Certificate::from_der(&issued.certificate);
        let own = X509Certificate::from_der(&self.certificate);
        let (Ok((_, issued)), Ok((_, own))) = (parsed, own) else { return Ok(false) };
        let is_signed = issued.verify_signature(Some(own.public_key())).is_ok();
        Ok(is_signed && self.is_issuer(issued.issuer().as_raw()))
    }

    /// Its certificate, by which what it signed is believed.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Whether a certificate that was believed says to be issued by it.
    pub(crate) fn is_issuer(&self, issuer: &[u8]) -> bool {
        issuer == self.subject
    }

    /// Issues a certificate to a publisher: whatever else was asked for, it is good for this name alone.
    pub(super) fn issue(
        &self,
        publisher: &Publisher,
        key: &impl PublicKeyData,
        life: Duration,
        now: Timestamp,
    ) -> Result<Issued, AuthorityError> {
        let uri =
            format!("spiffe://defender/cluster/{}/publisher/{}", publisher.cluster, publisher.node);
        let serial = serial()?;
        let nanoseconds = u64::try_from(life.as_nanos()).unwrap_or(u64::MAX);
        // Certificates count in seconds.
        let not_after = Timestamp(now.0.saturating_add(nanoseconds).min(self.not_after.0));
        let not_after = Timestamp(not_after.0 / NANOSECONDS * NANOSECONDS);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Defender publisher");
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(now.0 / NANOSECONDS) - BACKDATED;
        params.not_after = epoch + Duration::from_secs(not_after.0 / NANOSECONDS);
        params.is_ca = IsCa::ExplicitNoCa;
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer)?.der().clone();
        Ok(Issued { certificate, serial, not_after })
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

fn serial() -> Result<Serial, NoRandomness> {
    let mut serial: Serial = random()?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

/// Checks that a certificate can sign others, and tells its name and until when it holds.
fn check(
    path: &Path,
    certificate: &CertificateDer<'_>,
) -> Result<(Vec<u8>, Timestamp), AuthorityError> {
    let path = || path.to_owned();
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|_| AuthorityError::NoAuthority { path: path() })?;
    let may_sign = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    if !certificate.is_ca() || !may_sign {
        return Err(AuthorityError::NoAuthority { path: path() });
    }
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    let not_after = Timestamp(seconds.saturating_mul(NANOSECONDS));
    if not_after <= Timestamp::now() {
        return Err(AuthorityError::Expired { path: path() });
    }
    Ok((certificate.subject().as_raw().to_vec(), not_after))
}

/// Makes an authority and writes it where nobody else can read it: whole, or not at all.
fn make(path: &Path) -> Result<(), AuthorityError> {
    let key = KeyPair::generate()?;
    let certificate = own_parameters(Timestamp::now())?.self_signed(&key)?;
    let text = format!("{}{}", key.serialize_pem(), certificate.pem());
    write(path, &text).map_err(|source| AuthorityError::Write { path: path.to_owned(), source })
}

/// Good for publishers' certificates and nothing else: it signs no further authority, and no name of a server.
fn own_parameters(now: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    // Two authorities never have the same name: by it, certificates find the one that issued them.
    let name = format!("Defender enrolment {}", hexadecimal::encode(&random::<8>()?));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.0 / NANOSECONDS);
    params.not_after = params.not_before + OWN_LIFE;
    params.not_before -= BACKDATED;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: Vec::new(),
        excluded_subtrees: vec![
            GeneralSubtree::DnsName(String::new()),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                Ipv4Addr::UNSPECIFIED.into(),
                0,
            )),
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                Ipv6Addr::UNSPECIFIED.into(),
                0,
            )),
        ],
    });
    Ok(params)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn opened(config: &AuthorityConfig) -> (tempfile::TempDir, Result<Authority, AuthorityError>) {
        let folder = tempfile::tempdir().unwrap();
        let opened = Authority::open(config, folder.path());
        (folder, opened)
    }

    fn issue(authority: &Authority, life: Duration) -> Issued {
        let publisher = Publisher { cluster: "c".into(), node: "n.example".into() };
        let key = KeyPair::generate().unwrap();
        authority.issue(&publisher, &key, life, Timestamp::now()).unwrap()
    }

    #[test]
    fn an_authority_is_made_once_and_nobody_else_may_read_it() {
        let (folder, first) = opened(&AuthorityConfig::default());
        let path = folder.path().join(OWN_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Authority::open(&AuthorityConfig::default(), folder.path()).unwrap();
        assert_eq!(again.certificate(), first.unwrap().certificate());
    }

    #[test]
    fn the_made_authority_may_sign_neither_authorities_nor_names_of_servers() {
        let (_folder, authority) = opened(&AuthorityConfig::default());
        let der = authority.unwrap().certificate();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let constraint = certificate.basic_constraints().unwrap().unwrap().value;
        assert_eq!((constraint.ca, constraint.path_len_constraint), (true, Some(0)));
        let usage = certificate.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && !usage.digital_signature() && !usage.crl_sign());
        let names = certificate.name_constraints().unwrap().unwrap().value;
        assert_eq!(names.excluded_subtrees.as_ref().map(Vec::len), Some(3));
    }

    #[test]
    fn a_certificate_names_one_publisher_for_clients_use_and_knows_its_issuer() {
        let (_folder, authority) = opened(&AuthorityConfig::default());
        let authority = authority.unwrap();
        let issued = issue(&authority, Duration::from_hours(24));
        let (_, certificate) = X509Certificate::from_der(&issued.certificate).unwrap();
        assert!(authority.is_issuer(certificate.issuer().as_raw()));
        assert_eq!(certificate.raw_serial(), issued.serial);
        assert!(!certificate.is_ca());
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        let names = certificate.subject_alternative_name().unwrap().unwrap().value;
        let names: Vec<_> = names.general_names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["URI(spiffe://defender/cluster/c/publisher/n.example)"]);
        let validity = certificate.validity();
        let life = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(life, 24 * 3600 + 300);
    }

    #[test]
    fn no_certificate_outlives_the_authority() {
        let (_folder, authority) = opened(&AuthorityConfig::default());
        let authority = authority.unwrap();
        let issued = issue(&authority, 2 * OWN_LIFE);
        assert_eq!(issued.not_after, authority.not_after);
    }

    #[test]
    fn what_is_no_authority_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: String| fs::write(path(name), text).unwrap();
        let leaf = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        write("leaf.crt", leaf.cert.pem());
        write("leaf.key", leaf.signing_key.serialize_pem());
        let authority = own_parameters(Timestamp::now()).unwrap();
        let key = KeyPair::generate().unwrap();
        write("ca.crt", authority.self_signed(&key).unwrap().pem());
        write("ca.key", key.serialize_pem());
        write("none", "nothing".to_owned());
        let refusal = |certificate: &str, key: &str| {
            let config =
                AuthorityConfig { certificate_file: path(certificate), key_file: path(key) };
            opened(&config).1.err().map(|error| error.to_string())
        };
        assert_eq!(refusal("ca.crt", "ca.key"), None);
        for (certificate, key, words) in [
            ("leaf.crt", "leaf.key", "no authority's certificate"),
            ("ca.crt", "leaf.key", "is not that of the certificate"),
            ("none", "ca.key", "holds no certificate"),
            ("ca.crt", "none", "holds no private key"),
            ("missing", "ca.key", "cannot read"),
        ] {
            let refusal = refusal(certificate, key).unwrap();
            assert!(refusal.contains(words), "{refusal}");
        }
    }
}
