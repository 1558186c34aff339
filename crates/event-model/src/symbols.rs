//! Numbers of the kernel's interface as the names that its headers give them.

use std::fmt::Write as _;

/// A value or a bit, and its name.
pub type Symbol = (u64, &'static str);

/// A set of bits: names joined by `|`, what has no name in hexadecimal at the end, `0` where none is set.
pub fn set(bits: u64, names: &[Symbol]) -> String {
    let mut text = String::new();
    write_set(&mut text, bits, names);
    text
}

/// Appends what [`set`] gives.
pub fn write_set(text: &mut String, bits: u64, names: &[Symbol]) {
    let mut left = bits;
    let begin = text.len();
    for (bit, name) in names.iter().filter(|(bit, _)| bits & bit == *bit) {
        left &= !bit;
        text.push_str(if text.len() > begin { "|" } else { "" });
        text.push_str(name);
    }
    match (left, text.len() > begin) {
        (0, true) => {}
        (0, false) => text.push('0'),
        // Writing to a String can't fail.
        (left, more) => drop(write!(text, "{}{left:#x}", if more { "|" } else { "" })),
    }
}

/// The bits of a set as [`set`] writes it. None where a name is not among them.
pub fn bits(text: &str, names: &[Symbol]) -> Option<u64> {
    text.split('|').try_fold(0, |bits, name| Some(bits | bit(name, names)?))
}

fn bit(name: &str, names: &[Symbol]) -> Option<u64> {
    let known = names.iter().find(|(_, known)| *known == name).map(|(bit, _)| *bit);
    known.or_else(|| match name.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => name.parse().ok(),
    })
}

/// The flags of open(2), as [`write_open_flags`] writes them.
pub fn open_flags(text: &str) -> Option<u64> {
    let (access, rest) = text.split_once('|').unwrap_or((text, "0"));
    let access = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"].iter().position(|name| *name == access)?;
    Some(access as u64 | bits(rest, OPEN_FLAGS)?)
}

/// One value: its name, or the number.
pub fn one(value: u64, names: &[Symbol]) -> String {
    names
        .iter()
        .find(|(known, _)| *known == value)
        .map_or_else(|| value.to_string(), |(_, name)| (*name).to_owned())
}

/// Appends the flags of open(2), with `O_RDONLY`, `O_WRONLY` or `O_RDWR` first. `include/uapi/asm-generic/fcntl.h`
pub fn write_open_flags(text: &mut String, flags: u64) {
    text.push_str(["O_RDONLY", "O_WRONLY", "O_RDWR", "3"][(flags & 3) as usize]);
    if flags & !3 != 0 {
        text.push('|');
        write_set(text, flags & !3, OPEN_FLAGS);
    }
}

/// The wider ones first: `O_TMPFILE` and `O_SYNC` hold other flags' bits.
const OPEN_FLAGS: &[Symbol] = &[
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10000, "O_DSYNC"),
    (0o40000, "O_DIRECT"),
    (0o100_000, "O_LARGEFILE"),
    (0o200_000, "O_DIRECTORY"),
    (0o400_000, "O_NOFOLLOW"),
    (0o1_000_000, "O_NOATIME"),
    (0o2_000_000, "O_CLOEXEC"),
    (0o4_000_000, "__O_SYNC"),
    (0o10_000_000, "O_PATH"),
    (0o20_000_000, "__O_TMPFILE"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_told_as_a_number() {
        assert_eq!(set(0, &[]), "0");
        assert_eq!(set(5, &[(1, "ONE")]), "ONE|0x4");
        assert_eq!(one(7, &[(1, "ONE")]), "7");
        let open_flags = |flags| {
            let mut text = String::new();
            write_open_flags(&mut text, flags);
            text
        };
        assert_eq!(open_flags(0), "O_RDONLY");
        assert_eq!(open_flags(2 | 0o2_000_000), "O_RDWR|O_CLOEXEC");
        for flags in [0, 1, 0o1101, 2 | 0o2_000_000, 1 << 40 | 0o100] {
            assert_eq!(super::open_flags(&open_flags(flags)), Some(flags));
        }
        assert_eq!(super::open_flags("O_WRONLY|O_MADE_UP"), None);
        assert_eq!(bits("ONE|0x4", &[(1, "ONE")]), Some(5));
    }
}
