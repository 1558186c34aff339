//! Acts on files, sockets and the system as rules see them.

use detection::{Engine, EventType, EventTypes, RuleSet, SourceFile};
use rule_cases::Case;

fn engine(condition: &str) -> Engine {
    let condition = condition.replace('\'', "''");
    let text =
        format!("- {{rule: R, desc: d, condition: '{condition}', output: o, priority: INFO}}\n");
    Engine::compile(
        RuleSet::load(&[SourceFile { name: "r.yaml", text: &text }])
            .unwrap_or_else(|error| panic!("{error}")),
    )
}

/// A case by what it adds to a process.
fn case(act: &str) -> Case {
    let text = format!("{{what: an act, process: {{path: /bin/app}}, {act}}}");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(condition: &str, act: &str) -> bool {
    let engine = engine(condition);
    case(act).scene().with_act(true, |act| engine.evaluate(act).next().is_some())
}

fn rendered(field: &str, act: &str) -> String {
    let text = format!(
        "- {{rule: R, desc: d, condition: evt.num = 1, output: '%{field}', priority: INFO}}\n"
    );
    let rules = RuleSet::load(&[SourceFile { name: "r.yaml", text: &text }]);
    let engine = Engine::compile(rules.unwrap_or_else(|error| panic!("{error}")));
    case(act).scene().with_act(true, |act| {
        engine.evaluate(act).next().expect("it holds for any act").message().to_owned()
    })
}

#[track_caller]
fn all_match(act: &str, conditions: &[&str]) {
    for condition in conditions {
        assert!(matches(condition, act), "silent: {condition} for {act}");
    }
}

#[track_caller]
fn none_matches(act: &str, conditions: &[&str]) {
    for condition in conditions {
        assert!(!matches(condition, act), "matches: {condition} for {act}");
    }
}

const OPEN: &str = "file: {act: open, path: /etc/pam.d/su, flags: 577, created: true, mode: 33261}";

#[test]
fn an_open_answers_to_every_call_that_opens() {
    for call in ["open", "openat", "openat2", "creat", "open_by_handle_at"] {
        all_match(OPEN, &[&format!("evt.type = {call}"), &format!("evt.type in (rmdir, {call})")]);
        none_matches(OPEN, &[&format!("evt.type != {call}"), &format!("not evt.type = {call}")]);
    }
    all_match(OPEN, &["evt.type startswith open", "evt.type endswith at2", "evt.type != unlink"]);
    none_matches(OPEN, &["evt.type = read", "evt.type = execve"]);
}

#[test]
fn an_open_s_fields_are_told() {
    all_match(
        OPEN,
        &[
            "evt.is_open_write = true and evt.is_open_read = false",
            "evt.is_open_create = true and evt.is_open_exec = true",
            "fd.name = /etc/pam.d/su and fd.directory = /etc/pam.d and fd.filename = su",
            "fd.typechar = 'f' and fd.type = file and fd.num >= 0",
            "evt.arg.flags contains O_CREAT and evt.arg.mode contains S_IXOTH",
            "evt.arg.name = /etc/pam.d/su and evt.arg.path = /etc/pam.d/su",
            "evt.res = SUCCESS and evt.rawres >= 0 and evt.failed = false",
            "fs.path.name = /etc/pam.d/su and file.path_source = kernel",
            "evt.arg[flags] startswith O_WRONLY",
        ],
    );
    none_matches(OPEN, &["fd.sip exists", "evt.arg.oldpath exists", "fd.typechar = 'd'"]);
    assert_eq!(
        rendered("evt.args", OPEN),
        "name=/etc/pam.d/su flags=O_WRONLY|O_CREAT|O_TRUNC mode=S_IRUSR|S_IWUSR|S_IXUSR|S_IRGRP|S_IXGRP|S_IROTH|S_IXOTH res=SUCCESS"
    );
    let failed = "file: {act: open, path: /etc/shadow, mode: 0, error: 13}";
    all_match(
        failed,
        &["fd.num = -1 and evt.res startswith E and evt.res = EACCES", "evt.failed = true"],
    );
}

#[test]
fn acts_on_two_paths_tell_both() {
    let rename = "file: {act: rename, path: /var/log/a, other_path: /tmp/b}";
    all_match(
        rename,
        &[
            "evt.type = renameat2 and evt.arg.oldpath = /var/log/a and evt.arg.newpath = /tmp/b",
            "fs.path.source = /var/log/a and fs.path.target = /tmp/b",
        ],
    );
    none_matches(rename, &["fs.path.name exists", "fd.name exists"]);
    let link = "file: {act: symlink, path: /tmp/innocent, other_path: /etc/shadow}";
    all_match(
        link,
        &[
            "evt.type = symlinkat and evt.arg.linkpath = /tmp/innocent",
            "evt.arg.target in (/etc/shadow, /etc/sudoers)",
            "fs.path.source = /etc/shadow and fs.path.target = /tmp/innocent",
        ],
    );
}

const CONNECT: &str =
    "network: {act: connect, local: '10.0.0.7:40000', remote: '203.0.113.9:443', protocol: 6}";

#[test]
fn a_connection_s_ends_are_told_by_their_roles() {
    all_match(
        CONNECT,
        &[
            "fd.name = '10.0.0.7:40000->203.0.113.9:443' and fd.typechar = 4 and fd.type = ipv4",
            "fd.cip = 10.0.0.7 and fd.lip = 10.0.0.7 and fd.cport = 40000 and fd.lport = 40000",
            "fd.sip = 203.0.113.9 and fd.rip = 203.0.113.9 and fd.sport = 443 and fd.rport = 443",
            "fd.ip = 10.0.0.7 and fd.ip = 203.0.113.9 and fd.port = 443 and fd.port = 40000",
            "fd.l4proto = tcp and fd.sockfamily = ip and fd.sproto = https",
            "evt.res = EINPROGRESS and evt.rawres = -115 and evt.failed = false",
        ],
    );
    none_matches(CONNECT, &["fd.ip != 10.0.0.7", "fd.port != 443", "fd.connected exists"]);
    let accept =
        "network: {act: accept, local: '10.0.0.7:80', remote: '[2001:db8::1]:5555', error: 0}";
    all_match(
        accept,
        &[
            "evt.type = accept4 and fd.cip = 2001:db8::1 and fd.sport = 80 and fd.lport = 80",
            "fd.rport = 5555 and fd.connected = true and evt.rawres >= 0",
        ],
    );
}

#[test]
fn addresses_are_compared_with_networks() {
    all_match(
        CONNECT,
        &[
            "fd.snet in (203.0.113.0/24, 10.0.0.0/8)",
            "fd.net = 10.0.0.0/8",
            "fd.net != 127.0.0.0/8",
            "not fd.snet in (10.0.0.0/8, 172.16.0.0/12)",
            "fd.sip exists",
        ],
    );
    none_matches(CONNECT, &["fd.snet in (10.0.0.0/8)", "fd.net != 10.0.0.0/8", "fd.sip = ::1"]);
    let mapped = "network: {act: connect, remote: '[::ffff:10.1.2.3]:22'}";
    all_match(mapped, &["fd.rnet in (10.0.0.0/8)", "fd.rip = 10.1.2.3"]);
}

#[test]
fn a_value_that_is_no_address_is_an_error() {
    let text = "- {rule: R, desc: d, condition: fd.sip = example.com, output: o, priority: INFO}\n";
    let error = RuleSet::load(&[SourceFile { name: "r.yaml", text }]).unwrap_err().to_string();
    assert!(error.contains("neither an address nor a network"), "{error}");
}

#[test]
fn datagrams_and_unix_sockets_are_told_too() {
    let sent = "network: {act: datagram, remote: '198.51.100.1:9', socket_type: 2, inbound: false, bytes_sent: 70}";
    all_match(
        sent,
        &[
            "evt.type in (sendto, sendmsg) and fd.l4proto != tcp and fd.connected = false and fd.name_changed = true",
            "fd.sport = 9 and net.bytes_sent = 70 and net.bytes > 69 and net.inbound = false",
        ],
    );
    none_matches(sent, &["evt.type = recvfrom"]);
    let received =
        "network: {act: datagram, remote: '198.51.100.1:9', socket_type: 2, inbound: true}";
    all_match(received, &["evt.type in (recvfrom, recvmsg) and fd.cport = 9"]);
    let unix = "network: {act: connect, path: /run/docker.sock}";
    all_match(unix, &["fd.name = /run/docker.sock and fd.type = unix and fd.typechar = u"]);
    let packet = "network: {act: socket, family: 17, socket_type: 3, protocol: 768}";
    all_match(packet, &["evt.arg.domain contains AF_PACKET and evt.arg.type = SOCK_RAW"]);
}

#[test]
fn names_of_the_domain_name_system_are_told() {
    let question = "dns: {names: [pool.example.org]}";
    all_match(
        question,
        &[
            "evt.type = dns and dns.question.name endswith .example.org and dns.response = false",
            "dns.question.name in (pool.example.org, b) and fd.sport = 53 and dns.server = 10.96.0.10",
        ],
    );
    none_matches(question, &["dns.answer exists", "dns.code = 0"]);
    let two = "dns: {names: [a.example, b.example], answers: [192.0.2.1]}";
    all_match(
        two,
        &[
            "dns.question.name = b.example and dns.question.name intersects (b.example)",
            "dns.answer = 192.0.2.1 and dns.code = 0 and dns.response = true",
        ],
    );
    none_matches(two, &["dns.question.name in (a.example)", "dns.question.name != a.example"]);
    let named = format!("{CONNECT}, remote_name: pool.example.org");
    all_match(&named, &["fd.sip.name = pool.example.org and fd.rip.name endswith org"]);
    none_matches(&named, &["fd.cip.name exists", "fd.lip.name exists"]);
    none_matches(CONNECT, &["fd.sip.name exists", "fd.sip.name != x"]);
}

#[test]
fn system_calls_are_told_with_their_arguments() {
    let ptrace = "system: {act: ptrace, arguments: {request: PTRACE_ATTACH, pid: '7'}, target: 7, result: 0}";
    all_match(
        ptrace,
        &[
            "evt.type = ptrace and evt.arg.request contains PTRACE_ATTACH and target.pid = 7",
            "evt.arg[pid] = 7 and evt.args = 'pid=7 request=PTRACE_ATTACH'",
        ],
    );
    let setuid = "system: {act: setuid, arguments: {uid: '0'}, result: 0}";
    all_match(setuid, &["evt.type = setresuid and evt.arg.uid = root"]);
    let dup =
        "system: {act: dup, arguments: {local: '10.0.0.7:4', remote: '192.0.2.1:4444'}, result: 1}";
    all_match(
        dup,
        &[
            "evt.type = dup3 and evt.rawres in (0, 1, 2) and fd.type in ('ipv4', 'ipv6') and fd.num = 1",
        ],
    );
    let unknown = "system: {act: setns}";
    none_matches(unknown, &["evt.res exists", "evt.rawres != 1", "evt.failed = false"]);
}

#[test]
fn what_nobody_tells_blinds_a_rule_and_never_matches() {
    for condition in
        ["fd.nameraw contains ../", "evt.buffer bcontains cafebabe", "proc.sname = bash"]
    {
        assert!(!matches(condition, OPEN) && !matches(condition, ""), "{condition}");
        let blind = engine(condition).blind_rules(EventType::is_seen);
        assert_eq!(blind.len(), 1, "{condition}");
        assert!(blind[0].reason.contains("which no sensor tells"), "{}", blind[0].reason);
    }
}

/// The names of the types that a condition needs.
fn wanted(condition: &str) -> Vec<&'static str> {
    let engine = engine(condition);
    EventType::seen().filter(|wanted| engine.wants(*wanted)).map(EventType::name).collect()
}

