//! Compiles the kernel programs of `bpf/` for the BPF machine. Needs clang 14 or later, and nothing else:
//! the types of the kernel are in `bpf/kernel.h`.

use std::env;
use std::path::PathBuf;
use std::process::{Command, exit};

const SOURCES: &str = "bpf";
const MAIN_SOURCE: &str = "bpf/probes.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=CLANG");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let object = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("probes.o");
    let result = Command::new(&clang)
        // mcpu=v2: the instructions that every kernel with BTF knows. -g: makes BTF, which the loader needs.
        .args(["-target", "bpf", "-mcpu=v2", "-O2", "-g", "-std=gnu11"])
        .args(["-Wall", "-Wextra", "-Werror", "-c", MAIN_SOURCE, "-o"])
        .arg(&object)
        .output();
    match result {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!(
            "{clang} could not compile {MAIN_SOURCE} (clang 14 or later with the BPF target is needed):\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(&format!(
            "{clang} can't be run ({error}). The kernel programs are compiled by clang: \
             install it with `apt-get install clang`, or name one in the environment variable CLANG."
        )),
    }
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(1)
}
