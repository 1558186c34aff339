use super::*;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::net::UnixListener;

const ID: &str = "3f5e9c1d7a2b4c6d8e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f";
const SANDBOX: &str = "a94f8e3c2b1d0f9e8d7c6b5a49382716f5e4d3c2b1a0f9e8d7c6b5a493827160";

/// A Docker Engine that answers what the test likes. `answer` gets a path and says status and body.
struct Engine {
    folder: TempDir,
    asked: Arc<AtomicUsize>,
}

impl Engine {
    fn start(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    count.fetch_add(1, Ordering::Relaxed);
                    let (status, body) = answer(request.uri().path());
                    let mut response = Response::new(Full::new(Bytes::from(body)));
                    *response.status_mut() = status.try_into().expect("a status");
                    async { Ok::<_, Infallible>(response) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { folder, asked }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    async fn find(&self) -> Result<Option<Container>, RuntimeError> {
        let docker = Docker::connect(self.socket()).await.expect("it answers");
        docker.find(&ContainerId::from(ID)).await
    }
}

fn inspection(id: &str, labels: &str) -> String {
    format!(
        r#"{{"Id": "{id}", "Name": "/web", "Image": "sha256:feed", "Created": "2026-03-01T10:20:30Z",
            "Config": {{"Image": "nginx:1.27", "Labels": {{{labels}}}}}, "HostConfig": {{"Privileged": false}}}}"#
    )
}

fn ok(body: impl Into<String>) -> (u16, String) {
    (200, body.into())
}

