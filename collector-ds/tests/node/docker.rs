//! Containers of a Docker Engine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// An image with a static busybox, made from files of this machine.
pub const IMAGE: &str = "defender-test/node:1";

/// The image's applets.
const APPLETS: [&str; 6] = ["sh", "sleep", "true", "echo", "id", "cat"];

/// The engine's socket.
pub fn socket() -> PathBuf {
    std::env::var_os("DEFENDER_TEST_DOCKER_SOCKET")
        .map_or_else(|| PathBuf::from("/run/docker.sock"), PathBuf::from)
}

fn run(arguments: &[&str]) -> Output {
    Command::new("docker")
        .arg("--host")
        .arg(format!("unix://{}", socket().display()))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the docker client is needed: install Debian's package docker.io")
}

/// What the client prints.
pub fn docker(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "docker {} failed: {}\nThese tests need a Docker Engine at {}; DEFENDER_TEST_DOCKER_SOCKET names another socket.",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim(),
        socket().display()
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes [`IMAGE`], once.
pub fn image() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a directory");
        let archive = folder.path().join("image.tar");
        archive_root(&folder.path().join("root"), &archive);
        let change = "--change=CMD [\"/bin/sleep\", \"3600\"]";
        docker(&["import", change, archive.to_str().expect("a plain path"), IMAGE]);
    });
    IMAGE
}

/// Removes an image that a test made for itself.
pub fn remove_image(name: &str) {
    run(&["image", "rm", "--force", name]);
}

fn archive_root(root: &Path, archive: &Path) {
    for folder in ["bin", "etc", "proc", "sys", "dev", "tmp"] {
        std::fs::create_dir_all(root.join(folder)).expect("a directory");
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox"))
        .expect("/bin/busybox is needed: install Debian's package busybox-static");
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("passwd");
    let mut tar = Command::new("tar");
    let made = tar.arg("-C").arg(root).arg("-cf").arg(archive).arg(".").status().expect("tar");
    assert!(made.success(), "{tar:?} ended with {made}");
}

/// A container that runs until it is dropped.
pub struct Container {
    pub id: String,
}

impl Container {
    /// Runs `sleep` in [`IMAGE`].
    pub fn start(options: &[&str]) -> Self {
        Self::start_image(image(), options)
    }

    /// Runs `sleep` in another image that was made of [`IMAGE`].
    pub fn start_image(image: &str, options: &[&str]) -> Self {
        let begin = ["run", "--detach", "--network=none"];
        let id = docker(&[&begin, options, &[image, "sleep", "3600"]].concat());
        Self { id }
    }

    /// Runs a command to its end, in the container.
    pub fn exec(&self, command: &[&str]) {
        docker(&[&["exec", &self.id], command].concat());
    }

    /// Runs a command to its end as a user, in the container; that the command itself fails is no failure.
    pub fn attempt(&self, user: &str, command: &[&str]) {
        let output = run(&[&["exec", "--user", user, &self.id], command].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        // 125: docker itself failed. 126 and 127: there is no such program.
        let not_run = output.status.code() == Some(125) || told.contains("OCI runtime exec failed");
        assert!(!not_run, "docker exec {command:?} failed: {told}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        run(&["rm", "--force", &self.id]);
    }
}
