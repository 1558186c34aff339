//! Logins by SSH to a server of this machine.

use crate::work::{Ground, run};
use anyhow::{Context, Result};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use suite::deadline::wait_for;

/// A server with keys of its own, on a port of the loopback interface. Dropped, it ends.
pub struct SshServer {
    server: Child,
    port: u16,
    key: PathBuf,
}

impl SshServer {
    pub fn start(folder: &Path) -> Result<Self> {
        let (host_key, key) = (folder.join("host_key"), folder.join("user_key"));
        for file in [&host_key, &key] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(file))?;
        }
        let port = free_ports::free_port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM yes\n\
             PermitRootLogin prohibit-password\nStrictModes no\nSubsystem sftp internal-sftp\n",
            host_key.display(),
            key.with_extension("pub").display()
        );
        fs::write(folder.join("sshd_config"), configuration)?;
        // Where the server keeps its children without rights; a service manager makes it.
        fs::create_dir_all("/run/sshd")?;
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.join("sshd.log"))?)
            .spawn()
            .context("starting sshd (Debian's package openssh-server has it)")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_for("sshd answers", Duration::from_secs(10), || Ok(TcpStream::connect(address)?))?;
        Ok(Self { server, port, key })
    }

    fn options(&self) -> Vec<String> {
        let options = [
            format!("Port={}", self.port),
            format!("IdentityFile={}", self.key.display()),
            "StrictHostKeyChecking=no".to_owned(),
            "UserKnownHostsFile=/dev/null".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// One command, a shell at a terminal, and a file that is copied.
pub fn log_in(ground: &Ground<'_>) -> Result<()> {
    let options = ground.ssh.options();
    let root = "root@127.0.0.1";
    run(Command::new("ssh").args(&options).args([root, "uptime"]))?;
    run(Command::new("ssh").args(&options).args(["-tt", root, "bash -lc 'ls -la; who; exit 0'"]))?;
    let file = ground.folder().join("notes.txt");
    fs::write(&file, "notes\n")?;
    run(Command::new("scp")
        .args(&options)
        .arg(&file)
        .arg(format!("{root}:{}.copy", file.display())))
}
