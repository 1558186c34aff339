//! What an assessment of a large cluster costs: memory, and time of the processor. `cargo run --release -p assessment --example large_cluster`

use assessment::{Assessment, AssessmentSettings};
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts the bytes that are asked for and not given back.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator, with its own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller keeps the trait's contract, which is the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NAMESPACES: usize = 3_000;
const WORKLOADS: usize = 8_000;
const SERVICES: usize = 10_000;
const ROLES: usize = 2_500;
const PODS: usize = 150_000;

fn metadata(number: usize, name: &str, kind: &str) -> Value {
    let namespace = format!("team-{}", number % NAMESPACES);
    json!({"name": name, "namespace": namespace, "uid": uid(&format!("{kind}/{name}")), "resourceVersion": number.to_string(),
        "creationTimestamp": "2026-01-01T00:00:00Z"})
}

fn uid(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_01b3_0000_0000_01b3)
    });
    let hex = format!("{hash:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A Deployment such as many are, with a name and an image of its own beside a proxy that all have, and one of some hundred ways to set what policies read.
fn deployment(number: usize) -> Value {
    let name = format!("service-{number}");
    let environment: Vec<_> = (0..20)
        .map(|setting| json!({"name": format!("SETTING_{setting}"), "value": format!("{number}-{setting}")}))
        .collect();
    let hardened = number.is_multiple_of(3);
    let container = |part: &str, image: &str| {
        json!({"name": part, "image": image, "env": environment,
            "resources": {"requests": {"cpu": "100m", "memory": format!("{}Mi", 64 + number % 50)}, "limits": {"cpu": "1", "memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": !hardened, "runAsUser": 1000 + number % 20, "capabilities": {"drop": if hardened { vec!["ALL"] } else { vec![] }}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "config", "mountPath": "/etc/app", "readOnly": true}]})
    };
    json!({"metadata": metadata(number, &name, "workload"), "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": name, "tier": "web"}},
        "spec": {"serviceAccountName": format!("account-{number}"), "containers": [container(&name, &format!("registry.example.com/team/{name}:1.{}.2", number % 40)), container("proxy", "registry.example.com/mesh/proxy:1.20.1")],
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "config", "configMap": {"name": name}}]}}}})
}

fn service(number: usize) -> Value {
    let kind = match number % 50 {
        0 => "LoadBalancer",
        1 => "NodePort",
        _ => "ClusterIP",
    };
    json!({"metadata": metadata(number, &format!("service-{number}"), "Service"), "spec": {"type": kind, "selector": {"app": format!("service-{number}")},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

fn role(number: usize) -> Value {
    let rule = match number % 10 {
        0 => json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}),
        1 => {
            json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "patch"]})
        }
        2 => json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}),
        _ => {
            json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]})
        }
    };
    json!({"metadata": metadata(number, &format!("role-{number}"), "Role"), "rules": [rule]})
}

fn role_binding(number: usize) -> Value {
    let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("role-{number}")});
    json!({"metadata": metadata(number, &format!("binding-{number}"), "RoleBinding"), "roleRef": reference,
        "subjects": [{"kind": "ServiceAccount", "name": format!("account-{number}")}, {"kind": "User", "name": format!("user-{}@example.com", number % 300), "apiGroup": "rbac.authorization.k8s.io"}]})
}

fn admin_binding(number: usize) -> Value {
    let mut binding = role_binding(number * 7);
    binding["metadata"] =
        json!({"name": format!("admin-{number}"), "uid": uid(&format!("admin-{number}"))});
    binding["roleRef"] = json!({"kind": "ClusterRole", "name": "cluster-admin"});
    binding
}

fn namespace(number: usize) -> Value {
    let name = format!("team-{number}");
    let labels = if number.is_multiple_of(2) {
        json!({"pod-security.kubernetes.io/enforce": "baseline"})
    } else {
        json!({})
    };
    json!({"metadata": {"name": name, "uid": uid(&name), "labels": labels}})
}

fn pod(number: usize) -> String {
    let name = format!("service-{}-{number}", number % WORKLOADS);
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "b", "controller": true}]);
    let uid = uid(&format!("Pod/{name}"));
    let metadata = format!(
        r#"{{"name":"{name}","namespace":"team-1","uid":"{uid}","ownerReferences":{owner}}}"#
    );
    let spec = &deployment(number % WORKLOADS)["spec"]["template"]["spec"];
    // In the order in which API servers write.
    format!("{{\"metadata\":{metadata},\"spec\":{spec},\"status\":{{\"phase\":\"Running\"}}}}")
}

