use crate::hexadecimal;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use subtle::ConstantTimeEq;

/// So that people, and what looks for secrets in places where none belongs, know it.
const PREFIX: &str = "defender-bootstrap-";
const ID_BYTES: usize = 6;
/// 256 random bits: no guessing, and no salt or slow hash needed.
const SECRET_BYTES: usize = 32;
/// What a secret is compared with where there is none: of no secret that anybody knows.
const NO_HASH: [u8; 32] = [0; 32];

/// A bootstrap token: `defender-bootstrap-ID.SECRET`, both in hexadecimal digits. Only who made it, and the nodes
/// it is for, ever have it whole.
pub(crate) struct BootstrapToken {
    id: String,
    secret: [u8; SECRET_BYTES],
}

/// The system has no random numbers to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandomness;

/// Random bytes for identities and secrets.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

impl BootstrapToken {
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        let id = hexadecimal::encode(&random::<ID_BYTES>()?);
        Ok(Self { id, secret: random()? })
    }

    /// Reads a token; None where it has not the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.trim().strip_prefix(PREFIX)?.split_once('.')?;
        if hexadecimal::decode(id)?.len() != ID_BYTES {
            return None;
        }
        Some(Self { id: id.to_owned(), secret: hexadecimal::decode(secret)?.try_into().ok()? })
    }

    /// Names the token without giving it away.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What is kept of the secret.
    pub(crate) fn secret_hash(&self) -> [u8; 32] {
        let hash = digest(&SHA256, &self.secret);
        hash.as_ref().try_into().unwrap_or(NO_HASH)
    }

    /// Whether the secret is the one that this was kept of. Takes the same time whether there is one or not.
    pub(crate) fn matches(&self, kept: Option<&[u8; 32]>) -> bool {
        let equal = self.secret_hash().ct_eq(kept.unwrap_or(&NO_HASH));
        bool::from(equal) && kept.is_some()
    }

    /// The token whole, for whoever made it.
    pub(crate) fn reveal(&self) -> String {
        format!("{PREFIX}{}.{}", self.id, hexadecimal::encode(&self.secret))
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootstrapToken({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_only_its_own_secret_matches() {
        let (token, other) =
            (BootstrapToken::generate().unwrap(), BootstrapToken::generate().unwrap());
        let read = BootstrapToken::parse(&format!(" {}\n", token.reveal())).unwrap();
        assert_eq!(read.id(), token.id());
        assert!(read.matches(Some(&token.secret_hash())));
        assert!(!read.matches(Some(&other.secret_hash())));
        assert!(!read.matches(None));
        assert!(!format!("{token:?}").contains(&hexadecimal::encode(&token.secret)));
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let token = BootstrapToken::generate().unwrap().reveal();
        let cut = &token[..token.len() - 2];
        let longer = format!("{token}00");
        for text in ["", "defender-bootstrap-.", cut, &longer, &token.to_uppercase(), &token[19..]]
        {
            assert!(BootstrapToken::parse(text).is_none(), "{text}");
        }
    }
}
