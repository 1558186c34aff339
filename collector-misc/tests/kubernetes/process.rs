//! The program as it is started: its messages, and the service account of a pod.

use crate::harness::{Publisher, kubeconfig, poll};
use api_server::{ApiServer, Effect, Options, TOKEN, Trouble};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const PROGRAM: &str = env!("CARGO_BIN_EXE_collector-misc");

/// A collector process, killed when the test leaves it behind.
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
            .env("DEFENDER_LOG__FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let gathered = Arc::clone(&log);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                gathered.lock().unwrap().extend([line.as_str(), "\n"]);
            }
        });
        Self { child, log }
    }

    async fn expect_log(&self, words: &[&str]) {
        poll(&format!("log line with {words:?}"), || {
            let log = self.log.lock().unwrap().clone();
            let is_there = log.lines().any(|line| words.iter().all(|word| line.contains(word)));
            if is_there { Ok(()) } else { Err(log) }
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_logged_with_the_way_out() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    let folder = tempfile::tempdir().unwrap();
    let path = kubeconfig(folder.path(), &server, "the-wrong-token");
    let process = Process::start(
        Command::new(PROGRAM)
            .env("DEFENDER_KUBERNETES__KUBECONFIG", path)
            .env("DEFENDER_PUBLISHER__SOCKET", publisher.socket()),
    );
    process
        .expect_log(&[
            "\"WARN\"",
            "cannot watch pods",
            "(401)",
            "check the service account's token",
        ])
        .await;
    let log = process.log.lock().unwrap().clone();
    assert!(!log.contains("the-wrong-token"), "the log tells the token: {log}");
}

/// The address of the admin server, from the log line that tells it.
async fn admin(process: &Process) -> String {
    process.expect_log(&["\"admin\":"]).await;
    let log = process.log.lock().unwrap().clone();
    let (_, rest) = log.split_once("\"admin\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn metrics(admin: &str) -> String {
    let mut connection = TcpStream::connect(admin).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_objects_changes_and_errors() {
    let (server, publisher) = (ApiServer::start(), Publisher::start());
    server.trouble(Trouble::of("", "nodes", Effect::Forbidden));
    server.change(|cluster| {
        for name in ["shop-1", "shop-2", "shop-3"] {
            cluster.create("pods", json!({"metadata": {"name": name, "namespace": "web"}}));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        Command::new(PROGRAM)
            .env("DEFENDER_KUBERNETES__KUBECONFIG", kubeconfig(folder.path(), &server, TOKEN))
            .env("DEFENDER_PUBLISHER__SOCKET", publisher.socket()),
    );
    publisher.expect("the last pod", |object| object.name == "shop-3").await;
    server.change(|cluster| cluster.delete("pods", "web/shop-2"));
    let admin = admin(&process).await;
    poll("all counts", || {
        let metrics = metrics(&admin);
        let expected = [
            "defender_kubernetes_objects{kind=\"Pod\"} 2\n",
            "defender_kubernetes_changes_total{kind=\"Pod\",change=\"added\"} 3\n",
            "defender_kubernetes_changes_total{kind=\"Pod\",change=\"deleted\"} 1\n",
            "defender_kubernetes_watch_errors_total{kind=\"Node\",reason=\"forbidden\"} ",
            "# HELP defender_kubernetes_objects ",
        ];
        let are_there = expected.iter().all(|line| metrics.contains(line));
        if are_there { Ok(()) } else { Err(metrics) }
    })
    .await;
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "clusters: [\n").unwrap();
    for path in [Path::new("/nowhere/kubeconfig"), &broken] {
        let output = Command::new(PROGRAM)
            .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
            .env("DEFENDER_KUBERNETES__KUBECONFIG", path)
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{log}");
        let words = format!("kubernetes.kubeconfig {} cannot be used", path.display());
        assert!(log.contains(&words), "{log}");
    }
}

/// As in the image, which is empty but for the program.
#[test]
fn a_kubeconfig_without_an_authority_is_told_where_the_system_has_none_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let yaml = "apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: \"https://127.0.0.1:1\"}}]
users: [{name: test, user: {token: none}}]
";
    std::fs::write(&path, yaml).unwrap();
    let output = Command::new(PROGRAM)
        .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
        .env("DEFENDER_KUBERNETES__KUBECONFIG", path)
        .env("SSL_CERT_FILE", folder.path().join("none.pem"))
        .env("SSL_CERT_DIR", folder.path().join("none"))
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    for words in ["names no certificate authority", "certificate-authority-data"] {
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn without_any_kubernetes_the_way_out_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .env("DEFENDER_ADMIN__LISTEN", "127.0.0.1:0")
        .env("HOME", folder.path())
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("DEFENDER_KUBERNETES__KUBECONFIG"), "{log}");
}

#[test]
fn the_configuration_of_the_documentation_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector-misc.yaml");
    let yaml = "
node: { name: \"\" }
publisher: { socket: /run/defender/publisher.sock, queue_bytes: 8MiB }
kubernetes: { kubeconfig: \"\" }
leadership:
  enabled: false
  lease: defender-collector-misc
  namespace: \"\"
  pod: \"\"
  lease_seconds: 15
  renew_deadline_seconds: 10
  retry_seconds: 2
  buffer_bytes: 4MiB
log: { level: info, format: auto }
admin: { listen: \"127.0.0.1:9103\" }
shutdown: { grace_seconds: 10 }
";
    std::fs::write(&file, yaml).unwrap();
    let output =
        Command::new(PROGRAM).arg("--config").arg(&file).arg("--check-config").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::write(&file, "publisher: { queue_bytes: 12 }\n").unwrap();
    let output =
        Command::new(PROGRAM).arg("--config").arg(&file).arg("--check-config").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("collector-misc.yaml:1:27: publisher.queue_bytes: must be"), "{error}");
}

/// The service account is looked for at a fixed path, so this gives the process a file system
/// view of its own, which only root may.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_pod_the_service_account_is_used_over_tls() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test makes a mount namespace, which needs root: run it as root, or leave it out by \
         `cargo nextest run -E 'not test(in_a_pod_)'`"
    );
    let options = Options { tls: true, ..Options::default() };
    let (server, publisher) = (ApiServer::start_with(options).unwrap(), Publisher::start());
    let authority = server.authority_pem().unwrap();
    let uid = server.change(|cluster| {
        cluster.create("pods", json!({"metadata": {"name": "shop-1", "namespace": "web"}}))
    });
    let account = tempfile::tempdir().unwrap();
    for (file, text) in [("token", TOKEN), ("ca.crt", authority), ("namespace", "defender")] {
        std::fs::write(account.path().join(file), text).unwrap();
    }
    let script = "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && \
                  ln -s \"$1\" /run/secrets/kubernetes.io/serviceaccount && exec \"$2\"";
    let process = Process::start(
        Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(account.path())
            .arg(PROGRAM)
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", server.address().port().to_string())
            .env("DEFENDER_PUBLISHER__SOCKET", publisher.socket()),
    );
    process.expect_log(&["using the Kubernetes API", "https://127.0.0.1"]).await;
    publisher.expect("the pod", |object| object.uid == uid).await;
}
