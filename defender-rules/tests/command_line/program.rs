use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn defender_rules(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_defender-rules");
    Command::new(program).args(arguments).output().expect("it starts")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn our_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

/// The path as an argument.
pub fn argument(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// What the program says of these arguments, and how it ends.
pub fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = defender_rules(arguments);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
