use crate::following::follow;
use arc_swap::ArcSwap;
use service_runtime::read_bounded_text;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio_util::sync::CancellationToken;

/// A shorter token could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;
/// A token and the end of its line.
const LARGEST_FILE: u64 = 64 << 10;

/// The token that clients must show, as its file says.
pub struct Token {
    path: PathBuf,
    value: ArcSwap<String>,
    renewed: Arc<Notify>,
}

/// A token that cannot be used, with the way out.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum TokenError {
    #[error("cannot read the token in {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "the token in {} must be one line of {SHORTEST} to {LONGEST} letters, digits and -._~+/=; \
         make one with: head -c 32 /dev/urandom | base64",
        path.display()
    )]
    Shape { path: PathBuf },
}

impl Token {
    /// Reads the file for the first time.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let value = ArcSwap::from_pointee(load(path)?);
        Ok(Self { path: path.to_owned(), value, renewed: Arc::default() })
    }

    /// Whether `presented` is the token, in a time that tells nothing but its length.
    pub fn is(&self, presented: &str) -> bool {
        self.value.load().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// Resolves when another token counts: who showed the one before has to show this one.
    pub fn renewed(&self) -> OwnedNotified {
        Arc::clone(&self.renewed).notified_owned()
    }

    /// Follows the file until shutdown. While it holds no token, the last good one stays.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        follow("token", &self.path, shutdown, || self.look()).await;
    }

    fn look(&self) -> Result<bool, TokenError> {
        let value = load(&self.path)?;
        let has_changed = value != **self.value.load();
        if has_changed {
            self.value.store(Arc::new(value));
            self.renewed.notify_waiters();
        }
        Ok(has_changed)
    }
}

fn load(path: &Path) -> Result<String, TokenError> {
    let text = read_bounded_text(path, LARGEST_FILE)
        .map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
    let token = text.trim();
    // The characters of a bearer token (RFC 6750), which a cookie may hold too.
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !(SHORTEST..=LONGEST).contains(&token.len()) || !token.bytes().all(valid) {
        return Err(TokenError::Shape { path: path.to_owned() });
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Token, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        Token::read(&path)
    }

    #[test]
    fn only_the_token_itself_is_it() {
        let token = token("c2VjcmV0IHNlY3JldCBz\n").unwrap();
        assert!(token.is("c2VjcmV0IHNlY3JldCBz"));
        for other in ["", "c2VjcmV0IHNlY3JldCB", "c2VjcmV0IHNlY3JldCBzz", "C2VjcmV0IHNlY3JldCBz"] {
            assert!(!token.is(other), "{other}");
        }
    }

    #[test]
    fn a_token_that_is_short_or_strange_is_refused_with_the_way_out() {
        for text in ["", "short", "two lines of text\nand more", "semicolon;semicolon;"] {
            let message = token(text).err().unwrap().to_string();
            assert!(message.contains("base64"), "{message}");
        }
    }
}
