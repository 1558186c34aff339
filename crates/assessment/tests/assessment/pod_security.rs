use crate::cluster::Cluster;
use event_model::FindingSeverity;

const RESTRICTED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - {name: web, image: a, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
";

fn namespace(labels: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {{{labels}}}}}}}\n")
}

fn cluster(labels: &str, workload: &str) -> Cluster {
    Cluster::of(&[&namespace(labels), workload].join("---\n"))
}

#[test]
fn a_namespace_that_enforces_nothing_is_told_what_it_could() {
    let finding = cluster("", RESTRICTED).only("pod-security-not-enforced");
    assert_eq!(finding.severity, FindingSeverity::Medium);
    assert!(finding.message.contains("enforce=restricted"), "{}", finding.message);
    let baseline = RESTRICTED.replace("drop: [ALL]", "add: [CHOWN]");
    let finding = cluster("", &baseline).only("pod-security-not-enforced");
    assert!(finding.message.contains("enforce=baseline"), "{}", finding.message);
    assert!(finding.evidence[1].contains("capabilities not dropped"), "{:?}", finding.evidence);
    let privileged = RESTRICTED.replace("containers:", "hostNetwork: true\n      containers:");
    let finding = cluster("", &privileged).only("pod-security-not-enforced");
    assert_eq!(finding.severity, FindingSeverity::Low);
    assert!(
        finding.evidence[1].ends_with("does not meet baseline: host namespaces"),
        "{:?}",
        finding.evidence
    );
}

#[test]
fn a_namespace_is_told_that_it_could_be_stricter_or_is_too_strict_already() {
    let enforces = |level: &str| format!("pod-security.kubernetes.io/enforce: {level}");
    assert_eq!(
        cluster(&enforces("baseline"), RESTRICTED).found("pod-security-could-be-stricter"),
        ["Namespace shop"]
    );
    let privileged = RESTRICTED.replace("allowPrivilegeEscalation: false", "privileged: true");
    let finding = cluster(&enforces("restricted"), &privileged).only("pod-security-level-broken");
    assert!(
        finding.evidence[1].contains("privileged containers, privilege escalation"),
        "{:?}",
        finding.evidence
    );
    let settled = cluster(&enforces("restricted"), RESTRICTED).settled();
    assert!(settled.iter().all(|one| !one.policy.starts_with("pod-security")), "{settled:#?}");
}

#[test]
fn a_label_that_names_no_level_is_told_and_counts_as_restricted() {
    let mut cluster = cluster(
        "pod-security.kubernetes.io/enforce: strict, pod-security.kubernetes.io/enforce-version: '1.30'",
        RESTRICTED,
    );
    let finding = cluster.only("pod-security-wrong-label");
    assert!(
        finding.message.contains("enforce: strict")
            && finding.message.contains("enforce-version: 1.30"),
        "{}",
        finding.message
    );
    assert_eq!(cluster.found("pod-security-not-enforced"), [""; 0]);
}

#[test]
fn each_control_of_the_standards_is_looked_at() {
    for (control, level, from, to) in [
        (
            "HostProcess",
            "baseline",
            "runAsNonRoot: true",
            "runAsNonRoot: true, windowsOptions: {hostProcess: true}",
        ),
        ("host namespaces", "baseline", "containers:", "hostIPC: true\n      containers:"),
        (
            "capabilities beyond the default",
            "baseline",
            "drop: [ALL]",
            "drop: [ALL], add: [NET_ADMIN]",
        ),
        (
            "HostPath volumes",
            "baseline",
            "containers:",
            "volumes: [{name: a, hostPath: {path: /}}]\n      containers:",
        ),
        (
            "host ports",
            "baseline",
            "image: a",
            "image: a, ports: [{containerPort: 80, hostPort: 80}]",
        ),
        (
            "host of probes and hooks",
            "baseline",
            "image: a",
            "image: a, livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}",
        ),
        (
            "AppArmor",
            "baseline",
            "runAsNonRoot: true",
            "runAsNonRoot: true, appArmorProfile: {type: Unconfined}",
        ),
        (
            "SELinux",
            "baseline",
            "runAsNonRoot: true",
            "runAsNonRoot: true, seLinuxOptions: {type: spc_t}",
        ),
        ("/proc mount type", "baseline", "drop: [ALL]}", "drop: [ALL]}, procMount: Unmasked"),
        ("seccomp unconfined", "baseline", "RuntimeDefault", "Unconfined"),
        (
            "sysctls",
            "baseline",
            "runAsNonRoot: true",
            "runAsNonRoot: true, sysctls: [{name: kernel.msgmax, value: '1'}]",
        ),
        (
            "volume types",
            "restricted",
            "containers:",
            "volumes: [{name: a, nfs: {server: a, path: /}}]\n      containers:",
        ),
        ("running as non-root", "restricted", "runAsNonRoot: true", "runAsNonRoot: false"),
        (
            "running as non-root user",
            "restricted",
            "runAsNonRoot: true",
            "runAsNonRoot: true, runAsUser: 0",
        ),
        ("seccomp profile", "restricted", ", seccompProfile: {type: RuntimeDefault}", ""),
    ] {
        let workload = RESTRICTED.replace(from, to);
        assert_ne!(workload, RESTRICTED, "{control}");
        let finding = cluster("pod-security.kubernetes.io/enforce: restricted", &workload)
            .only("pod-security-level-broken");
        let names = finding.evidence[1].split(": ").nth(1).unwrap();
        assert!(
            names.split(", ").any(|name| name == control),
            "{control}: {}",
            finding.evidence[1]
        );
        let needed = if level == "baseline" { "need privileged" } else { "need baseline" };
        assert!(finding.message.contains(needed), "{control}: {}", finding.message);
    }
}
