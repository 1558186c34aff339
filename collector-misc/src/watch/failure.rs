use super::reason::Reason;
use kube::Error as ClientError;
use serde::Deserialize;
use std::error::Error;
use std::time::Duration;

/// Longest words of a server that are repeated, in characters.
const LONGEST_WORDS: usize = 512;

/// Why a list or a watch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// HTTP's, where the server gave an answer.
    pub(crate) code: Option<u16>,
    /// For the log.
    pub(crate) words: String,
    /// How long the server wants to be left alone (`Retry-After`).
    pub(crate) pause: Option<Duration>,
    /// Goes on with a list whose pages have become too old, with what is there now.
    pub(crate) token: Option<String>,
}

/// `Status` of `meta/v1`, as far as it is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    code: Option<u16>,
    reason: Option<String>,
    message: Option<String>,
    metadata: Option<StatusMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusMetadata {
    #[serde(rename = "continue")]
    token: Option<String>,
}

impl Failure {
    pub(crate) fn new(reason: Reason, words: impl Into<String>) -> Self {
        Self { reason, code: None, words: words.into(), pause: None, token: None }
    }

    /// What a server answers instead of a list: its body, and HTTP's status.
    pub(crate) fn of_answer(code: u16, body: &[u8], pause: Option<Duration>) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_else(|_| Status {
            message: Some(String::from_utf8_lossy(body).into_owned()),
            ..Status::default()
        });
        Self { pause, ..Self::of_status(&status, Some(code)) }
    }

    /// What a watch says at its end. `code` is HTTP's, where the status itself tells none.
    pub(crate) fn of_status(status: &Status, code: Option<u16>) -> Self {
        let code = status.code.or(code);
        let words = [status.reason.as_deref(), status.message.as_deref()];
        let words: Vec<_> = words.into_iter().flatten().collect();
        let words: String = words.join(": ").chars().take(LONGEST_WORDS).collect();
        let token = status.metadata.as_ref().and_then(|metadata| metadata.token.clone());
        let reason = Reason::of_status(code.unwrap_or(500));
        Self { reason, code, words, pause: None, token }
    }

    /// The connection broke while the answer was read.
    pub(crate) fn interrupted(error: &dyn Error) -> Self {
        Self::new(Reason::Interrupted, chain(error))
    }

    /// Whether asking again soon would be answered as it was.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self.reason, Reason::Unauthorized | Reason::Forbidden | Reason::Refused)
    }

    /// Whether the server says that it does not know the kind.
    pub(crate) fn is_not_served(&self) -> bool {
        self.code == Some(404)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let reason = match error {
            ClientError::Auth(_) => Reason::Unauthorized,
            _ => Reason::Unreachable,
        };
        Self::new(reason, chain(&error))
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use crate::watch::reason::Reason;

    #[test]
    fn a_status_tells_why_and_how_to_go_on() {
        let body = br#"{"kind":"Status","status":"Failure","reason":"Expired","code":410,
            "message":"The provided continue parameter is too old","metadata":{"continue":"abc"}}"#;
        let failure = Failure::of_answer(410, body, None);
        assert_eq!((failure.reason, failure.token.as_deref()), (Reason::Gone, Some("abc")));
        assert!(failure.words.starts_with("Expired: The provided"), "{}", failure.words);
    }

    #[test]
    fn an_answer_that_is_no_status_is_told_by_its_words() {
        let failure = Failure::of_answer(502, b"<html>bad gateway\xff</html>", None);
        assert_eq!(failure.reason, Reason::ServerError);
        assert!(failure.words.contains("bad gateway"), "{}", failure.words);
        assert!(Failure::of_answer(404, b"404 page not found\n", None).is_not_served());
        let long = Failure::of_answer(500, "é".repeat(10_000).as_bytes(), None);
        assert_eq!(long.words.chars().count(), super::LONGEST_WORDS);
    }
}
