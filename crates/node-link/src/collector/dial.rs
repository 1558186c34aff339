use hyper_util::rt::TokioIo;
use proto::wire::node_client::NodeClient;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// HTTP/2 wants an authority and a socket has none: this name is never looked up.
const AUTHORITY: &str = "http://publisher.defender.internal";

/// A publisher that answers no ping for as long is taken for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The publisher says nothing longer: acknowledgements, credit, a sentence of refusal.
const LONGEST_ANSWER: usize = 64 << 10;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("no publisher listens at {} yet ({error})", path.display())]
    Absent { path: PathBuf, error: io::Error },
    #[error(
        "this process may not connect to {}: let it run as the owner of the socket or with its group",
        path.display()
    )]
    Forbidden { path: PathBuf },
    #[error(
        "the socket {} belongs to uid {uid}, but only {trusted:?} are trusted with records: \
         stop the process that made it, or run the publisher as a trusted user",
        path.display()
    )]
    WrongOwner { path: PathBuf, uid: u32, trusted: Vec<u32> },
    #[error("connecting to {}: {error}", path.display())]
    Socket { path: PathBuf, error: io::Error },
    #[error("the publisher at {} speaks no HTTP/2: {error}", path.display())]
    Transport { path: PathBuf, error: tonic::transport::Error },
}

impl DialError {
    /// The value of the `reason` label in metrics.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "absent",
            Self::Forbidden { .. } => "forbidden",
            Self::WrongOwner { .. } => "wrong_owner",
            Self::Socket { .. } => "socket",
            Self::Transport { .. } => "transport",
        }
    }
}

/// Connects to the publisher's socket, and only to one that a trusted user listens on.
pub(crate) async fn dial(path: &Path, trusted: &[u32]) -> Result<NodeClient<Channel>, DialError> {
    let stream = UnixStream::connect(path).await.map_err(|error| sort_error(path, error))?;
    check_owner(path, &stream, trusted)?;
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let once = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(once)
    });
    let channel = Endpoint::from_static(AUTHORITY)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(|error| DialError::Transport { path: path.to_owned(), error })?;
    Ok(NodeClient::new(channel).max_decoding_message_size(LONGEST_ANSWER))
}

fn sort_error(path: &Path, error: io::Error) -> DialError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            DialError::Absent { path, error }
        }
        io::ErrorKind::PermissionDenied => DialError::Forbidden { path },
        _ => DialError::Socket { path, error },
    }
}

/// SO_PEERCRED of a connected socket tells who called listen(2): a path in a directory that others may write
/// to proves nothing.
fn check_owner(path: &Path, stream: &UnixStream, trusted: &[u32]) -> Result<(), DialError> {
    let owner = stream
        .peer_cred()
        .map_err(|error| DialError::Socket { path: path.to_owned(), error })?
        .uid();
    if trusted.contains(&owner) {
        return Ok(());
    }
    Err(DialError::WrongOwner { path: path.to_owned(), uid: owner, trusted: trusted.to_vec() })
}
