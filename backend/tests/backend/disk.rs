use crate::publisher::Publisher;
use crate::records::numbered;
use crate::running::{Backend, PATIENCE};
use event_model::{Lane, SourceId};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tonic::Code;

/// A small file system of its own, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(path)
            .status()
            .unwrap();
        assert!(mounted.success(), "mounting a tmpfs needs root");
        Self(path.to_owned())
    }

    /// Takes all space but a little.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filling")).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filling")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn wait_for_readiness(backend: &Backend, wanted: u16) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, words) = backend.readiness().await;
        if status == wanted {
            return words;
        }
        assert!(
            Instant::now() < deadline,
            "/readyz still says {status} {words}\n{}",
            backend.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_refused_told_and_recovered_from_without_loss() {
    let mut disk = None;
    let backend = Backend::start_with(|config, folder| {
        disk = Some(SmallDisk::mount(&folder.join("disk")));
        config["store"]["directory"] = folder.join("disk/store").to_str().unwrap().into();
    })
    .await;
    let disk = disk.unwrap();
    let source = SourceId::generate();
    let records: Vec<_> = (1..=60_000).map(numbered).collect();
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    publisher.send(source, 1, &records[..100]).await;
    publisher.acknowledged(Lane::Telemetry, 100).await;

    disk.fill();
    // The log may have room in pages that it had before: sends until there is none.
    let mut sent = 100;
    while !publisher.is_closed() && sent + 2000 <= records.len() {
        publisher.send(source, sent as u64 + 1, &records[sent..sent + 2000]).await;
        sent += 2000;
        if tokio::time::timeout(Duration::from_millis(200), publisher.answer())
            .await
            .is_ok_and(|answer| answer.is_err())
        {
            break;
        }
    }
    let words = wait_for_readiness(&backend, 503).await;
    assert!(words.contains("store") && words.contains("free some space"), "{words}");
    // What was stored before is acknowledged before the stream's end.
    while publisher.answer().await.is_ok_and(|answer| answer.is_some()) {}
    let acknowledged = publisher.acknowledged[Lane::Telemetry.index()];
    let mut refused =
        Publisher::connect_as(&backend, Some(&backend.authority.publisher("node-1"))).await;
    let status = match &mut refused {
        Ok(publisher) => {
            publisher
                .send(
                    source,
                    acknowledged + 1,
                    &records[usize::try_from(acknowledged).unwrap()..][..2000],
                )
                .await;
            publisher.ended().await
        }
        Err(status) => status.clone(),
    };
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("disk"), "{status:?}");
    assert_eq!(
        backend.all("/api/v1/events").await.len() as u64,
        acknowledged,
        "what was acknowledged is there"
    );

    disk.free();
    wait_for_readiness(&backend, 200).await;
    let mut publisher = Publisher::connect(&backend, "node-1").await;
    publisher.send(source, 1, &records[..20_000]).await;
    publisher.acknowledged(Lane::Telemetry, 20_000).await;
    let mut sequences: Vec<_> = backend
        .all("/api/v1/events")
        .await
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    sequences.sort_unstable();
    let last = 20_000.max(acknowledged);
    assert_eq!(sequences, (1..=last).collect::<Vec<_>>());
}
