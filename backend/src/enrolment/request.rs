use rcgen::{
    CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PublicKeyData,
};
use ring::digest::{SHA256, digest};

/// A request with a key of these kinds has a few hundred bytes.
const LARGEST_REQUEST: usize = 4 << 10;

/// The public key of a signing request, whose holder proved to have the private one.
pub(crate) struct PublicKey(rcgen::PublicKey);

/// Why a signing request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum RequestError {
    #[error("the signing request has more than {LARGEST_REQUEST} bytes")]
    TooLarge,
    #[error(
        "the signing request cannot be read: it must be PKCS #10, DER, signed with its own key"
    )]
    Unreadable,
    #[error(
        "the signing request's key is of none of these kinds: ECDSA on P-256 or P-384, Ed25519"
    )]
    KeyKind,
}

/// Reads a signing request (PKCS #10, RFC 2986): SHA-256 of the key that it is for, and was signed with.
pub fn key_hash(request: &[u8]) -> Result<[u8; 32], RequestError> {
    PublicKey::of_request(request).map(|key| key.hash())
}

impl PublicKey {
    /// Checks a signing request (PKCS #10, RFC 2986). What it asks for beside the key is passed over: names, uses
    /// and constraints of the certificate are the authority's to choose.
    pub(super) fn of_request(request: &[u8]) -> Result<Self, RequestError> {
        if request.len() > LARGEST_REQUEST {
            return Err(RequestError::TooLarge);
        }
        let request = CertificateSigningRequestParams::from_der(&request.into())
            .map_err(|_| RequestError::Unreadable)?;
        let kinds = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519];
        if !kinds.contains(&request.public_key.algorithm()) {
            return Err(RequestError::KeyKind);
        }
        Ok(Self(request.public_key))
    }

    pub(super) fn key(&self) -> &rcgen::PublicKey {
        &self.0
    }

    /// What it is known again by: SHA-256.
    pub(super) fn hash(&self) -> [u8; 32] {
        let hash = digest(&SHA256, &self.0.subject_public_key_info());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    fn request(key: &KeyPair, params: &CertificateParams) -> Vec<u8> {
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn the_key_is_taken_and_whatever_names_and_uses_are_asked_for_passed_over() {
        let key = KeyPair::generate().unwrap();
        let plain = request(&key, &CertificateParams::default());
        let mut greedy = CertificateParams::new(vec!["backend.example".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let greedy = request(&key, &greedy);
        let hash = |request: &[u8]| PublicKey::of_request(request).ok().map(|key| key.hash());
        assert!(hash(&plain).is_some());
        assert_eq!(hash(&plain), hash(&greedy), "the key is what a request is known again by");
        let other = request(&KeyPair::generate().unwrap(), &CertificateParams::default());
        assert_ne!(hash(&plain), hash(&other));
    }

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let mut request = request(
            &KeyPair::generate().unwrap(),
            &CertificateParams::new(vec!["a".into()]).unwrap(),
        );
        let name = request.windows(4).position(|four| four == b"rcge").unwrap();
        request[name] ^= 1;
        assert_eq!(PublicKey::of_request(&request).err(), Some(RequestError::Unreadable));
    }

    #[test]
    fn a_large_request_is_refused_unread() {
        let refused = PublicKey::of_request(&vec![0; LARGEST_REQUEST + 1]).err();
        assert_eq!(refused, Some(RequestError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300), place in 0_usize..300, byte: u8,
        ) {
            prop_assert!(PublicKey::of_request(&bytes).is_err());
            let mut damaged = request(&KeyPair::generate().unwrap(), &CertificateParams::default());
            let place = place % damaged.len();
            damaged[place] = byte;
            let _ = PublicKey::of_request(&damaged);
        }
    }
}