/// How long this thread has been on a processor: what others take of the machine does not count.
fn on_processor() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

struct Cluster {
    assessment: Assessment,
    spent: Duration,
}

impl Cluster {
    fn feed(
        &mut self,
        api_version: &str,
        kind: &str,
        count: usize,
        make: impl Fn(usize) -> String,
    ) {
        let (before, held) = (self.spent, HELD.load(Relaxed));
        for number in 0..count {
            let object = make(number);
            let begin = on_processor();
            self.assessment.apply(api_version, kind, object.as_bytes());
            self.spent += on_processor().saturating_sub(begin);
        }
        let spent = self.spent.saturating_sub(before);
        let each = spent / u32::try_from(count).unwrap_or(1).max(1);
        let grown = HELD.load(Relaxed).saturating_sub(held);
        println!("{count:>7} {kind:<20} {:>9.1?} {each:>9.1?} each {:>6} KiB", spent, grown >> 10);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begin = HELD.load(Relaxed);
    let assessment = Assessment::new(&AssessmentSettings::default(), None)?;
    println!("policies: {} KiB", (HELD.load(Relaxed) - begin) >> 10);
    let mut cluster = Cluster { assessment, spent: Duration::ZERO };
    let text = |make: fn(usize) -> Value| move |number: usize| make(number).to_string();
    let rbac = "rbac.authorization.k8s.io/v1";
    cluster.feed("v1", "Namespace", NAMESPACES, text(namespace));
    cluster.feed("apps/v1", "Deployment", WORKLOADS, text(deployment));
    cluster.feed("v1", "Service", SERVICES, text(service));
    cluster.feed(rbac, "Role", ROLES, text(role));
    cluster.feed(rbac, "RoleBinding", ROLES, text(role_binding));
    cluster.feed(rbac, "ClusterRoleBinding", 20, text(admin_binding));
    let admin = json!({"metadata": {"name": "cluster-admin", "uid": uid("cluster-admin")}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    cluster.feed(rbac, "ClusterRole", 1, |_| admin.to_string());
    cluster.feed("v1", "Pod", PODS, pod);
    let (mut now, mut told, mut calls) = (Instant::now(), 0, 0);
    let begin_settle = on_processor();
    loop {
        let begin = on_processor();
        let changes = cluster.assessment.settle(now);
        let took = on_processor().saturating_sub(begin);
        calls += 1;
        told += changes.len();
        if took > Duration::from_millis(20) {
            println!("a settle of {} took {took:?}", changes.len());
        }
        if !changes.more {
            break;
        }
        now += Duration::from_millis(1);
    }
    println!(
        "{told} findings told in {calls} calls, {:?}",
        on_processor().saturating_sub(begin_settle)
    );
    let held = HELD.load(Relaxed) - begin;
    println!(
        "held: {} KiB; most until now: {} KiB",
        held >> 10,
        (PEAK.load(Relaxed) - begin) >> 10
    );
    let begin_all = on_processor();
    let (mut all, mut unanswered) = (0, None);
    cluster.assessment.tell_all(&mut |finding| {
        all += 1;
        if finding.policy == "policy-unanswered" {
            unanswered = Some(finding);
        }
    });
    println!(
        "a snapshot of {all}: {:?}; most until now: {} KiB",
        on_processor().saturating_sub(begin_all),
        (PEAK.load(Relaxed) - begin) >> 10
    );
    if let Some(unanswered) = unanswered {
        println!("not answered: {}", unanswered.message);
    }
    println!(
        "{:?}; {:?} in all",
        cluster.assessment.problems(),
        cluster.spent + on_processor().saturating_sub(begin_settle)
    );
    let object = role_binding(9_999).to_string();
    cluster.assessment.apply(rbac, "RoleBinding", object.as_bytes());
    let begin_one = on_processor();
    let changes = cluster.assessment.settle(now + Duration::from_mins(10));
    println!(
        "one binding more: {} changes, {:?}",
        changes.len(),
        on_processor().saturating_sub(begin_one)
    );
    Ok(())
}
