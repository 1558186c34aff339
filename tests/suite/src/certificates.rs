//! Development certificates: an authority of one machine, made on the first start, so that
//! even the first run on a laptop speaks mutual TLS.

use anyhow::{Context, Result};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// The files that the programs read.
#[derive(Clone, Debug)]
pub struct Certificates {
    directory: PathBuf,
}

/// An authority that can sign: kept in memory only, so that nobody can sign with it later.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// How long a certificate is believed.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Longer than anybody looks.
    Years,
    /// From now on.
    For(Duration),
}

impl Authority {
    /// A new authority.
    pub fn generate(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Signs a leaf and writes `NAME.crt` and `NAME.key` (mode 0600).
    fn issue(
        &self,
        directory: &Path,
        name: &str,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        validity: Validity,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        if let Validity::For(duration) = validity {
            params.not_after = OffsetDateTime::now_utc() + duration;
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer)?;
        write_private(&directory.join(format!("{name}.key")), &key.serialize_pem())?;
        fs::write(directory.join(format!("{name}.crt")), certificate.pem())?;
        Ok(())
    }
}

impl Certificates {
    /// The certificates in `directory`, made there first where they are missing.
    pub fn in_directory(directory: &Path, cluster: &str, node: &str) -> Result<Self> {
        let made = Self { directory: directory.to_owned() };
        if !made.publisher().1.exists() {
            made.generate(cluster, node)
                .with_context(|| format!("making certificates in {}", directory.display()))?;
        }
        Ok(made)
    }

    fn generate(&self, cluster: &str, node: &str) -> Result<()> {
        let authority = Authority::generate("Defender development authority")?;
        self.issue_all(&authority, cluster, node)
    }

    /// The same by an authority that the caller keeps.
    pub fn signed_by(
        authority: &Authority,
        directory: &Path,
        cluster: &str,
        node: &str,
    ) -> Result<Self> {
        let made = Self { directory: directory.to_owned() };
        made.issue_all(authority, cluster, node)?;
        Ok(made)
    }

    fn issue_all(&self, authority: &Authority, cluster: &str, node: &str) -> Result<()> {
        fs::create_dir_all(&self.directory)?;
        fs::write(self.authority(), &authority.pem)?;
        self.issue_backend(authority)?;
        self.issue_publisher(authority, cluster, node, Validity::Years)
    }

    /// Has both sides trust these authorities and no others.
    pub fn trust(&self, authorities: &[&Authority]) -> Result<()> {
        let all: String = authorities.iter().map(|authority| authority.pem.as_str()).collect();
        let beside = self.directory.join("ca.new");
        fs::write(&beside, all)?;
        fs::rename(beside, self.authority()).context("replacing the authorities")
    }

    /// Signs a backend's certificate.
    pub fn issue_backend(&self, authority: &Authority) -> Result<()> {
        let names = vec![
            SanType::DnsName(Ia5String::try_from("localhost")?),
            SanType::DnsName(Ia5String::try_from("backend")?),
            SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
        ];
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        authority.issue(&self.directory, "backend", names, usage, Validity::Years)
    }

    /// Signs a publisher's certificate, which says of what cluster and node it is.
    pub fn issue_publisher(
        &self,
        authority: &Authority,
        cluster: &str,
        node: &str,
        validity: Validity,
    ) -> Result<()> {
        let identity = format!("spiffe://defender/cluster/{cluster}/publisher/{node}");
        let names = vec![SanType::URI(Ia5String::try_from(identity)?)];
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        authority.issue(&self.directory, "publisher", names, usage, validity)
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The backend's certificate and key.
    pub fn backend(&self) -> (PathBuf, PathBuf) {
        (self.directory.join("backend.crt"), self.directory.join("backend.key"))
    }

    /// The publisher's certificate and key.
    pub fn publisher(&self) -> (PathBuf, PathBuf) {
        (self.directory.join("publisher.crt"), self.directory.join("publisher.key"))
    }
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
