//! Peers of another user. This test binary runs itself again as that user, so the kernel's credentials are real.

use crate::refusals::{Raw, greet};
use crate::support::*;
use node_link::{LinkConfig, connect};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio_util::sync::CancellationToken;
use tonic::Code;

const STRANGER: u32 = 45_678;
const SOCKET: &str = "DEFENDER_TEST_SOCKET";

/// Opens a directory and this binary to the stranger.
fn stage(scratch: &Scratch) -> PathBuf {
    let is_root = nix::unistd::geteuid().is_root();
    assert!(is_root, "run as root: this test starts a process as another user");
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(scratch.path(), 0o777);
    let binary = scratch.path().join("stranger");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    open(&binary, 0o755);
    binary
}

fn as_stranger(binary: &Path, test: &str, socket: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(SOCKET, socket)
        .current_dir("/")
        .stdin(Stdio::null())
        .uid(STRANGER)
        .gid(STRANGER);
    command
}

#[tokio::test]
async fn a_collector_of_another_user_is_refused_and_told_the_key_to_change() {
    let scratch = Scratch::new();
    let binary = stage(&scratch);
    let shelf = Shelf::new();
    let _publisher = Publisher::start(listen_on(scratch.socket()), shelf.clone());
    // The socket's mode alone keeps strangers out; the check of credentials must hold without it.
    std::fs::set_permissions(scratch.socket(), std::fs::Permissions::from_mode(0o666)).unwrap();
    let before = counted("defender_link_refused_total{reason=\"uid\"}");
    let test = "foreign::stranger_is_refused";
    let output = as_stranger(&binary, test, &scratch.socket()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    assert!(counted("defender_link_refused_total{reason=\"uid\"}") > before);
    assert!(shelf.arrivals().is_empty());
}

#[tokio::test]
#[ignore = "runs as another user, started by the test above"]
async fn stranger_is_refused() {
    let socket = PathBuf::from(std::env::var(SOCKET).unwrap());
    let mut raw = Raw::connect(&socket).await;
    let refused = raw.greeted(greet(1, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("uid 45678"), "{refused}");
    assert!(refused.message().contains("listen.allowed_uids"), "{refused}");
}

/// Ends a child with the test.
struct Reaper(Child);

impl Drop for Reaper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn no_record_is_given_to_a_socket_that_a_stranger_listens_on() {
    let scratch = Scratch::new();
    let binary = stage(&scratch);
    count_metrics();
    let test = "foreign::stranger_listens";
    let _stranger = Reaper(
        as_stranger(&binary, test, &scratch.socket()).stdout(Stdio::null()).spawn().unwrap(),
    );
    until("the stranger listens", || scratch.socket().exists(), || ()).await;
    let config = LinkConfig { socket: scratch.socket(), queue_bytes: 1 << 20 };
    let (outbox, link) = connect(config, description());
    let connected = link.connected();
    let task = tokio::spawn(link.run(CancellationToken::new()));
    outbox.send(event(1));
    until(
        "the wrong owner was noticed",
        || counted("defender_link_reconnects_total{reason=\"wrong_owner\"}") > 1,
        all_counted,
    )
    .await;
    assert!(!*connected.borrow());
    task.abort();
}

#[test]
#[ignore = "runs as another user, started by the test above"]
fn stranger_listens() {
    let listener = UnixListener::bind(std::env::var(SOCKET).unwrap()).unwrap();
    let _accepted: Vec<_> = listener.incoming().take(100).collect();
}
