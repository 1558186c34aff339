//! syslog-ng, unpacked from Debian's packages: installed it would take rsyslog's place.

use super::shipper::{Shipper, Way};
use crate::{folders, step};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How its disk buffer is kept.
#[derive(Clone, Copy)]
pub enum Buffer {
    /// In memory first, on disk where that is full.
    Normal,
    /// Each line to the file first. It is not synced: a power cut takes what the kernel had not written.
    Reliable,
}

/// syslog-ng with a disk buffer.
pub struct SyslogNg {
    root: PathBuf,
    buffer: Buffer,
}

/// Unpacks it into the cache, unless it is there.
pub fn install() -> Result<PathBuf> {
    let script = folders::repository().join("tests/line-load/unpack-syslog-ng.sh");
    Ok(step::output(&mut Command::new(script))?.trim().into())
}

impl SyslogNg {
    /// One whose files lie below `root`.
    pub fn new(root: &Path, buffer: Buffer) -> Self {
        Self { root: root.to_owned(), buffer }
    }
}

impl Shipper for SyslogNg {
    fn name(&self) -> String {
        match self.buffer {
            Buffer::Normal => "syslog-ng, disk buffer".to_owned(),
            Buffer::Reliable => "syslog-ng, reliable disk buffer".to_owned(),
        }
    }

    fn command(&self, folder: &Path) -> Command {
        let within = |path: &str| self.root.join(path).display().to_string();
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng"];
        let mut command = Command::new(self.root.join("usr/sbin/syslog-ng"));
        command.env("LD_LIBRARY_PATH", libraries.map(within).join(":"));
        command.args(["--foreground", "--stderr", "--no-caps"]);
        command.args(["--module-path", &within("usr/lib/syslog-ng/3.38")]);
        for (flag, file) in [
            ("--cfgfile", "shipper.conf"),
            ("--persist-file", "shipper.persist"),
            ("--pidfile", "shipper.pid"),
            ("--control", "shipper.ctl"),
        ] {
            command.arg(flag).arg(folder.join(file));
        }
        command
    }

    fn configuration(&self, way: &Way<'_>) -> String {
        let (certificate, key) = way.certificates.publisher();
        let is_reliable = match self.buffer {
            Buffer::Normal => "no",
            Buffer::Reliable => "yes",
        };
        format!(
            r#"@version: 3.38
options {{ stats-freq(0); }};
source in {{
    unix-stream("{folder}/in.sock" flags(no-parse) log-iw-size(10000) log-fetch-limit(1000));
}};
destination out {{
    network("localhost" port({port}) transport("tls") template("$MSG\n")
        tls(ca-file("{authority}") cert-file("{certificate}") key-file("{key}") peer-verify(required-trusted))
        log-fifo-size(100000) flush-lines(100)
        disk-buffer(dir("{folder}/queue") disk-buf-size(2147483648) reliable({is_reliable}))
    );
}};
log {{ source(in); destination(out); flags(flow-control); }};
"#,
            folder = way.folder.display(),
            port = way.port,
            authority = way.certificates.authority().display(),
            certificate = certificate.display(),
            key = key.display(),
        )
    }
}
