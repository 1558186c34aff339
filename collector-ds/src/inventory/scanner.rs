use super::config::InventoryConfig;
use super::images::{self, Running};
use super::ledger::{Findings, Ledger};
use super::pace::Pace;
use super::packages::{self, Found};
use super::root::{FileVersion, Root};
use super::view::NodeView;
use super::{limits, operating_system, ports, users};
use event_model::{
    InventoryItem, InventoryKind, InventorySubject, Package, Process, Record, Timestamp,
    UserAccount,
};
use metrics::gauge;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The node's packages are read again after this while also where no database changed: those of languages have none.
const READ_AGAIN_AFTER: Duration = Duration::from_hours(6);

/// Problems that are told at a time; the first of each image.
const PROBLEMS: usize = 20;

/// Scans the node and its images, and tells what changed.
pub struct Scanner {
    config: InventoryConfig,
    host_root: PathBuf,
    proc_root: PathBuf,
    ledger: Ledger,
    /// How the node's databases were when they were last read, and when that was.
    node_packages: Option<(Vec<Option<FileVersion>>, Instant)>,
    node_problems: Vec<String>,
    images: HashMap<String, Scanned>,
    scans: u64,
}

/// What is remembered of an image.
#[derive(Debug, Default)]
struct Scanned {
    operating_system: Option<String>,
    problems: Vec<String>,
}

impl Scanner {
    /// Of the node whose root is mounted at `host_root`, with the `/proc` that shows its processes.
    pub fn new(config: InventoryConfig, host_root: PathBuf, proc_root: PathBuf) -> Self {
        Self {
            config,
            host_root,
            proc_root,
            ledger: Ledger::default(),
            node_packages: None,
            node_problems: vec![],
            images: HashMap::new(),
            scans: 0,
        }
    }

    /// Whether a scan has ended.
    pub const fn has_scanned(&self) -> bool {
        self.scans > 0
    }

    /// Makes the next scan a snapshot of everything.
    pub fn tell_again(&mut self) {
        self.ledger.clear();
        self.node_packages = None;
        self.images.clear();
    }

    /// Takes part after part; returns what could not be taken, in words.
    pub fn scan(
        &mut self,
        view: &NodeView,
        scanned_at: Timestamp,
        send: &dyn Fn(Record),
    ) -> Vec<String> {
        let mut pace = Pace::slow();
        let mut scan = Scan { view, scanned_at, send, pace: &mut pace, problems: vec![] };
        self.scan_node(&mut scan);
        if self.config.ports {
            self.scan_ports(&mut scan);
        }
        self.scan_images(&mut scan);
        for kind in InventoryKind::ALL {
            #[allow(clippy::cast_precision_loss)] // A count of things on one node.
            gauge!("defender_inventory_items", "kind" => kind.name())
                .set(self.ledger.count(kind) as f64);
        }
        self.scans += 1;
        scan.problems()
    }

    fn scan_node(&mut self, scan: &mut Scan<'_>) {
        let root = match Root::of_node(&self.host_root) {
            Ok(root) => root,
            Err(error) => {
                scan.problems.push(format!("{}: {error}", self.host_root.display()));
                return;
            }
        };
        if self.config.users {
            let (users, problems) = users::read(&root);
            self.tell_users(scan, InventorySubject::Node, users, problems.is_empty());
            scan.problems.extend(problems);
        }
        if self.config.packages {
            self.scan_node_packages(scan, &root);
        }
    }

    fn scan_node_packages(&mut self, scan: &mut Scan<'_>, root: &Root) {
        let version = packages::version(root);
        let is_known = self
            .node_packages
            .as_ref()
            .is_some_and(|(known, at)| *known == version && at.elapsed() < READ_AGAIN_AFTER);
        if !is_known {
            let mut found = Found::new(scan.pace);
            packages::read(root, self.config.languages, &[], &mut found);
            self.node_problems = found.problems();
            let (complete, packages) = (found.is_complete(), found.packages);
            self.tell_packages(scan, InventorySubject::Node, packages, complete);
            self.node_packages = Some((version, Instant::now()));
        }
        let problems =
            self.node_problems.iter().map(|problem| format!("packages of the node: {problem}"));
        scan.problems.extend(problems);
    }

