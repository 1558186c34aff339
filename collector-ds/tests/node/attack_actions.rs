//! The acts of `rules/tests/acts/acts.yaml` are performed, harmlessly, and each raises its rule's alert.

use crate::acts::sensor;
use crate::docker::{Container, docker, image};
use crate::expect::{PATIENCE, alerts};
use crate::own::ptrace;
use crate::sensor::Sensor;
use event_model::Alert;
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An act as the file gives it; what its keys mean stands there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    name: String,
    rule: String,
    #[serde(default)]
    r#where: Place,
    #[serde(default)]
    below: Vec<String>,
    #[serde(default)]
    called: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    prepare: Option<String>,
    #[serde(default)]
    run: Vec<String>,
    #[serde(default)]
    marker: Option<String>,
    #[serde(default)]
    proved_by: Option<String>,
    #[serde(default)]
    not_done: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Place {
    #[default]
    Container,
    Privileged,
    Image,
    Host,
}

impl Act {
    /// Acts that this test performs.
    fn is_performed(&self) -> bool {
        self.proved_by.is_none() && self.not_done.is_none()
    }

    fn is_proved_by(&self, alert: &Alert, container: Option<&str>) -> bool {
        let process = alert.process_chain().first();
        let arguments = process.map(|process| process.arguments.join(" ")).unwrap_or_default();
        let marker = self.marker.clone().unwrap_or_else(|| self.run[1..].join(" "));
        alert.rule == self.rule
            && alert.event().and_then(|event| event.container.as_ref()).map(|id| &*id.0)
                == container
            && arguments.contains(&marker)
    }
}

fn table() -> Vec<Act> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/acts/acts.yaml");
    let text = std::fs::read_to_string(file).expect("the acts");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Copies of BusyBox under the names of the acts' programs, scripts under those of the programs above them, and a socket that
/// is called as an engine's is.
struct StandIns(TempDir, #[allow(dead_code)] UnixListener);

/// Tells an act where the stand-ins are.
const FOLDER: &str = "DEFENDER_TEST_STAND_INS";

impl StandIns {
    fn of(acts: &[Act]) -> Self {
        let folder = tempfile::Builder::new().prefix("acts").tempdir().expect("a directory");
        let everyone = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everyone.clone()).expect("a mode");
        let busybox = folder.path().join("busybox");
        std::fs::copy("/bin/busybox", &busybox).expect("/bin/busybox");
        let programs: BTreeSet<&str> =
            acts.iter().filter_map(program).chain(["true", "chroot", "env"]).collect();
        for name in programs {
            std::fs::hard_link(&busybox, folder.path().join(name)).expect("a link");
        }
        let own = folder.path().join("own");
        std::fs::create_dir(&own).expect("a directory");
        for name in acts.iter().filter_map(|act| act.called.as_ref()) {
            symlink(own_program(), own.join(name)).expect("a link");
        }
        let above: BTreeSet<&String> = acts.iter().flat_map(|act| &act.below).collect();
        for name in above {
            let file = folder.path().join(name);
            // The shell stays, as what it runs is not its last command.
            std::fs::write(&file, "#!/bin/sh\n\"$@\"\n:\n").expect("a script");
            std::fs::set_permissions(&file, everyone.clone()).expect("a mode");
        }
        let engine = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        Self(folder, engine)
    }

    fn mount(&self) -> String {
        format!("--volume={}:/acts:ro", self.0.path().display())
    }
}

fn own_program() -> PathBuf {
    std::env::current_exe().expect("a program")
}

/// A program that stands in under its name.
fn program(act: &Act) -> Option<&str> {
    act.run.first().map(String::as_str).filter(|name| !name.contains('/'))
}

/// What makes a container privileged in the eyes of the rules. `--privileged` asks for every capability, and where the tests
/// themselves lack one, there is no such container.
const PRIVILEGES: [&str; 7] = [
    "--cap-add=SYS_ADMIN",
    "--cap-add=SYS_MODULE",
    "--cap-add=SYS_RAWIO",
    "--cap-add=SYS_BOOT",
    "--cap-add=NET_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--volume=/:/host:ro",
];

