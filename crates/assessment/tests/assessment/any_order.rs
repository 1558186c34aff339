//! In whatever order objects come, change and go, what is told in the end is what is told of those that are there.

use crate::cluster::Cluster;
use assessment::AssessmentSettings;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

fn one_of<T: Copy>(state: usize, all: [T; 3]) -> T {
    all[state % 3]
}

/// One of some objects that have to do with each other, in one of its states.
fn object(number: usize, state: usize) -> Value {
    let rbac = "rbac.authorization.k8s.io/v1";
    let rules = [
        json!([{"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}]),
        json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
        json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]),
    ];
    let who = |name: &str| json!({"kind": "ServiceAccount", "namespace": "shop", "name": name});
    let subjects = [
        json!([who("a")]),
        json!([who("a"), who("b")]),
        json!([{"kind": "Group", "name": "system:serviceaccounts:shop"}]),
    ];
    let image = one_of(state, ["nginx", "postgres:16", "redis:7"]);
    match number {
        0 => {
            json!({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": "r0"}, "rules": rules[state % 3]})
        }
        1 => {
            json!({"apiVersion": rbac, "kind": "Role", "metadata": {"name": "r1", "namespace": "shop"}, "rules": rules[state % 3]})
        }
        2 => {
            json!({"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": "b0"}, "roleRef": {"kind": "ClusterRole", "name": "r0"}, "subjects": subjects[state % 3]})
        }
        3 => {
            json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": {"name": "b1", "namespace": "shop"}, "roleRef": {"kind": "Role", "name": "r1"}, "subjects": subjects[state % 3]})
        }
        4 | 5 => {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("d{number}"), "namespace": "shop"},
            "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": {"hostNetwork": state == 1, "serviceAccountName": one_of(state, ["a", "b", "c"]),
                "containers": [{"name": format!("c{state}"), "image": image, "securityContext": {"privileged": state == 2}}]}}}})
        }
        6 | 7 => {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("s{number}"), "namespace": "shop"},
            "spec": {"type": one_of(state, ["LoadBalancer", "ClusterIP", "NodePort"]), "selector": {"app": one_of(state, ["web", "web", "other"])}, "ports": [{"port": 80}]}})
        }
        8 => {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": one_of(state, ["baseline", "privileged", "odd"])}}})
        }
        9 => {
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "shop"},
            "spec": {"rules": [{"host": one_of(state, ["a", "b", "*"]), "http": {"paths": [{"backend": {"service": {"name": one_of(state, ["s6", "s7", "none"])}}}]}}]}})
        }
        10 => {
            json!({"apiVersion": "wgpolicyk8s.io/v1alpha2", "kind": "PolicyReport", "metadata": {"name": "p", "namespace": "shop"},
            "results": [{"policy": "x", "result": one_of(state, ["fail", "pass", "warn"]), "resources": [{"kind": "Pod", "name": "a"}]}]})
        }
        11 | 12 => {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": if number == 11 { "a" } else { "c" }, "namespace": "shop"}})
        }
        _ => {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "ownerReferences":
                if state == 0 { json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "b", "controller": true}]) } else { json!([]) }},
            "spec": {"containers": [{"name": "c", "image": image}]}, "status": {"phase": one_of(state, ["Running", "Running", "Failed"])}})
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(usize, usize),
    Remove(usize),
    /// Deleted and created again under the same name, all of it seen.
    Replace(usize, usize),
    /// The same while nobody watched: the list shows the new object, and at its end the former one is gone.
    ReplaceUnseen(usize, usize),
    EndList,
    Settle,
}

/// The objects that are there: their states and uids by their numbers.
#[derive(Default)]
struct There {
    states: BTreeMap<usize, (usize, Uuid)>,
    /// Objects that are gone, which is not told yet.
    unseen: Vec<(usize, Uuid)>,
}

impl There {
    fn put(&mut self, number: usize, state: usize, uids: &mut impl Iterator<Item = Uuid>) -> Value {
        let known = self.states.get(&number).map(|(_, uid)| *uid);
        let uid = known.or_else(|| uids.next()).unwrap();
        self.states.insert(number, (state, uid));
        of_uid(number, state, uid)
    }
}

fn of_uid(number: usize, state: usize, uid: Uuid) -> Value {
    let mut object = object(number, state);
    object["metadata"]["uid"] = json!(uid.to_string());
    object
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0..14_usize, 0..3_usize).prop_map(|(number, state)| Act::Put(number, state)),
        2 => (0..14_usize).prop_map(Act::Remove),
        2 => (0..14_usize, 0..3_usize).prop_map(|(number, state)| Act::Replace(number, state)),
        2 => (0..14_usize, 0..3_usize).prop_map(|(number, state)| Act::ReplaceUnseen(number, state)),
        1 => Just(Act::EndList),
        1 => Just(Act::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_end_is_what_counts(acts in prop::collection::vec(act(), 1..60), mut next_uid: u128) {
        let mut uids = std::iter::repeat_with(|| {
            next_uid = next_uid.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            uuid::Builder::from_random_bytes(next_uid.to_be_bytes()).into_uuid()
        });
        let mut cluster = Cluster::new(&AssessmentSettings::default());
        let mut there = There::default();
        for act in acts.into_iter().chain([Act::EndList]) {
            match act {
                Act::Put(number, state) => cluster.apply(&there.put(number, state, &mut uids)),
                Act::Remove(number) => {
                    if let Some((state, uid)) = there.states.remove(&number) {
                        cluster.remove(&of_uid(number, state, uid));
                    }
                }
                Act::Replace(number, state) => {
                    if let Some((state, uid)) = there.states.remove(&number) {
                        cluster.remove(&of_uid(number, state, uid));
                    }
                    cluster.apply(&there.put(number, state, &mut uids));
                }
                Act::ReplaceUnseen(number, state) => {
                    let former = there.states.remove(&number);
                    there.unseen.extend(former.map(|(_, uid)| (number, uid)));
                    cluster.apply(&there.put(number, state, &mut uids));
                }
                Act::EndList => {
                    for (number, uid) in there.unseen.drain(..) {
                        cluster.remove(&of_uid(number, 0, uid));
                    }
                }
                Act::Settle => _ = cluster.settled(),
            }
        }
        let mut anew = Cluster::new(&AssessmentSettings::default());
        for (number, (state, uid)) in there.states.into_iter().rev() {
            anew.apply(&of_uid(number, state, uid));
        }
        prop_assert_eq!(cluster.settled(), anew.settled());
    }
}