    fn scan_ports(&mut self, scan: &mut Scan<'_>) {
        let found = ports::read(&self.proc_root, scan.view, scan.pace);
        let complete = found.problems.is_empty();
        scan.problems.extend(found.problems);
        let items = found.ports.into_iter().map(InventoryItem::ListeningPort).collect();
        scan.tell(
            &mut self.ledger,
            InventorySubject::Node,
            InventoryKind::ListeningPorts,
            items,
            complete,
        );
    }

    /// The images themselves are told before what is in them.
    fn scan_images(&mut self, scan: &mut Scan<'_>) {
        let (running, left_out) = images::running(scan.view);
        if left_out > 0 {
            scan.problems.push(format!(
                "{left_out} containers are not told: there are more than {} images",
                limits::IMAGES
            ));
        }
        self.images.retain(|key, _| running.contains_key(key));
        self.ledger.keep(|subject| match subject {
            InventorySubject::Node | InventorySubject::Cluster => true,
            InventorySubject::Image(key) => running.contains_key(key),
        });
        let mut contents = vec![];
        for (key, running) in &running {
            if !self.images.contains_key(key) {
                contents.extend(self.scan_image(scan, running));
            }
        }
        let items = running.into_values().map(|Running { mut image, .. }| {
            let known = self.images.get(&image.key);
            image.operating_system = known.and_then(|known| known.operating_system.clone());
            InventoryItem::Image(image)
        });
        let (items, whole) = (items.collect(), left_out == 0);
        scan.tell(&mut self.ledger, InventorySubject::Node, InventoryKind::Images, items, whole);
        for Contents { subject, packages, users, complete } in contents {
            if self.config.packages {
                self.tell_packages(scan, subject.clone(), packages, complete);
            }
            if self.config.users {
                self.tell_users(scan, subject, users, complete);
            }
        }
        let problems = self.images.iter().filter_map(|(key, scanned)| {
            Some(format!("image {key}: {}", scanned.problems.first()?))
        });
        scan.problems.extend(problems);
    }

    /// Looks into an image through a process of one of its containers; None where none can be looked into now.
    fn scan_image(&mut self, scan: &mut Scan<'_>, running: &Running) -> Option<Contents> {
        if !self.ledger.has_room() {
            scan.problems
                .push(format!("image {}: there is no room for what is in it", running.image.key));
            return None;
        }
        let mut refusal = None;
        for process in &running.processes {
            match self.container_root(process) {
                Ok(root) => {
                    let contents = self.read_image(scan, running, process, &root);
                    // The files may be another's, where the process ended meanwhile.
                    if self.is_of_its_container(process) {
                        return Some(contents);
                    }
                }
                Err(error) => refusal = Some(error),
            }
        }
        self.images.remove(&running.image.key);
        if let Some(error) = refusal {
            scan.problems
                .push(format!("image {}: its files can't be read: {error}", running.image.key));
        }
        None
    }

    fn container_root(&self, process: &Process) -> std::io::Result<Root> {
        let pid = process.reference.key.pid.to_string();
        let root = Root::of_container(&self.proc_root.join(pid).join("root"))?;
        if self.is_of_its_container(process) {
            Ok(root)
        } else {
            Err(std::io::Error::other("the process has ended"))
        }
    }

    /// Whether the process of that id is of the container still: ids are given to others.
    fn is_of_its_container(&self, process: &Process) -> bool {
        let Some(container) = &process.container else { return false };
        let pid = process.reference.key.pid.to_string();
        let memberships = std::fs::read(self.proc_root.join(pid).join("cgroup"));
        memberships.is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&*container.0))
    }

    fn read_image(
        &mut self,
        scan: &mut Scan<'_>,
        running: &Running,
        process: &Process,
        root: &Root,
    ) -> Contents {
        let mut found = Found::new(scan.pace);
        if self.config.packages {
            let works_in = [process.working_directory.clone()];
            packages::read(root, self.config.languages, &works_in, &mut found);
        }
        let (users, user_problems) =
            if self.config.users { users::read(root) } else { (vec![], vec![]) };
        let mut problems = found.problems();
        problems.extend(user_problems);
        let complete = problems.is_empty();
        let operating_system = operating_system::of(root);
        let key = running.image.key.clone();
        self.images.insert(key.clone(), Scanned { operating_system, problems });
        Contents {
            subject: InventorySubject::Image(key),
            packages: found.packages,
            users,
            complete,
        }
    }

    fn tell_packages(
        &mut self,
        scan: &mut Scan<'_>,
        subject: InventorySubject,
        packages: Vec<Package>,
        complete: bool,
    ) {
        let items = packages.into_iter().map(InventoryItem::Package).collect();
        scan.tell(&mut self.ledger, subject, InventoryKind::Packages, items, complete);
    }

    fn tell_users(
        &mut self,
        scan: &mut Scan<'_>,
        subject: InventorySubject,
        users: Vec<UserAccount>,
        complete: bool,
    ) {
        let items = users.into_iter().map(InventoryItem::User).collect();
        scan.tell(&mut self.ledger, subject, InventoryKind::Users, items, complete);
    }
}

