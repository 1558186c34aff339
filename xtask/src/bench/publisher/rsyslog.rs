//! rsyslog (Debian's packages rsyslog and rsyslog-gnutls).

use super::shipper::{Shipper, Way};
use std::path::Path;
use std::process::Command;

/// The program, and the driver that speaks TLS.
const PROGRAM: &str = "/usr/sbin/rsyslogd";
const DRIVER: &str = "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so";

/// How the queue is kept.
#[derive(Clone, Copy)]
pub enum Queue {
    /// In memory, and on disk where that is full: what is in memory is lost with the process.
    DiskAssisted,
    /// On disk, synced: as the publisher keeps it.
    Disk,
}

impl Queue {
    const fn settings(self) -> &'static str {
        match self {
            Self::DiskAssisted => r#"queue.type="LinkedList" queue.size="100000""#,
            Self::Disk => {
                r#"queue.type="Disk" queue.syncqueuefiles="on" queue.checkpointinterval="1000""#
            }
        }
    }
}

/// Why it can't be measured here; None where it can.
pub fn missing() -> Option<String> {
    let is_there = Path::new(PROGRAM).exists() && Path::new(DRIVER).exists();
    (!is_there).then(|| "no row of rsyslog: apt-get install rsyslog rsyslog-gnutls".to_owned())
}

impl Shipper for Queue {
    fn name(&self) -> String {
        match self {
            Self::DiskAssisted => "rsyslog, disk-assisted".to_owned(),
            Self::Disk => "rsyslog, on disk".to_owned(),
        }
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("-n").arg("-f").arg(folder.join("shipper.conf"));
        command.arg("-i").arg(folder.join("shipper.pid"));
        command
    }

    fn configuration(&self, way: &Way<'_>) -> String {
        let (certificate, key) = way.certificates.publisher();
        let (folder, port) = (way.folder.display(), way.port);
        let authority = way.certificates.authority();
        format!(
            r#"global(
        workDirectory="{folder}/queue"
        maxMessageSize="64k"
        defaultNetstreamDriverCAFile="{}"
        defaultNetstreamDriverCertFile="{}"
        defaultNetstreamDriverKeyFile="{}"
)
module(load="imptcp")
template(name="as-it-came" type="string" string="%rawmsg%\n")
input(type="imptcp" path="{folder}/in.sock" ruleset="out")
ruleset(name="out") {{
        action(
            type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="as-it-came"
            streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name"
            streamDriverPermittedPeers="localhost"
            {} queue.filename="out" queue.maxDiskSpace="2g" queue.saveOnShutdown="on"
            queue.dequeueBatchSize="1024" action.resumeRetryCount="-1" action.resumeInterval="1"
        )
}}
"#,
            authority.display(),
            certificate.display(),
            key.display(),
            self.settings(),
        )
    }
}