#[test]
fn a_rule_wants_the_acts_that_it_asks_for_or_whose_fields_it_compares() {
    assert_eq!(wanted("evt.type in (open, openat) and fd.name = /etc/shadow"), ["open"]);
    assert_eq!(wanted("evt.is_open_write = true"), ["open"]);
    assert_eq!(wanted("dns.question.name = x or evt.type = chmod"), ["dns", "chmod"]);
    assert_eq!(wanted("fs.path.target = /x"), ["rename", "link", "symlink", "mount", "move_mount"]);
    assert_eq!(wanted("proc.name = nc"), [] as [&str; 0], "whatever it does");
    assert_eq!(wanted("proc.name = nc or fd.filename = x"), ["open"]);
    assert_eq!(wanted("evt.type != execve and proc.name = nc"), [] as [&str; 0]);
    assert_eq!(wanted("evt.type = read"), [] as [&str; 0]);
    let engine = engine("evt.type = execve and fd.name = x");
    assert_eq!(*engine.event_types(), EventTypes::none(), "an exec has no descriptor");
}

/// Patterns of what a condition wants to be told: opens to read, then all else.
fn paths(condition: &str) -> (Vec<String>, Vec<String>) {
    let engine = engine(condition);
    let wanted = engine.wanted_paths();
    (wanted.read.iter().cloned().collect(), wanted.write.iter().cloned().collect())
}

