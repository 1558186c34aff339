//! What nodes bring to get in, and what they get for it: signing requests, certificates, files of tokens.

use backend::enrolment::{RequestError, key_hash};
use backend::ingest::{Credential, credential_of, holders};
use publisher_ds::enrolment::validity;
use std::collections::HashSet;
use std::path::Path;

/// The first byte says what the rest is.
pub fn credentials(bytes: &[u8]) {
    let [kind, rest @ ..] = bytes else { return };
    match kind % 3 {
        0 => signing_request(rest),
        1 => certificate(rest),
        _ => identity_file(rest),
    }
}

/// A file of tokens names holders, or tells what is wrong with it.
pub fn tokens_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match holders(text, Path::new("tokens.yaml")) {
        Ok(holders) => holders.iter().for_each(is_a_publisher),
        Err(error) => {
            let error = error.to_string();
            assert!(error.starts_with("ingest.tokens_file tokens.yaml"), "{error}");
        }
    }
}

/// Which key it is for does not depend on when one asks.
fn signing_request(der: &[u8]) {
    match key_hash(der) {
        Ok(hash) => assert_eq!(key_hash(der), Ok(hash)),
        Err(RequestError::TooLarge) => assert!(der.len() > 4 << 10),
        Err(_) => assert!(der.len() <= 4 << 10),
    }
}

/// A client's certificate names one publisher, or none.
fn certificate(der: &[u8]) {
    if let Ok(credential) = credential_of(&der.into()) {
        assert!(credential.certificate.is_some());
        is_a_publisher(&credential);
    }
}

fn is_a_publisher(credential: &Credential) {
    let publisher = &credential.certified;
    let allowed = |text: &str| {
        (1..=253).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
    };
    assert!(allowed(&publisher.cluster) && allowed(&publisher.node), "{publisher:?}");
}

/// What lies on a node's disk is its key and certificate, or not.
fn identity_file(text: &[u8]) {
    let nodes = ["node-1", "node-2"];
    let of: HashSet<_> = nodes.iter().filter(|node| validity(text, node).is_ok()).collect();
    assert!(text.len() > 100 || of.is_empty());
}