/// What is in an image.
struct Contents {
    subject: InventorySubject,
    packages: Vec<Package>,
    users: Vec<UserAccount>,
    complete: bool,
}

/// One scan.
struct Scan<'a> {
    view: &'a NodeView,
    scanned_at: Timestamp,
    send: &'a dyn Fn(Record),
    pace: &'a mut Pace,
    problems: Vec<String>,
}

impl Scan<'_> {
    fn tell(
        &mut self,
        ledger: &mut Ledger,
        subject: InventorySubject,
        kind: InventoryKind,
        items: Vec<InventoryItem>,
        complete: bool,
    ) {
        self.pace.rest();
        let scanned_at = self.scanned_at;
        ledger.tell(Findings { subject, kind, scanned_at, items, complete }, self.send);
    }

    fn problems(mut self) -> Vec<String> {
        let more = self.problems.len().saturating_sub(PROBLEMS);
        self.problems.sort();
        self.problems.truncate(PROBLEMS);
        if more > 0 {
            self.problems.push(format!("and {more} more of the inventory"));
        }
        let told = self.problems.into_iter();
        told.map(|problem| format!("the inventory is not whole: {problem}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use event_model::{Container, Inventory, PackageManager, PasswordState};
    use std::cell::RefCell;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::Arc;

    const APK: &str = "P:musl\nV:1.2.5-r0\nA:x86_64\n\n";

    /// A node with a container in it, as `/proc` shows it.
    struct Node {
        root: tempfile::TempDir,
        image: tempfile::TempDir,
        proc_root: tempfile::TempDir,
    }

    impl Node {
        fn new() -> Self {
            let passwd = "root:x:0:0:root:/root:/bin/bash\n";
            let status = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n";
            let root = testing::root(&[("etc/passwd", passwd), ("var/lib/dpkg/status", status)]);
            let image = testing::root(&[
                ("etc/os-release", "PRETTY_NAME=\"Alpine Linux v3.20\"\n"),
                ("lib/apk/db/installed", APK),
                ("etc/passwd", "app::1000:1000::/:/bin/sh\n"),
                ("srv/shop/node_modules/qs/package.json", r#"{"name":"qs","version":"6"}"#),
            ]);
            let cgroup = format!("0::/kubepods/pod1/{}\n", "a".repeat(64));
            let proc_root = testing::root(&[("42/cgroup", cgroup.as_str())]);
            symlink(image.path(), proc_root.path().join("42/root")).expect("a link");
            Self { root, image, proc_root }
        }

        fn view() -> NodeView {
            let id = "a".repeat(64).as_str().into();
            let mut process = Process { container: Some(id), ..Process::default() };
            process.reference.key.pid = 42;
            process.working_directory = "/srv/shop".to_owned();
            let container = Container {
                id: "a".repeat(64).as_str().into(),
                image: Some("alpine:3.20".to_owned()),
                image_digest: Some("sha256:1".to_owned()),
                ..Container::default()
            };
            NodeView { containers: vec![Arc::new(container)], processes: vec![Arc::new(process)] }
        }

        fn scanner(&self) -> Scanner {
            let config = InventoryConfig { ports: false, ..InventoryConfig::default() };
            Scanner::new(config, self.root.path().into(), self.proc_root.path().into())
        }
    }

    fn scan(scanner: &mut Scanner, view: &NodeView) -> (Vec<Inventory>, Vec<String>) {
        let sent = RefCell::new(vec![]);
        let problems = scanner.scan(view, Timestamp::now(), &|record| {
            let Record::Inventory(inventory) = record else { panic!("{record:?}") };
            sent.borrow_mut().push(*inventory);
        });
        (sent.into_inner(), problems)
    }

    #[test]
    fn a_node_and_its_images_are_told_once_and_then_only_what_changed() {
        let node = Node::new();
        let mut scanner = node.scanner();
        let (told, problems) = scan(&mut scanner, &Node::view());
        assert!(problems.is_empty(), "{problems:?}");
        let image = InventorySubject::Image("sha256:1".to_owned());
        let kinds: Vec<_> = told.iter().map(|part| (part.subject.clone(), part.kind)).collect();
        assert_eq!(
            kinds,
            [
                (InventorySubject::Node, InventoryKind::Users),
                (InventorySubject::Node, InventoryKind::Packages),
                (InventorySubject::Node, InventoryKind::Images),
                (image.clone(), InventoryKind::Packages),
                (image.clone(), InventoryKind::Users),
            ]
        );
        assert!(told.iter().all(|part| part.snapshot_items == Some(part.changed.len() as u64)));
        let InventoryItem::Image(told_image) = &told[2].changed[0] else { panic!("{told:?}") };
        assert_eq!(told_image.operating_system.as_deref(), Some("Alpine Linux v3.20"));
        let packages: Vec<_> = told[3]
            .changed
            .iter()
            .map(|item| match item {
                InventoryItem::Package(package) => (package.manager, package.name.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(packages, [(PackageManager::Apk, "musl"), (PackageManager::Npm, "qs")]);
        let InventoryItem::User(user) = &told[4].changed[0] else { panic!("{told:?}") };
        assert_eq!(user.password, PasswordState::Empty);

        assert_eq!(scan(&mut scanner, &Node::view()).0, [], "nothing changed");
        let status = "Package: bash\nStatus: install ok installed\nVersion: 5.3-1\n";
        std::fs::write(node.root.path().join("var/lib/dpkg/status"), status).expect("upgraded");
        let (told, _) = scan(&mut scanner, &Node::view());
        assert_eq!((told.len(), told[0].changed.len(), told[0].removed.len()), (1, 1, 1));
        scanner.tell_again();
        assert_eq!(scan(&mut scanner, &Node::view()).0.len(), 5, "all of it, to another publisher");
    }

    #[test]
    fn an_image_that_no_longer_runs_is_gone() {
        let node = Node::new();
        let mut scanner = node.scanner();
        scan(&mut scanner, &Node::view());
        let (told, _) = scan(&mut scanner, &NodeView::default());
        assert_eq!((told.len(), told[0].kind), (1, InventoryKind::Images));
        assert_eq!((told[0].changed.len(), told[0].removed.len()), (0, 1));
        assert_eq!(
            scan(&mut scanner, &Node::view()).0.len(),
            3,
            "it is told whole when it comes back"
        );
    }

    #[test]
    fn a_process_that_is_of_another_container_now_shows_nothing() {
        let node = Node::new();
        std::fs::write(node.proc_root.path().join("42/cgroup"), "0::/another\n").expect("written");
        let (told, problems) = scan(&mut node.scanner(), &Node::view());
        assert!(told.iter().all(|part| part.subject == InventorySubject::Node), "{told:?}");
        assert!(problems[0].contains("image sha256:1: its files can't be read"), "{problems:?}");
    }

    #[test]
    fn what_a_container_makes_of_its_files_hurts_nobody() {
        let node = Node::new();
        let installed = node.image.path().join("lib/apk/db/installed");
        std::fs::remove_file(&installed).expect("removed");
        nix::unistd::mkfifo(&installed, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        symlink(node.root.path().join("etc/passwd"), node.image.path().join("etc/shadow"))
            .expect("a link");
        let status = node.image.path().join("var/lib/dpkg/status");
        std::fs::create_dir_all(status.parent().expect("a folder")).expect("folders");
        std::fs::File::create(&status).and_then(|file| file.set_len(1 << 40)).expect("a huge file");
        let (told, problems) = scan(&mut node.scanner(), &Node::view());
        assert!(problems[0].contains("not a regular file"), "{problems:?}");
        let of_image = told.iter().filter(|part| part.subject != InventorySubject::Node);
        assert!(
            of_image.clone().all(|part| part.snapshot_items.is_none()),
            "nothing is taken to be gone"
        );
        let names = of_image.flat_map(|part| &part.changed).count();
        assert_eq!(names, 2, "the rest is told: {told:?}");
    }

    #[test]
    fn a_node_whose_root_is_not_there_is_told() {
        let scanner = &mut Scanner::new(
            InventoryConfig::default(),
            Path::new("/nowhere").into(),
            Path::new("/nowhere").into(),
        );
        let (_, problems) = scan(scanner, &NodeView::default());
        assert!(problems[0].contains("/nowhere"), "{problems:?}");
    }
}
