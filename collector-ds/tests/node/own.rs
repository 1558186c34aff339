//! What is done to the sensor itself raises alerts, by the rules that are shipped.

use crate::acts::sensor;
use crate::expect::{alerts, kind_of};
use crate::sensor::{Node, Sensor, status, unique};
use event_model::{Alert, EventKind, FileAct, SystemAct};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde_json::json;
use std::fs;
use std::process::Command;

const TRACED: &str = "Sensor killed or traced";
const CHANGED: &str = "Sensor's files changed";
const TOUCHED: &str = "Sensor's kernel programs touched";

fn pid(sensor: &Sensor) -> u32 {
    sensor.process.0.id()
}

fn shell(command: &str) {
    let ended = Command::new("sh").args(["-c", command]).status().expect("a shell");
    assert!(ended.success(), "{command}: {ended}");
}

fn is_system(alert: &Alert, act: SystemAct, argument: &str, value: &str) -> bool {
    matches!(kind_of(alert), EventKind::System(event)
        if event.act == act && event.argument(argument) == Some(value))
}

fn is_file(alert: &Alert, act: FileAct, path: &std::path::Path) -> bool {
    matches!(kind_of(alert), EventKind::File(event)
        if event.act == act && path.to_str() == Some(&event.path))
}

/// Alerts of the sensor's own rules.
fn own_alerts(sensor: &Sensor) -> Vec<String> {
    sensor.look(|records| {
        let own =
            alerts(records).filter(|alert| [TRACED, CHANGED, TOUCHED].contains(&&*alert.rule));
        own.map(|alert| format!("{}: {}", alert.rule, alert.message)).collect()
    })
}

#[test]
fn a_signal_that_stops_it_is_told_when_it_runs_again_and_one_that_ends_it_before_it_ends() {
    let mut sensor = sensor();
    assert_eq!(own_alerts(&sensor), [""; 0], "nobody did anything to it");
    let pid = pid(&sensor);
    shell(&format!("kill -STOP {pid}; kill -CONT {pid}"));
    let alert =
        sensor.expect_alert(TRACED, |alert| is_system(alert, SystemAct::Kill, "sig", "SIGSTOP"));
    let EventKind::System(event) = kind_of(&alert) else { panic!("{alert:?}") };
    assert_eq!(event.target.expect("a target").key.pid, pid);
    assert!(alert.message.contains("signal=SIGSTOP"), "{}", alert.message);

    let marker = unique("term");
    shell(&format!("kill -TERM {pid} # {marker}"));
    assert!(sensor.process.wait().success(), "{}", sensor.node.log());
    sensor.expect_alert(TRACED, |alert| {
        is_system(alert, SystemAct::Kill, "sig", "SIGTERM") && alert.message.contains(&marker)
    });
}

#[test]
fn a_debugger_and_who_reads_writes_or_takes_what_it_has_are_told() {
    let sensor = sensor();
    let target = Pid::from_raw(pid(&sensor).cast_signed());
    ptrace(libc::PTRACE_ATTACH, target);
    waitpid(target, None).expect("it stops");
    ptrace(libc::PTRACE_DETACH, target);
    sensor.expect_alert(TRACED, |alert| {
        is_system(alert, SystemAct::Ptrace, "request", "PTRACE_ATTACH")
    });

    let address = stack_of(&sensor);
    let mut word = 0_u64;
    let mut local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: 8 };
    // SAFETY: both vectors name eight bytes; of the sensor's memory what it held is written back.
    let (read, written) = unsafe {
        let read =
            libc::process_vm_readv(target.as_raw(), &raw mut local, 1, &raw const remote, 1, 0);
        (
            read,
            libc::process_vm_writev(target.as_raw(), &raw const local, 1, &raw const remote, 1, 0),
        )
    };
    assert_eq!((read, written), (8, 8), "{}", std::io::Error::last_os_error());
    take_descriptor(target, 2);
    let taken = [SystemAct::ProcessVmReadv, SystemAct::ProcessVmWritev, SystemAct::PidfdGetfd];
    for act in taken {
        sensor.expect_alert(TRACED, |alert| is_system(alert, act, "pid", &target.to_string()));
    }
}

