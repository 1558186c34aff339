//! What a busy node does: builds, shells, tools, servers and clients.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// A shell script, and how often one load runs it.
const SCRIPTS: [(&str, u32); 7] = [
    ("cc -c source.c -o object.o", 4),
    ("ls -l /etc /usr/bin > listing; grep -c root /etc/passwd listing; rm listing", 6),
    ("find /usr/lib -name '*.so' | head -n 200 | xargs -r cat > /dev/null", 1),
    ("tar cf archive.tar /etc/default; tar xf archive.tar; rm -r archive.tar etc", 1),
    ("for i in 1 2 3 4 5; do echo $i > note; mv note note.$i; chmod 600 note.$i; done", 2),
    ("id; uname -a; ps aux | sort -k3 | head -n 3; dpkg -l | wc -l", 2),
    ("env -i /bin/sh -c 'cd /tmp; cat /etc/hosts /etc/resolv.conf; true'", 4),
];

/// Acts of the program `acts`, by its arguments behind `repeat`.
const ACTS: [&[&str]; 4] = [
    &["2000", "open", "/etc/hostname"],
    &["500", "write", "/etc/hosts"],
    &["100", "connect", "127.0.0.1:1"],
    &["50", "run", "/bin/true"],
];

const SOURCE: &str = "#include <stdio.h>\nint main(void) { return puts(\"\") == EOF; }\n";

/// Does all of it once.
pub fn run(acts: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("source.c"), SOURCE)?;
    for (script, times) in SCRIPTS {
        for _ in 0..times {
            quietly(Command::new("/bin/sh").args(["-c", script]).current_dir(&folder))?;
        }
    }
    ACTS.iter().try_for_each(|arguments| quietly(Command::new(acts).arg("repeat").args(*arguments)))
}

fn quietly(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
