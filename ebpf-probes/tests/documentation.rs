//! The table of `docs/sensor.md`, made from the list that the loader works by.

use ebpf_probes::{Hook, PROBES, Probe};
use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- hooks: generated -->\n";
const END: &str = "<!-- end of hooks -->";

fn table() -> String {
    let mut table = "| Event | Security hook | Kernel function | Tracepoint | Packets | End of system calls | Outcome by the return of |\n|---|---|---|---|---|---|---|\n".to_owned();
    for probe in PROBES.iter().copied().flatten() {
        let _ = writeln!(table, "| `{}` | {} |", probe.kind, cells(probe).join(" | "));
    }
    table
}

/// A cell for each kind of hook, with the place in the order in which they are tried, and one for the calls whose returns complete
/// what the hooks tell before the outcome is known.
fn cells(probe: &Probe) -> [String; 6] {
    let mut cells: [Vec<String>; 5] = Default::default();
    for (place, hook) in (1..).zip(probe.hooks) {
        for (cell, name) in names(hook) {
            cells[cell].push(format!("{place}: {name}"));
        }
    }
    let [lsm, function, tracepoint, packets, ends] = cells.map(|hooks| hooks.join("; "));
    [lsm, function, tracepoint, packets, ends, returns(probe)]
}

fn returns(probe: &Probe) -> String {
    if !probe.hooks.iter().any(Hook::speaks_before) {
        return String::new();
    }
    probe.returns().iter().map(|returned| returned.call.name).collect::<Vec<_>>().join(", ")
}

/// The names of a hook, each with its cell.
fn names(hook: &Hook) -> Vec<(usize, String)> {
    let one = match hook {
        Hook::Lsm { hook, .. } => (0, (*hook).to_owned()),
        Hook::Function { function, .. } => (1, (*function).to_owned()),
        Hook::Return { function, .. } => (1, format!("end of {function}")),
        Hook::Tracepoint { tracepoint, .. } => (2, (*tracepoint).to_owned()),
        Hook::Packets { egress, .. } => (3, if *egress { "egress" } else { "ingress" }.to_owned()),
        Hook::Calls { calls, .. } => {
            (4, calls.iter().map(|call| call.name).collect::<Vec<_>>().join(", "))
        }
        Hook::Together { hooks } => return hooks.iter().flat_map(names).collect(),
    };
    vec![one]
}

#[test]
fn the_table_of_hooks_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sensor.md");
    let text = std::fs::read_to_string(&file).expect("docs/sensor.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCUMENTATION").is_some() {
        std::fs::write(&file, current).expect("docs/sensor.md can be written");
    } else {
        assert!(
            text == current,
            "docs/sensor.md is not current: UPDATE_DOCUMENTATION=1 cargo test -p ebpf-probes --test documentation"
        );
    }
}
