//! Command lines.

use crate::acts::{TRUE, run};
use crate::recorder::recorder;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn long_arguments_arrive_whole() {
    let recorder = recorder();
    let mut arguments = vec!["", "two words", "üñí"];
    let long = "x".repeat(9000);
    arguments.extend([long.as_str(), "", long.as_str(), ""]);
    let exec = recorder.exec_of(run(Command::new(TRUE).args(&arguments)));
    assert_eq!(exec.arguments[0], TRUE);
    assert_eq!(exec.arguments[1..], arguments);
    assert!(!exec.arguments_truncated);
    let length: usize = exec.arguments.iter().map(|argument| argument.len() + 1).sum();
    assert_eq!(exec.arguments_length as usize, length);
}

#[test]
fn arguments_beyond_32_kib_are_cut_and_say_so() {
    let recorder = recorder();
    let argument = "y".repeat(999);
    let exec = recorder.exec_of(run(Command::new(TRUE).args(vec![&argument; 100])));
    assert!(exec.arguments_truncated);
    assert_eq!(exec.arguments_length as usize, TRUE.len() + 1 + 100 * 1000);
    let kept: usize =
        exec.arguments.iter().map(String::len).sum::<usize>() + exec.arguments.len() - 1;
    assert_eq!(kept, 32 << 10);
    assert_eq!(exec.arguments[32], argument);
}

#[test]
fn exactly_32_kib_of_arguments_are_not_cut() {
    let recorder = recorder();
    let argument = "z".repeat((32 << 10) - (TRUE.len() + 1) - 1);
    let exec = recorder.exec_of(run(Command::new(TRUE).arg(&argument)));
    assert!(!exec.arguments_truncated);
    assert_eq!(exec.arguments, [TRUE, &argument]);
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let recorder = recorder();
    let bytes = OsStr::from_bytes(b"a\xffb");
    let exec = recorder.exec_of(run(Command::new(TRUE).arg(bytes)));
    assert_eq!(exec.arguments[1], "a\u{fffd}b");
}

#[test]
fn a_first_argument_that_lies_is_told_as_it_is() {
    let recorder = recorder();
    let exec =
        recorder.exec_of(run(Command::new("/bin/sh").arg0("[kworker/0:1]").args(["-c", ":"])));
    assert_eq!(exec.arguments, ["[kworker/0:1]", "-c", ":"]);
    assert_eq!(exec.executable.invoked_as, "/bin/sh");
    assert_eq!(exec.name, "sh");
}

#[test]
fn the_environment_arrives_with_the_arguments() {
    let recorder = recorder();
    let mut command = Command::new(TRUE);
    command.env_clear().env("EMPTY", "").env("PATH", "/bin").env("WORDS", "two words = üñí");
    let exec = recorder.exec_of(run(command.args(["a", ""])));
    assert_eq!(&*exec.environment, "EMPTY=\0PATH=/bin\0WORDS=two words = üñí");
    assert_eq!(exec.arguments[1..], ["a", ""]);
    let none = recorder.exec_of(run(Command::new(TRUE).env_clear()));
    assert_eq!(&*none.environment, "");
}

#[test]
fn an_environment_beyond_4_kib_is_cut_behind_whole_arguments() {
    let recorder = recorder();
    let argument = "y".repeat(999);
    let mut command = Command::new(TRUE);
    command.env_clear().env("LONG", "x".repeat(40_000)).args(vec![&argument; 100]);
    let exec = recorder.exec_of(run(&mut command));
    assert_eq!(exec.environment.len(), 4 << 10);
    assert!(exec.environment.starts_with("LONG=xxx"));
    assert_eq!(exec.arguments[32], argument);
}
