//! How fast the store takes the largest cluster's objects, and how it answers then. It prints a table.
//!
//! ```sh
//! cargo run --release -p backend --example kubernetes_store -- 150000
//! ```

use backend::store::{
    Batch, ChangeFilter, ImageFilter, ObjectFilter, Publisher, Reader, Store, StoreConfig,
};
use event_model::{
    KubernetesContainer, KubernetesObject, Lane, OwnerReference, Record, SourceId, Timestamp,
};
use service_runtime::Bytes;
use std::time::Instant;

/// Records of a batch.
const BATCH: usize = 500;
/// Batches on their way at a time: what one publisher's credit allows.
const UNDER_WAY: usize = 8;
const CHANGES: usize = 20_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pods = std::env::args().nth(1).map_or(Ok(150_000), |count| count.parse())?;
    let folder = std::env::temp_dir().join(format!("kubernetes-store-{}", std::process::id()));
    let store = Store::open(&StoreConfig {
        directory: folder.clone(),
        maximum_bytes: Bytes::gibibytes(8),
        ..StoreConfig::default()
    })?;
    println!("| What | Objects | Seconds | Objects/s |\n|---|---|---|---|");
    let source = SourceId::generate();
    let mut sequence = 1;
    let rounds: [(&str, usize, u64); 3] = [
        ("the first snapshot", pods, 0),
        ("the same again, a day later", pods, 0),
        ("changes", CHANGES.min(pods), 1_000_000),
    ];
    for (what, count, version) in rounds {
        let begun = Instant::now();
        send(&store, source, &mut sequence, count, version).await?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("| {what} | {count} | {seconds:.1} | {:.0} |", per_second(count, seconds));
    }
    ask(&store.reader).await?;
    println!("\n{} MiB on disk, {} of memory at most", disk_mebibytes(&folder)?, peak_memory()?);
    drop(store.intake);
    store.ended.await?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

async fn send(
    store: &Store,
    source: SourceId,
    sequence: &mut u64,
    count: usize,
    version: u64,
) -> anyhow::Result<()> {
    let mut under_way = std::collections::VecDeque::new();
    for begin in (0..count).step_by(BATCH) {
        let numbers = begin..count.min(begin + BATCH);
        let record = |number| Record::KubernetesObject(Box::new(pod(number, version)));
        let records: Vec<Record> = numbers.map(record).collect();
        let envelope = proto::encode_batch(source, Lane::Entity, *sequence, &records)?;
        let first_sequence = *sequence;
        *sequence += records.len() as u64;
        let batch = Batch {
            publisher: Publisher { cluster: "main".into(), node: "node-1".into() },
            source,
            lane: Lane::Entity,
            first_sequence,
            records,
            received_at: Timestamp::now(),
            // What is charged for a batch before it is decoded would be most of it: here it is known to be small.
            room: store.intake.room(&envelope).await?,
        };
        under_way.push_back(store.intake.store(batch)?);
        if under_way.len() == UNDER_WAY
            && let Some(first) = under_way.pop_front()
        {
            first.await??;
        }
    }
    for answer in under_way {
        answer.await??;
    }
    Ok(())
}

/// A pod as a cluster's collector tells it. Another version has another image.
fn pod(number: usize, version: u64) -> KubernetesObject {
    let workload = number / 20;
    let owner = OwnerReference {
        kind: "ReplicaSet".to_owned(),
        name: format!("service-{workload}-7d9f8c6b5"),
        uid: format!("aaaaaaaa-0000-4000-8000-{workload:012}"),
        controller: true,
    };
    let tag = if version > 0 { "2.0.1" } else { "2.0.0" };
    let container = |name: &str, image: usize| KubernetesContainer {
        name: name.to_owned(),
        image: format!("registry.example/team/service-{image}:{tag}"),
        image_id: Some(format!("registry.example/team/service@sha256:{tag:0>8}{image:056x}")),
        container_id: Some(format!("{number:032x}{image:032x}")),
    };
    let label = |name: &str, value: String| (name.to_owned(), value);
    KubernetesObject {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(format!("team-{}", workload % 500)),
        name: format!("service-{workload}-7d9f8c6b5-{number:x}"),
        uid: format!("bbbbbbbb-{:04x}-4000-8000-{number:012x}", number * 31 % 65_536),
        resource_version: (1_000_000 + version + number as u64).to_string(),
        created_at: Some(Timestamp(1_795_435_200_000_000_000)),
        owners: vec![owner],
        labels: [
            label("app.kubernetes.io/name", format!("service-{workload}")),
            label("app.kubernetes.io/part-of", format!("team-{}", workload % 500)),
            label("pod-template-hash", "7d9f8c6b5".to_owned()),
        ]
        .into(),
        node: Some(format!("node-{}", number % 5000)),
        service_account: Some(format!("service-{workload}")),
        containers: vec![container("app", workload), container("proxy", 999_999)],
        attributes: [label("phase", "Running".to_owned()), label("qosClass", "Burstable".to_owned())]
            .into(),
        configuration: Some(
            r#"{"spec":{"containers":[{"name":"app","ports":[{"containerPort":8080}],"resources":{"limits":{"memory":"256Mi"}},"securityContext":{"allowPrivilegeEscalation":false,"runAsNonRoot":true}},{"name":"proxy"}],"volumes":[{"name":"configuration","configMap":{"name":"service"}}]}}"#
                .to_owned(),
        ),
        deleted: false,
    }
}

async fn ask(reader: &Reader) -> anyhow::Result<()> {
    println!("\n| Query | Items | Milliseconds |\n|---|---|---|");
    let objects = [
        ("pods of a namespace", ObjectFilter { namespace: Some("team-7".into()), ..of_pods() }),
        (
            "pods of a name",
            ObjectFilter { name: Some("service-3-7d9f8c6b5-41".into()), ..of_pods() },
        ),
        ("pods with a label", {
            let label = Some("app.kubernetes.io/name=service-7000".into());
            ObjectFilter { label, ..of_pods() }
        }),
        ("pods of a node", ObjectFilter { node: Some("node-4999".into()), ..of_pods() }),
        ("pods of an image", {
            let image = Some("registry.example/team/service-7000:2.0.0".into());
            ObjectFilter { image, ..of_pods() }
        }),
    ];
    for (what, filter) in objects {
        let begun = Instant::now();
        let found = reader.objects(filter, None, 100).await?.items.len();
        tell(what, found, begun);
    }
    let begun = Instant::now();
    let found = reader.images_of_pods(ImageFilter::default(), None, 100).await?.items.len();
    tell("a page of images", found, begun);
    let begun = Instant::now();
    let found = reader.changes(ChangeFilter::default(), None, 100).await?.items.len();
    tell("the newest changes", found, begun);
    let begun = Instant::now();
    let detail = reader.object(None, "bbbbbbbb-001f-4000-8000-000000000001".into()).await?;
    tell("an object with its changes", usize::from(detail.is_some()), begun);
    Ok(())
}

fn of_pods() -> ObjectFilter {
    ObjectFilter { kind: Some("Pod".into()), ..ObjectFilter::default() }
}

fn tell(what: &str, found: usize, begun: Instant) {
    println!("| {what} | {found} | {:.1} |", begun.elapsed().as_secs_f64() * 1e3);
}

#[allow(clippy::cast_precision_loss)] // Of a table.
fn per_second(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn disk_mebibytes(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes >> 20)
}

fn peak_memory() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    Ok(line.trim_start_matches("VmHWM:").trim().to_owned())
}