#[test]
fn the_files_that_a_rule_can_match_are_known_before() {
    let none: Vec<String> = vec![];
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let read = "evt.type = open and evt.is_open_read = true and evt.is_open_write = false";
    assert_eq!(
        paths(&format!("{read} and fd.name in (/etc/shadow, /opt/key)")),
        (owned(&["/etc/shadow", "/opt/key"]), none.clone())
    );
    assert_eq!(
        paths("evt.is_open_write = true and (fd.name startswith /srv/da or fd.directory = /etc/x)"),
        (none.clone(), owned(&["/etc/x/", "/srv/"]))
    );
    assert_eq!(
        paths("evt.type = open and fd.name pmatch (/usr/bin) and proc.name = x"),
        (owned(&["/usr/bin", "/usr/bin/"]), owned(&["/usr/bin", "/usr/bin/"]))
    );
    assert_eq!(paths("evt.type = unlink and fs.path.name endswith /.history").1, ["**/.history"]);
    assert_eq!(paths("evt.type = open and fd.filename = core_pattern").0, ["**/core_pattern"]);
    assert_eq!(paths("evt.type = ptrace and proc.name = x"), (none.clone(), none.clone()));
    assert_eq!(paths("evt.type = open and target.is_sensor = true"), (none.clone(), none.clone()));
    for unbounded in [
        "fd.name contains x",
        "not fd.name = /x",
        "fd.name endswith .so",
        "fd.name = x*",
        "target.is_sensor = false",
    ] {
        let engine = engine(&format!("evt.type = open and {unbounded}"));
        assert_eq!(engine.wanted_paths().unbounded, ["R"], "{unbounded}");
    }
    let engine = engine("proc.name = nc");
    assert!(engine.wanted_paths().unbounded.is_empty(), "it needs no act on a file");
}