/// Where acts are performed.
struct Places {
    stand_ins: StandIns,
    plain: Container,
    privileged: Container,
    image: Container,
}

impl Places {
    fn make(acts: &[Act]) -> Self {
        let stand_ins = StandIns::of(acts);
        let miner = "defender-test/xmrig:1";
        docker(&["tag", image(), miner]);
        let mount = stand_ins.mount();
        Self {
            plain: Container::start(&[&mount]),
            privileged: Container::start(&[&[mount.as_str()], &PRIVILEGES[..]].concat()),
            image: Container::start_image(miner, &[&mount]),
            stand_ins,
        }
    }

    fn container(&self, act: &Act) -> Option<&Container> {
        match act.r#where {
            Place::Container => Some(&self.plain),
            Place::Privileged => Some(&self.privileged),
            Place::Image => Some(&self.image),
            Place::Host => None,
        }
    }

    fn perform(&self, act: &Act) {
        let Some(container) = self.container(act) else { return self.perform_on_host(act) };
        if let Some(script) = &act.prepare {
            container.exec(&["busybox", "sh", "-c", script]);
        }
        let below = act.below.iter().map(|name| format!("/acts/{name}"));
        let begin = match program(act) {
            Some("itself") => {
                let folder = format!("{FOLDER}={}", self.stand_ins.0.path().display());
                let named = |name: &String| self.stand_ins.0.path().join("own").join(name);
                let program = act.called.as_ref().map_or_else(own_program, named);
                let program = program.to_str().expect("a plain path");
                let begin = ["/acts/env", &folder, "/acts/chroot", "/host", program];
                let test = format!("attack_actions::{}", act.run[1]);
                container.attempt("0", &[&begin[..], &["--ignored", "--exact", &test]].concat());
                return;
            }
            Some(name) => format!("/acts/{name}"),
            None => act.run[0].clone(),
        };
        let command: Vec<String> =
            below.chain([begin]).chain(act.run[1..].iter().cloned()).collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        container.attempt(act.user.as_deref().unwrap_or("0"), &command);
    }

    fn perform_on_host(&self, act: &Act) {
        let name = program(act).expect("on the host, copies of BusyBox alone are run");
        let mut command = if name == "itself" {
            let test = format!("attack_actions::{}", act.run[1]);
            let mut command = Command::new(own_program());
            command.args(["--ignored", "--exact", &test]);
            command
        } else {
            let mut command = Command::new(self.stand_ins.0.path().join(name));
            command.args(&act.run[1..]);
            command
        };
        command.env(FOLDER, self.stand_ins.0.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a program");
    }

    fn is_proved(&self, act: &Act, sensor: &Sensor) -> bool {
        let container = self.container(act).map(|container| container.id.as_str());
        sensor.look(|records| alerts(records).any(|alert| act.is_proved_by(alert, container)))
    }
}