fn not_found() -> (u16, String) {
    (404, r#"{"message": "no such thing"}"#.to_owned())
}

/// What cri-dockerd leaves in a Docker Engine: a container, its sandbox with the pod's labels, an image.
fn kubernetes_engine(path: &str) -> (u16, String) {
    match path {
        "/version" => ok(r#"{"Components": [{"Name": "Engine"}]}"#),
        path if path == format!("/containers/{ID}/json") => ok(inspection(
            ID,
            &format!(
                r#""io.kubernetes.pod.name": "web-0", "io.kubernetes.container.name": "nginx", "io.kubernetes.sandbox.id": "{SANDBOX}""#
            ),
        )),
        path if path == format!("/containers/{SANDBOX}/json") => {
            ok(inspection(SANDBOX, r#""io.kubernetes.pod.name": "web-0", "app": "shop""#))
        }
        "/images/sha256:feed/json" => ok(r#"{"RepoDigests": ["nginx@sha256:beef"]}"#),
        _ => not_found(),
    }
}

#[tokio::test]
async fn a_pods_labels_come_from_its_sandbox_and_the_digest_from_the_image() {
    let engine = Engine::start(kubernetes_engine);
    let container = engine.find().await.expect("an answer").expect("it is known");
    assert_eq!(container.name.as_deref(), Some("nginx"));
    assert_eq!(container.image_digest.as_deref(), Some("sha256:beef"));
    let pod = container.pod.expect("a pod");
    assert_eq!(pod.labels.into_iter().collect::<Vec<_>>(), [("app".to_owned(), "shop".to_owned())]);
}

#[tokio::test]
async fn a_label_that_names_no_sandbox_costs_nothing_but_the_pods_labels() {
    let label = r#""io.kubernetes.pod.name": "web-0", "io.kubernetes.sandbox.id": "../x y""#;
    let engine = Engine::start(move |path| match path {
        "/version" => ok("{}"),
        path if path.starts_with("/containers/") => ok(inspection(ID, label)),
        _ => not_found(),
    });
    let container = engine.find().await.expect("an answer").expect("it is known");
    assert_eq!(container.pod.and_then(|pod| pod.name).as_deref(), Some("web-0"));
}

#[tokio::test]
async fn podman_is_told_from_docker() {
    let engine = Engine::start(|_| ok(r#"{"Components": [{"Name": "Podman Engine"}]}"#));
    let podman = Docker::connect(engine.socket()).await.expect("it answers");
    assert_eq!(podman.runtime(), "podman");
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_error_and_a_missing_container_is_not() {
    for (status, body, told) in [
        (500, String::new(), "500 Internal Server Error"),
        (200, "<html>".to_owned(), "expected value"),
        (200, inspection(ID, "").replace("\"Name\"", "\"Nom\""), "missing field `Name`"),
        (200, "x".repeat(9 << 20), "length limit exceeded"),
    ] {
        let engine = Engine::start(move |path| match path {
            "/version" => ok("{}"),
            _ => (status, body.clone()),
        });
        let error = engine.find().await.expect_err("no answer to use").to_string();
        assert!(error.contains(told), "{error}");
        assert!(error.contains(ID), "it names what was asked: {error}");
    }
    let engine = Engine::start(|path| if path == "/version" { ok("{}") } else { not_found() });
    assert_eq!(engine.find().await.expect("an answer"), None);
}

/// Talks to the sockets at `paths`; the findings come out of the receiver.
fn talk(paths: Vec<PathBuf>) -> (Metadata, mpsc::Receiver<Finding>, CancellationToken) {
    let end = CancellationToken::new();
    let sockets = RuntimeSockets { cri: vec![], docker: paths };
    let (metadata, findings, work) = Metadata::start(sockets, end.clone());
    tokio::spawn(work);
    (metadata, findings, end)
}

fn unknown_container() -> Container {
    let runtime = Some("docker".to_owned());
    Container { id: ContainerId::from(ID), runtime, ..Container::default() }
}

async fn next(findings: &mut mpsc::Receiver<Finding>) -> Finding {
    let finding = timeout(Duration::from_secs(20), findings.recv()).await;
    finding.expect("in time").expect("the talk goes on")
}

/// Answers as an engine in which the container appears at the `nth` question about it.
fn engine_that_knows_it_late(nth: usize) -> Engine {
    let asked = AtomicUsize::new(0);
    Engine::start(move |path| match path {
        "/version" => ok("{}"),
        "/events" => ok(""),
        "/containers/json" => ok("[]"),
        path if path.starts_with("/containers/") => {
            let known = asked.fetch_add(1, Ordering::Relaxed) + 1 >= nth;
            if known { ok(inspection(ID, "")) } else { not_found() }
        }
        _ => not_found(),
    })
}

#[tokio::test]
async fn a_container_that_is_not_known_at_once_is_asked_for_again() {
    let engine = engine_that_knows_it_late(3);
    let (metadata, mut findings, _end) = talk(vec![engine.socket()]);
    // The engine's stream of events ends at once, so the talk begins anew all the time: a
    // question may come between two connections, when nobody can be asked.
    loop {
        assert!(metadata.ask(&unknown_container()));
        match next(&mut findings).await {
            Finding::Whole(container) => {
                assert_eq!(container.name.as_deref(), Some("web"));
                break;
            }
            Finding::Nothing(id) => assert_eq!(id, ContainerId::from(ID)),
            Finding::Partial(told) => panic!("nothing was made: {told:?}"),
        }
    }
    assert!(engine.asked.load(Ordering::Relaxed) >= 3);
}

#[tokio::test]
async fn a_container_that_nobody_can_be_asked_about_is_not_found() {
    let (metadata, mut findings, _end) = talk(vec!["/nowhere/docker.sock".into()]);
    assert!(metadata.ask(&unknown_container()));
    assert!(matches!(next(&mut findings).await, Finding::Nothing(_)));
    assert!(metadata.problems().is_empty(), "a socket that is absent is no problem");
}

#[tokio::test]
async fn questions_are_bounded() {
    let (metadata, _findings, _work) =
        Metadata::start(RuntimeSockets::default(), CancellationToken::new());
    let taken = (0..10_000).filter(|_| metadata.ask(&unknown_container())).count();
    assert_eq!(taken, MAXIMUM_QUESTIONS);
}

#[test]
fn each_runtimes_containers_are_asked_for_where_they_can_be_known() {
    for (runtime, docker, cri) in [
        (Some("docker"), true, false),
        (Some("podman"), true, false),
        (Some("containerd"), false, true),
        (Some("cri-o"), false, true),
        (None, true, true),
    ] {
        assert_eq!(Interface::Docker.serves(runtime), docker, "{runtime:?}");
        assert_eq!(Interface::Cri.serves(runtime), cri, "{runtime:?}");
    }
}
