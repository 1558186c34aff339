use super::{Publisher, Record};
use event_model::{Component, KubernetesCensus, SourceDescription, SourceId};
use node_link::{LinkConfig, ListenConfig, ReceiveError, Receiver};
use proto::Envelope;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

/// Acknowledges all that comes.
struct Anything;

impl Receiver for Anything {
    async fn accept(&self, _: Envelope) -> Result<(), ReceiveError> {
        Ok(())
    }
}

/// A publisher whose link runs until the token is cancelled.
fn publisher(socket: &Path, end: CancellationToken) -> Publisher {
    let source = SourceDescription {
        id: SourceId::generate(),
        component: Component::CollectorMisc,
        version: String::new(),
        node: String::new(),
        boot_id: uuid::Uuid::nil(),
    };
    let config = LinkConfig { socket: socket.to_owned(), queue_bytes: 128 << 10 };
    let (outbox, link) = node_link::connect(config, source);
    let publisher = Publisher::new(outbox, link.connected(), 1 << 20);
    tokio::spawn(link.run(end));
    publisher
}

fn serve(socket: &Path, end: CancellationToken) {
    let config = ListenConfig {
        socket: socket.to_owned(),
        allowed_uids: vec![nix::unistd::geteuid().as_raw()],
        ..ListenConfig::default()
    };
    tokio::spawn(node_link::serve(config, std::sync::Arc::new(Anything), end));
}

async fn poll(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "not {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_problem_of_deletions_that_were_dropped_ends_with_a_census_that_arrived() {
    let (folder, end) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let _ends = end.clone().drop_guard();
    let socket = folder.path().join("publisher.sock");
    let publisher = publisher(&socket, end.clone());
    publisher.lead_alone();
    for number in 0..2000 {
        publisher.send_deletion("v1", "Pod", number.to_string());
    }
    publisher.delivered();
    let problem = publisher.problem().expect("a problem");
    assert!(problem.contains("gone until all are told again, of: Pod"), "{problem}");
    let tell_again = |is_counted: bool| {
        publisher.begin_snapshot();
        publisher.listed("v1", "Pod");
        if is_counted {
            publisher.begin_census("v1", "Pod");
            let census = Record::KubernetesCensus(Box::<KubernetesCensus>::default());
            publisher.send_inventory(census);
            publisher.end_census("v1", "Pod");
        }
        publisher.reached("v1", "Pod", "7");
    };
    let told_delivered = || publisher.delivered().iter().count();
    serve(&socket, end);
    poll("connected", || publisher.is_connected()).await;
    tell_again(false);
    assert_eq!((publisher.problem().is_some(), told_delivered()), (true, 0));
    tell_again(true);
    poll("without a problem", || told_delivered() == 0 && publisher.problem().is_none()).await;
    publisher.reached("v1", "Pod", "8");
    poll("told delivered", || told_delivered() == 1).await;
}
