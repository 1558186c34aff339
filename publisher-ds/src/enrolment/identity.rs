//! The node's key with its certificate, in memory and on the disk.

use super::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use service_runtime::read_bounded;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const FILE: &str = "publisher.pem";
const NEW_FILE: &str = "publisher.pem.new";
/// Key and certificates have two kilobytes.
const LARGEST_FILE: u64 = 1 << 20;

/// A certificate with its key.
#[derive(Clone)]
pub(super) struct Identity {
    /// The node's own certificate, then those between it and the authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// PKCS #8, DER.
    key: Vec<u8>,
    /// From when on it holds: seconds since 1970.
    pub(super) not_before: u64,
    /// Until when it holds: seconds since 1970.
    pub(super) not_after: u64,
    /// The serial number, in hexadecimal digits.
    pub(super) serial: String,
    /// SubjectPublicKeyInfo, DER.
    public_key: Vec<u8>,
}

/// Where key and certificate lie, in PEM: both in one file, so that neither is ever without the other.
pub fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

impl Identity {
    /// Reads a chain whose first certificate must be one of this node, and takes the key with it.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: Vec<u8>,
        node: &str,
    ) -> Result<Self, String> {
        let own = chain.first().ok_or("there is no certificate")?;
        let (_, own) = X509Certificate::from_der(own)
            .map_err(|error| format!("the certificate can't be read: {error}"))?;
        let names = own.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = names.map(|names| &names.value.general_names).into_iter().flatten();
        let ending = format!("/publisher/{node}");
        let is_named = names.into_iter().any(|name| match name {
            GeneralName::URI(uri) => {
                uri.starts_with("spiffe://defender/") && uri.ends_with(&ending)
            }
            _ => false,
        });
        if !is_named {
            return Err(format!("the certificate is not of the node {node:?}"));
        }
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        let serial = hexadecimal(own.raw_serial());
        let not_before = seconds(own.validity().not_before.timestamp());
        let not_after = seconds(own.validity().not_after.timestamp());
        let public_key = own.public_key().raw.to_vec();
        Ok(Self { chain, key, not_before, not_after, serial, public_key })
    }

    pub(super) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    fn pem(&self) -> String {
        let mut text = pem("PRIVATE KEY", &self.key);
        self.chain.iter().for_each(|certificate| text += &pem("CERTIFICATE", certificate));
        text
    }
}

/// Two lower-case digits a byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As RFC 7468 writes it.
fn pem(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        let _ = writeln!(text, "{line}");
        rest = more;
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

/// Whether the certificate is for this key.
pub(super) fn is_of(identity: &Identity, key: &KeyPair) -> bool {
    identity.public_key == key.subject_public_key_info()
}

/// Reads the identity that lies there. None: there is none yet.
pub(super) fn read(path: &Path, node: &str) -> Result<Option<Identity>, Problem> {
    let unreadable = |error| Problem::Read { path: path.to_owned(), error };
    let text = match read_bounded(path, LARGEST_FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(unreadable)?,
    };
    let broken = |why| Problem::Identity { path: path.to_owned(), why };
    parse(&text, node).map(Some).map_err(broken)
}

/// Reads a node's key and its certificate, PEM.
pub(super) fn parse(text: &[u8], node: &str) -> Result<Identity, String> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|it| format!("no key: {it}"))?;
    let pair = KeyPair::try_from(&key).map_err(|error| format!("no key: {error}"))?;
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>();
    let chain = chain.map_err(|error| format!("no certificate: {error}"))?;
    let identity = Identity::new(chain, key.secret_pkcs8_der().to_vec(), node)?;
    if !is_of(&identity, &pair) {
        return Err("the certificate is for another key".into());
    }
    Ok(identity)
}

/// Writes an identity so that whoever reads sees the whole of it, or of the one before, whatever happens meanwhile.
/// Nobody else may read it.
pub(super) fn write(directory: &Path, identity: &Identity) -> Result<(), Problem> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Problem::Write { path, error }
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(failed(directory))?;
    let (new, path) = (directory.join(NEW_FILE), path(directory));
    let written = write_new(&new, &identity.pem()).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        // What a full disk took of it helps nobody.
        let _ = fs::remove_file(&new);
    }
    written.map_err(failed(&path))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, SanType};
    use std::os::unix::fs::PermissionsExt;

    fn identity(node: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let uri = format!("spiffe://defender/cluster/c/publisher/{node}");
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Identity::new(vec![certificate], key.serialized_der().to_vec(), node).unwrap()
    }

    fn refused(path: &Path, node: &str) -> String {
        read(path, node).err().map(|problem| problem.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_was_written_is_read_again_and_only_its_owner_may() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("state");
        assert!(read(&path(&directory), "n").unwrap().is_none());
        for _ in 0..2 {
            let written = identity("n");
            write(&directory, &written).unwrap();
            let again = read(&path(&directory), "n").unwrap().unwrap();
            assert_eq!((again.serial, again.chain), (written.serial, written.chain));
            assert_eq!(again.key, written.key);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&path(&directory))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_a_killed_publisher_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NEW_FILE), "half a key").unwrap();
        write(folder.path(), &identity("n")).unwrap();
        assert!(read(&path(folder.path()), "n").unwrap().is_some());
    }

    #[test]
    fn an_identity_of_another_node_or_half_of_one_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        write(folder.path(), &identity("node-1")).unwrap();
        assert!(refused(&path, "1").contains("not of the node"));
        let text = fs::read_to_string(&path).unwrap();
        let (key, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE").unwrap());
        fs::write(&path, key).unwrap();
        assert!(refused(&path, "node-1").contains("there is no certificate"));
        fs::write(&path, certificate).unwrap();
        assert!(refused(&path, "node-1").contains("no key"));
        let other = identity("node-1").pem();
        let other_key = &other[..other.find("-----BEGIN CERTIFICATE").unwrap()];
        fs::write(&path, format!("{other_key}{certificate}")).unwrap();
        assert!(refused(&path, "node-1").contains("for another key"));
    }
}