#[test]
fn the_environment_of_a_program_is_told_where_it_begins() {
    let environment =
        "environment: ['PATH=/bin', 'GLIBC_TUNABLES=glibc.malloc.x=1', 'EMPTY=', 'A=b=c d']";
    all_match(
        environment,
        &[
            "evt.type = execve and proc.env contains \"GLIBC_TUNABLES=\"",
            "proc.env[PATH] = /bin and proc.env[A] = \"b=c d\" and proc.env[EMPTY] = \"\"",
            "proc.env = \"PATH=/bin GLIBC_TUNABLES=glibc.malloc.x=1 EMPTY= A=b=c d\"",
            "not proc.env[HOME] exists",
        ],
    );
    none_matches(environment, &["proc.env[PAT] exists", "proc.env[path] exists"]);
    assert!(engine("proc.env contains x").wants_environment());
    assert!(!engine("proc.name = x").wants_environment());
    assert_eq!(wanted("proc.env contains x"), ["execve"]);
}

#[test]
fn the_values_of_an_environment_are_no_evidence() {
    let case: Case = serde_saphyr::from_str(
        "{what: a test, process: {path: /bin/a}, environment: ['TOKEN=secret', 'PATH=/bin']}",
    )
    .expect("a case");
    let engine = engine("proc.env contains TOKEN and proc.env[TOKEN] startswith se");
    let evidence = case.scene().with_act(true, |act| {
        let matched = engine.evaluate(act).next().expect("it matches");
        format!("{:?}", matched.matched_fields())
    });
    assert!(evidence.contains("TOKEN PATH") && !evidence.contains("secret"), "{evidence}");
}

#[test]
fn a_process_group_is_compared_with_the_process() {
    let act = |group| {
        let case: Case =
            serde_saphyr::from_str("{what: a test, process: {path: /bin/a}}").expect("a case");
        case.scene().with_act(true, |act| {
            let process = event_model::Process { process_group: group, ..act.process.clone() };
            let act = detection::Act { process: &process, ..*act };
            ["proc.is_vpgid_leader = true", "proc.vpgid = 42", "proc.vpgid exists"]
                .map(|condition| engine(condition).evaluate(&act).next().is_some())
        })
    };
    assert_eq!(act(42), [true, true, true], "its own id is 42");
    assert_eq!(act(7), [false, false, true]);
    assert_eq!(act(0), [false, false, false], "it is not known");
}
