//! Files with certificates, keys and secrets, read whole.

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use service_runtime::read_bounded;
use std::io;
use std::path::{Path, PathBuf};

/// No PEM of ours is as large: a larger one is another kind of file.
const LARGEST_FILE: u64 = 4 << 20;

/// A file that can't be used, the configuration's key for it, and the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{key} {}: {error}: mount the file, and let the publisher's user read it", path.display())]
    Unreadable { key: &'static str, path: PathBuf, error: io::Error },
    #[error("{key} {} holds no {what}: it must be a PEM file", path.display())]
    Empty { key: &'static str, path: PathBuf, what: &'static str },
    #[error("{key} {} is no PEM file: {error:?}", path.display())]
    Pem { key: &'static str, path: PathBuf, error: pem::Error },
    #[error("{key} {} can't be used: {error}", path.display())]
    Unusable { key: &'static str, path: PathBuf, error: rustls::Error },
    #[error(
        "{key} {} must be one line of 16 to 4096 letters, digits and -._~+/=: the token that the backend knows",
        path.display()
    )]
    Token { key: &'static str, path: PathBuf },
}

/// What a file held when it was read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content {
    key: &'static str,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Content {
    /// Reads the file of a configuration's key.
    pub(crate) fn read(key: &'static str, path: &Path) -> Result<Self, FileError> {
        let unreadable = |error| FileError::Unreadable { key, path: path.to_owned(), error };
        let bytes = read_bounded(path, LARGEST_FILE).map_err(unreadable)?;
        Ok(Self { key, path: path.to_owned(), bytes })
    }

    /// Its certificates: at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, FileError> {
        let found = CertificateDer::pem_slice_iter(&self.bytes).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| self.sort_out("certificate", error))?;
        if found.is_empty() {
            return Err(self.sort_out("certificate", pem::Error::NoItemsFound));
        }
        Ok(found)
    }

    /// Its certificates, as authorities to trust.
    pub(crate) fn authorities(&self) -> Result<RootCertStore, FileError> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates()? {
            store.add(certificate).map_err(|error| self.unusable(error))?;
        }
        Ok(store)
    }

    /// Its private key.
    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, FileError> {
        PrivateKeyDer::from_pem_slice(&self.bytes)
            .map_err(|error| self.sort_out("private key", error))
    }

    /// Its one line, without the line's end; None where it holds more, or control characters.
    pub(crate) fn line(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let line = text.trim_end_matches(['\r', '\n']);
        (!line.contains(char::is_control)).then_some(line)
    }

    /// Its one line as a bearer token (RFC 6750, section 2.1).
    pub(crate) fn token(&self) -> Result<&str, FileError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        let is_token = |text: &&str| (16..=4096).contains(&text.len()) && text.bytes().all(valid);
        self.line().filter(is_token).ok_or_else(|| self.no_token())
    }

    pub(crate) fn no_token(&self) -> FileError {
        FileError::Token { key: self.key, path: self.path.clone() }
    }

    pub(crate) fn unusable(&self, error: rustls::Error) -> FileError {
        FileError::Unusable { key: self.key, path: self.path.clone(), error }
    }

    fn sort_out(&self, what: &'static str, error: pem::Error) -> FileError {
        let (key, path) = (self.key, self.path.clone());
        match error {
            pem::Error::NoItemsFound => FileError::Empty { key, path, what },
            error => FileError::Pem { key, path, error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Content {
        Content { key: "backend.token_file", path: "/token".into(), bytes: text.into() }
    }

    #[test]
    fn a_token_is_one_line_that_nobody_guesses() {
        assert_eq!(content("c2VjcmV0IHNlY3JldA==\n").token().unwrap(), "c2VjcmV0IHNlY3JldA==");
        for wrong in ["", "short", "two lines of it\nand another", "with spaces in between it"] {
            let problem = content(wrong).token().unwrap_err().to_string();
            assert!(problem.contains("backend.token_file"), "{problem}");
            assert!(wrong.is_empty() || !problem.contains(wrong), "{problem}");
        }
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let read = Content::read("backend.ca_file", Path::new("/dev/zero"));
        let problem = read.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(problem.contains("backend.ca_file /dev/zero: it has more than"), "{problem}");
    }
}
