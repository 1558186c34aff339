//! A disk that is full: a tmpfs of two mebibytes under the spool.

use crate::backend::{Backend, Vault};
use crate::certificates::Authority;
use crate::collector::{Collector, bulky_event, bulky_status, event_numbers, report_of_loss};
use crate::process::Home;
use crate::waiting::until;
use event_model::{Lane, LossReason};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::path::{Path, PathBuf};

struct SmallDisk(PathBuf);

impl SmallDisk {
    fn under(path: &Path) -> Self {
        std::fs::create_dir(path).unwrap();
        let options = Some("size=2m,mode=0700");
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), options)
            .expect("run as root: this test mounts a small tmpfs");
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_collectors_wait_and_everything_arrives_once_there_is_room() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    let _disk = SmallDisk::under(&home.spool());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let address = backend.address;
    backend.kill();
    home.configure(&format!("https://localhost:{}", address.port()), "64MiB");
    let mut publisher = home.start();
    let collector = Collector::start(home.socket());
    let total = 20_000;
    for number in 0..total {
        collector.outbox.send(bulky_event(number));
    }
    publisher.wait_until_not_ready(&["[-]spool", "No space left", "free space", "spool.directory"]);
    assert!(publisher.is_running());
    until(
        "an error is counted",
        || publisher.metric("defender_spool_write_errors_total") >= 1,
        || home.log(),
    );
    let _backend = Backend::start_at(address, &vault, &authority.server("localhost"), &authority);
    let total_count = usize::try_from(total).unwrap();
    until(
        "all arrived",
        || vault.count(Lane::Telemetry) >= total_count,
        || (vault.count(Lane::Telemetry), home.log()),
    );
    assert_eq!(event_numbers(&vault.records(Lane::Telemetry)), (0..total).collect::<Vec<_>>());
    publisher.wait_until_ready();
    assert_eq!(vault.losses(), []);
    collector.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_what_is_worthier_takes_the_room_of_telemetry_and_the_loss_is_counted() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    let _disk = SmallDisk::under(&home.spool());
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    let address = backend.address;
    backend.kill();
    home.configure(&format!("https://localhost:{}", address.port()), "64MiB");
    let publisher = home.start();
    let collector = Collector::start(home.socket());
    let total = 20_000;
    for number in 0..total {
        collector.outbox.send(bulky_event(number));
    }
    publisher.wait_until_not_ready(&["[-]spool", "No space left"]);
    // More than what was left because the next batch of telemetry did not fit.
    (0..20).for_each(|_| collector.outbox.send(bulky_status()));
    collector.outbox.send(report_of_loss(77));
    until(
        "telemetry made room",
        || {
            publisher
                .metric("defender_spool_dropped_total{lane=\"telemetry\",reason=\"disk_error\",destination=\"backend\"}")
                > 0
        },
        || home.log(),
    );
    let _backend = Backend::start_at(address, &vault, &authority.server("localhost"), &authority);
    let lost = || {
        let of_disk =
            vault.losses().into_iter().filter(|loss| loss.reason == LossReason::DiskError);
        of_disk.map(|loss| loss.count).sum::<u64>()
    };
    until(
        "what arrived and what is reported lost add up",
        || vault.count(Lane::Telemetry) as u64 + lost() == total,
        || (vault.count(Lane::Telemetry), vault.losses(), home.log()),
    );
    assert!(lost() > 0);
    let alerts = vault.losses();
    assert!(alerts.iter().any(|loss| loss.count == 77), "{alerts:?}");
    collector.finish().await;
}

#[test]
fn a_read_only_disk_at_the_start_is_waited_for() {
    let (home, authority, vault) = (Home::new(), Authority::new(), Vault::new());
    let disk = SmallDisk::under(&home.spool());
    let remount = |flags: MsFlags| {
        let none = None::<&str>;
        mount(none, disk.0.as_path(), none, MsFlags::MS_REMOUNT | flags, none).unwrap();
    };
    remount(MsFlags::MS_RDONLY);
    home.trust(&authority, &authority.client());
    let backend = Backend::start(&vault, &authority.server("localhost"), &authority);
    home.configure(&format!("https://localhost:{}", backend.address.port()), "64MiB");
    let mut publisher = home.start();
    publisher.wait_until_not_ready(&["[-]spool", "spool.directory", "Read-only file system"]);
    assert!(publisher.is_running());
    remount(MsFlags::empty());
    publisher.wait_until_ready();
}