/// Takes a descriptor of a process, as somebody does who wants its programs and maps in the kernel.
fn take_descriptor(target: Pid, wanted: libc::c_int) {
    // SAFETY: plain numbers; both descriptors are new, and nobody else's.
    let taken = unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, target.as_raw(), 0);
        let taken = libc::syscall(libc::SYS_pidfd_getfd, process, wanted, 0);
        for descriptor in [process, taken] {
            libc::close(i32::try_from(descriptor).expect("a descriptor"));
        }
        taken
    };
    assert!(taken >= 0, "descriptor {wanted} of process {target} can't be taken");
}

/// Of a request that takes no addresses.
pub fn ptrace(request: libc::c_uint, target: Pid) {
    // SAFETY: these requests take no addresses.
    let result = unsafe { libc::ptrace(request, target.as_raw(), 0, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// An address that nothing uses: the lowest of the first thread's stack.
fn stack_of(sensor: &Sensor) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", pid(sensor))).expect("its maps");
    let line = maps.lines().find(|line| line.ends_with("[stack]")).expect("a stack");
    let begin = line.split('-').next().expect("an address");
    usize::from_str_radix(begin, 16).expect("a number")
}

#[test]
fn its_memory_is_opened_by_no_one_unseen_and_what_ps_and_lsof_read_by_everyone() {
    let sensor = sensor();
    let pid = pid(&sensor);
    let everyday = ["status", "stat", "cmdline", "environ", "maps"];
    let everyday = everyday.map(|name| format!("/proc/{pid}/{name}")).join(" ");
    shell(&format!("cat {everyday} > /dev/null; head -c 0 /proc/{pid}/task/{pid}/mem"));
    let memory = format!("/proc/{pid}/task/{pid}/mem");
    let alert = sensor.expect_alert(TRACED, |alert| is_file(alert, FileAct::Open, memory.as_ref()));
    assert!(alert.message.contains(&format!("file={memory}")), "{}", alert.message);
    let own = own_alerts(&sensor);
    assert!(own.iter().all(|told| told.contains(&format!("file={memory}"))), "{own:?}");
}

#[test]
fn its_files_are_changed_by_no_one_unseen() {
    let sensor = sensor();
    let path = |name: &str| sensor.node.path(name).canonicalize().expect("a file");
    let (rules, config) = (path("rules"), path("collector-ds.yaml"));
    let (rule, socket) = (path("rules/files.yaml"), path("publisher.sock"));
    shell(&format!(
        "cat {rule} > /dev/null; touch {other}; echo '# nothing' >> {rule}; \
         mv {config} {config}.old; mv {config}.old {config}; chmod 600 {socket}; \
         rm {rules}/system.yaml; mount -t tmpfs none {rules}; umount {rules}",
        rule = rule.display(),
        other = sensor.node.path("other").display(),
        config = config.display(),
        socket = socket.display(),
        rules = rules.display(),
    ));
    let changed = |act: FileAct, path: &std::path::Path| {
        sensor.expect_alert(CHANGED, |alert| is_file(alert, act, path));
    };
    changed(FileAct::Open, &rule);
    changed(FileAct::Rename, &config);
    changed(FileAct::Chmod, &socket);
    changed(FileAct::Unlink, &rules.join("system.yaml"));
    changed(FileAct::Mount, &rules);
    changed(FileAct::Umount, &rules);
    let told = own_alerts(&sensor);
    let other = format!("file={}", sensor.node.path("other").display());
    assert_eq!(told.iter().find(|told| told.contains(&other)), None);
}

/// A command of bpf(2) with attributes of 16 numbers.
fn bpf(command: libc::c_long, attributes: &[u32; 32]) -> i32 {
    // SAFETY: the kernel reads so many bytes, and nothing that they point to but what callers keep.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size_of_val(attributes))
    };
    let error = std::io::Error::last_os_error();
    assert!(result >= 0, "command {command} of bpf: {error}");
    i32::try_from(result).expect("a descriptor")
}

fn first(words: &[u32]) -> [u32; 32] {
    let mut attributes = [0; 32];
    attributes[..words.len()].copy_from_slice(words);
    attributes
}

/// What the kernel tells of the sensor's descriptors, one text each.
fn descriptors(sensor: &Sensor) -> Vec<String> {
    let folder = format!("/proc/{}/fdinfo", pid(sensor));
    let entries = fs::read_dir(folder).expect("its descriptors").flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
}

fn value(text: &str, name: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().parse().ok()
}

#[test]
fn its_programs_and_maps_in_the_kernel_are_touched_by_no_one_unseen() {
    let sensor = sensor();
    let texts = descriptors(&sensor);
    let find = |name: &str| texts.iter().find_map(|text| value(text, name)).expect(name);
    let counters = texts
        .iter()
        .find(|text| {
            // BPF_MAP_TYPE_PERCPU_ARRAY of counters.
            value(text, "map_type") == Some(6) && value(text, "value_size") == Some(8)
        })
        .expect("its counters");
    let (map, link, program) =
        (value(counters, "map_id").expect("an id"), find("link_id"), find("prog_id"));
    bpf(13, &first(&[program]));
    bpf(30, &first(&[link]));
    let descriptor = bpf(14, &first(&[map]));
    // Place 0 counts nothing.
    let (key, values) = (0_u32, [0_u64; 1024]);
    let halves = |address: usize| -> [u32; 2] {
        let bytes = address.to_ne_bytes();
        [0, 4].map(|at| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes")))
    };
    let ([key_low, key_high], [low, high]) =
        (halves((&raw const key).addr()), halves(values.as_ptr().addr()));
    bpf(2, &first(&[descriptor.cast_unsigned(), 0, key_low, key_high, low, high]));
    let touched = |command: &str, argument: &str, id: u32| {
        let alert =
            sensor.expect_alert(TOUCHED, |alert| is_system(alert, SystemAct::Bpf, "cmd", command));
        assert!(is_system(&alert, SystemAct::Bpf, argument, &id.to_string()), "{}", alert.message);
    };
    touched("BPF_PROG_GET_FD_BY_ID", "prog_id", program);
    touched("BPF_LINK_GET_FD_BY_ID", "link_id", link);
    touched("BPF_MAP_GET_FD_BY_ID", "map_id", map);
    touched("BPF_MAP_UPDATE_ELEM", "map_id", map);
}

#[test]
fn its_next_run_tells_that_it_was_killed() {
    let mut node = Node::new();
    node.more.insert("audit".to_owned(), json!({ "state_directory": node.path("state") }));
    let mut sensor = Sensor::start_on(node);
    let problems = |sensor: &Sensor| {
        sensor.expect("a status", |records| {
            status(records).filter(|status| !status.probes.is_empty())
        })
    };
    let told = |sensor: &Sensor| {
        let all = problems(sensor).problems;
        all.into_iter().find(|problem| problem.contains("did not end in good order"))
    };
    assert_eq!(told(&sensor), None);
    let first = pid(&sensor);
    shell(&format!("kill -KILL {first}"));
    sensor.process.wait();
    let again = |sensor: Sensor| {
        let Sensor { node, mut publisher, process } = sensor;
        publisher.stop();
        drop(process);
        Sensor::start_on(node)
    };
    let mut sensor = again(sensor);
    let problem = told(&sensor).expect("the first run was killed");
    assert!(problem.contains(&format!("process {first} ")), "{problem}");
    sensor.process.terminate();
    assert_eq!(told(&again(sensor)), None);
}

#[test]
fn other_processes_and_another_sensors_start_raise_no_alert() {
    let sensor = sensor();
    shell("sleep 100 & kill -TERM $!; cat /proc/$$/environ > /dev/null");
    let other = Node::new();
    let mut second = other.start();
    crate::expect::wait_for(
        "another sensor at work",
        || other.ask("/readyz").filter(|answer| answer.contains("[+]probes")),
        || other.log(),
    );
    kill(Pid::from_raw(second.0.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    second.wait();
    let marker = unique("marker");
    Command::new("/bin/true").arg(&marker).status().expect("true");
    sensor.expect_exec(&["/bin/true", &marker]);
    assert_eq!(own_alerts(&sensor), [""; 0]);
}
