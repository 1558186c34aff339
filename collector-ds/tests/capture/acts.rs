//! Ways to run programs that `std` does not offer.

use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// A program that does nothing, whatever its arguments.
pub const TRUE: &str = "/bin/true";

/// Kills and reaps a child that would go on running.
pub struct Running(pub Child);

impl Running {
    /// Starts `sleep`, which lives until the end of the test. Its exec is over: it has its name.
    pub fn sleep(prepare: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = Command::new("/bin/sleep");
        let running = Self(prepare(command.arg("600")).spawn().expect("sleep can be run"));
        let name = format!("/proc/{}/comm", running.pid());
        let deadline = Instant::now() + Duration::from_mins(1);
        while fs::read_to_string(&name).expect("it runs") != "sleep\n" {
            assert!(Instant::now() < deadline, "the exec of sleep does not end");
            thread::yield_now();
        }
        running
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end and returns its process id.
pub fn run(command: &mut Command) -> u32 {
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = child.id();
    child.wait().expect("it is our child");
    pid
}

/// A copy of [`TRUE`] with other permissions.
pub fn copy_of_true(to: &Path, mode: u32) -> PathBuf {
    fs::copy(TRUE, to).expect("a program can be copied");
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).expect("the copy is ours");
    to.to_owned()
}

/// Runs `act` in a child process that fork made, and returns its process id and how it ended.
/// `act` ends the process itself, by exit or by exec; if it returns, the child exits with 99.
pub fn in_fork(act: impl FnOnce()) -> (u32, ExitStatus) {
    // SAFETY: the child calls nothing but `act` and _exit. The C library keeps its allocator usable across
    // fork, and `act` takes no lock that another thread of this program could hold.
    match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Child => {
            act();
            exit_now(99)
        }
        ForkResult::Parent { child } => (pid_number(child), wait_for(child)),
    }
}

/// Ends the process, with all its threads, without a word to anyone.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread alone.
pub fn exit_thread(code: i64) -> ! {
    // SAFETY: the thread's stack is left as it is; nothing refers to it afterwards but the thread library, which
    // no other thread of these processes asks for this thread.
    unsafe {
        libc::syscall(libc::SYS_exit, code);
    }
    unreachable!("a thread does not survive its exit")
}

pub fn pid_number(pid: Pid) -> u32 {
    pid.as_raw().cast_unsigned()
}

/// Waits for a child; how it ended, as the kernel told us.
pub fn wait_for(child: Pid) -> ExitStatus {
    let status = waitpid(child, None).expect("it is our child");
    ExitStatus::from_raw(match status {
        nix::sys::wait::WaitStatus::Exited(_, code) => code << 8,
        nix::sys::wait::WaitStatus::Signaled(_, signal, dumped) => {
            signal as i32 | if dumped { 0x80 } else { 0 }
        }
        other => panic!("{child} did not end: {other:?}"),
    })
}

/// Runs `act` in a thread of its own, so that namespaces it enters are its own too.
pub fn in_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(act).join()).unwrap_or_else(|panic| {
        std::panic::resume_unwind(panic);
    })
}
