//! The way of objects to the assessor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The bytes that may wait before whoever lists is to wait. What comes of one answer at once comes on top.
const ROOM: usize = 256 << 10;
/// The bytes from which on those that wait are to be taken before anything else.
const CROWD: usize = 8 << 20;

/// What the assessor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Applied {
        api_version: String,
        kind: String,
        object: Box<str>,
    },
    Removed {
        api_version: String,
        kind: String,
        uid: String,
    },
    /// All findings are to be told anew.
    Snapshot,
    /// All objects that there were at the start have been told.
    Complete,
}

/// The end where messages are put.
#[derive(Clone)]
pub(crate) struct Input {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The end where they are taken.
pub(crate) struct Output {
    receiver: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// Both ends.
pub(crate) fn input() -> (Input, Output) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Input { sender, waiting: Arc::clone(&waiting) }, Output { receiver, waiting })
}

impl Input {
    /// Never blocks; nobody listens any more when the program ends.
    pub(crate) fn send(&self, message: Message) {
        let bytes = message.bytes();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if self.sender.send(message).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Whether more may come.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < ROOM
    }
}

impl Output {
    /// What comes next, in that time.
    pub(crate) fn next(&self, patience: Duration) -> Result<Message, RecvTimeoutError> {
        let message = self.receiver.recv_timeout(patience)?;
        self.waiting.fetch_sub(message.bytes(), Ordering::Relaxed);
        Ok(message)
    }

    /// Whether so much waits that it is to be taken before anything else.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > CROWD
    }
}

impl Message {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Applied { api_version, kind, object } => {
                    api_version.len() + kind.len() + object.len()
                }
                Self::Removed { api_version, kind, uid } => {
                    api_version.len() + kind.len() + uid.len()
                }
                Self::Snapshot | Self::Complete => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, ROOM, input};
    use std::time::Duration;

    #[test]
    fn what_nobody_will_take_does_not_count_as_waiting() {
        let (input, output) = input();
        drop(output);
        let uid = "x".repeat(ROOM);
        let (api_version, kind) = ("v1".to_owned(), "Pod".to_owned());
        input.send(Message::Removed { api_version, kind, uid });
        assert!(input.has_room());
    }

    #[test]
    fn who_sends_too_much_is_asked_to_wait_until_it_is_taken() {
        let (input, output) = input();
        let object = "x".repeat(ROOM).into();
        let (api_version, kind) = ("v1".to_owned(), "Pod".to_owned());
        input.send(Message::Applied { api_version, kind, object });
        assert!(!input.has_room());
        output.next(Duration::ZERO).unwrap();
        assert!(input.has_room());
        drop(input);
        assert!(output.next(Duration::ZERO).is_err());
    }
}