#[test]
fn every_act_of_the_table_raises_its_alert() {
    let acts: Vec<Act> = table().into_iter().filter(Act::is_performed).collect();
    assert!(acts.iter().all(|act| !act.run.is_empty()), "an act without a command");
    let sensor = sensor();
    let places = Places::make(&acts);
    for container in [&places.plain, &places.privileged, &places.image] {
        sensor.expect("the container with its image", |records| {
            crate::expect::container(records, &container.id)
                .filter(|container| container.image.is_some())
        });
    }
    for act in &acts {
        places.perform(act);
    }
    let end = Instant::now() + PATIENCE;
    let mut missing: Vec<&Act> = acts.iter().collect();
    while !missing.is_empty() && Instant::now() < end {
        missing.retain(|act| !places.is_proved(act, &sensor));
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = |act: &&Act| format!("{}: {} {:?}", act.rule, act.name, act.run);
    let missing: Vec<String> = missing.iter().map(told).collect();
    println!("{} of {} acts raised their alerts", acts.len() - missing.len(), acts.len());
    assert!(missing.is_empty(), "no alert:\n{}", missing.join("\n"));
}

/// Performed by [`Places::perform`] in a container.
#[test]
#[ignore = "an act, not a test"]
fn the_engine_is_reached() {
    let folder = std::env::var_os(FOLDER).expect("it is performed in a container");
    UnixStream::connect(Path::new(&folder).join("docker.sock")).expect("a connection");
}

/// As well.
#[test]
#[ignore = "an act, not a test"]
fn another_process_is_traced() {
    let mut child = Command::new("sleep").arg("5").spawn().expect("sleep");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    ptrace(libc::PTRACE_ATTACH, pid);
    waitpid(pid, None).expect("it stops");
    ptrace(libc::PTRACE_DETACH, pid);
    child.kill().expect("it runs");
    child.wait().expect("a child");
}

/// As well.
#[test]
#[ignore = "an act, not a test"]
fn a_process_has_itself_traced() {
    let mut command = Command::new("sleep");
    // SAFETY: the request takes no addresses, and the call is one that a forked process may make.
    unsafe {
        command.pre_exec(|| {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            Ok(())
        });
    }
    let mut child = command.arg("5").spawn().expect("sleep");
    child.kill().expect("it runs");
    child.wait().expect("a child");
}

/// As well.
#[test]
#[ignore = "an act, not a test"]
fn a_packet_socket_is_opened() {
    // SAFETY: the call takes no addresses.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    assert!(socket >= 0, "{}", std::io::Error::last_os_error());
}

/// As well, in a network of the container's own.
#[test]
#[ignore = "an act, not a test"]
fn a_web_port_is_used() {
    let address = "127.0.0.1:8080";
    let _listener = TcpListener::bind(address).expect("a free port");
    TcpStream::connect(address).expect("a connection");
}

/// As well, under the name of Java. An address of the container's own stands in for a public one.
#[test]
#[ignore = "an act, not a test"]
fn a_public_directory_is_asked() {
    reach("203.0.113.7:1389");
}

/// As well, under the name of a program that only reads.
#[test]
#[ignore = "an act, not a test"]
fn a_public_address_is_reached() {
    reach("203.0.113.7:443");
}

/// Nobody needs to answer.
fn reach(address: &str) {
    let address = address.parse().expect("an address");
    let _ = TcpStream::connect_timeout(&address, Duration::from_millis(500));
}

/// As well; runs the next as a user.
#[test]
#[ignore = "an act, not a test"]
fn a_user_handles_page_faults() {
    let arguments = ["--ignored", "--exact", "attack_actions::page_faults_are_handled"];
    let status = Command::new("/proc/self/exe").args(arguments).uid(1000).gid(1000).status();
    assert!(status.expect("a program").success());
}

#[test]
#[ignore = "an act, not a test"]
fn page_faults_are_handled() {
    const USER_MODE_ONLY: libc::c_int = 1;
    // SAFETY: the call takes no addresses.
    let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, USER_MODE_ONLY) };
    assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
}

/// Performed on the host: a shell of a user below 1000, at a terminal of its own.
#[test]
#[ignore = "an act, not a test"]
fn a_system_user_works_at_a_terminal() {
    let (mut master, mut terminal) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: the two descriptors are written; name, mode and size are left out.
    let made = unsafe {
        libc::openpty(&raw mut master, &raw mut terminal, none, none.cast(), none.cast())
    };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    let folder = std::env::var_os(FOLDER).expect("it is performed by the test");
    let mut command = Command::new(Path::new(&folder).join("sh"));
    // SAFETY: calls that a forked process may make.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            libc::ioctl(terminal, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    let status = command.args(["-c", ": defender-terminal"]).uid(33).gid(33).status();
    assert!(status.expect("a shell").success());
}
