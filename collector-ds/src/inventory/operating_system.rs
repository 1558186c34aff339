use super::limits;
use super::root::Root;

/// PRETTY_NAME of `os-release(5)`.
pub fn of(root: &Root) -> Option<String> {
    let text = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| root.text(path, limits::RELEASE_BYTES).ok())?;
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(limits::clipped(value.trim().trim_matches(['"', '\'']), limits::NAME))
}
