//! Compiles the kernel programs of `bpf/` for the BPF machine. Needs clang 14 or later, and nothing else:
//! the types of the kernel are in `bpf/kernel.h`.

use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

const SOURCES: &str = "bpf";
const MAIN_SOURCE: &str = "bpf/probes.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=CLANG");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let object = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("probes.o");
    let result = Command::new(&clang)
        // mcpu=v2: the instructions that every kernel with BTF knows. -g: makes BTF, which the loader needs.
        // -fno-addrsig: no table for linkers, which nobody reads.
        .args(["-target", "bpf", "-mcpu=v2", "-O2", "-g", "-std=gnu11", "-fno-addrsig"])
        .args(["-Wall", "-Wextra", "-Werror", "-c", MAIN_SOURCE, "-o"])
        .arg(&object)
        .output();
    match result {
        Ok(output) if output.status.success() => {
            if let Err(error) = strip(&object) {
                fail(&format!(
                    "{}: its debug sections can't be left out: {error}",
                    object.display()
                ));
            }
        }
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

/// Leaves out what only a debugger reads, three quarters of the whole: the loader reads BTF.
fn strip(object: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let whole = fs::read(object)?;
    let mut parts = Builder::read(whole.as_slice())?;
    for section in &mut parts.sections {
        let name = section.name.to_string();
        let of_debugger = name.starts_with(".debug_") || name.starts_with(".rel.debug_");
        // The table of BTF.ext has its numbers in place; the loader reads no more.
        section.delete = of_debugger || name == ".rel.BTF.ext";
    }
    parts.delete_orphans();
    // clang keeps the names of sections and of symbols in one table; they are written as two.
    let names = parts.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    let mut stripped = vec![];
    parts.write(&mut stripped)?;
    fs::write(object, stripped)?;
    Ok(())
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(1)
}
