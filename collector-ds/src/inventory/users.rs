//! Users who can log in: `passwd(5)`, `group(5)` and `shadow(5)`. Of passwords no more is kept than whether there is one.

use super::limits;
use super::root::{Root, Skipped};
use event_model::{PasswordState, UserAccount};
use std::collections::HashMap;

/// Groups that are told of one user.
const GROUPS: usize = 64;

/// Programs that let nobody in.
const NO_SHELLS: [&str; 5] = ["nologin", "false", "sync", "shutdown", "halt"];

/// The users of a root, and what could not be read.
pub fn read(root: &Root) -> (Vec<UserAccount>, Vec<String>) {
    let mut problems = vec![];
    let mut text = |path: &str| {
        root.text(path, limits::USERS_BYTES).unwrap_or_else(|skipped| {
            if skipped != Skipped::Absent {
                problems.push(format!("{path}: {skipped}"));
            }
            String::new()
        })
    };
    let (passwd, group, shadow) = (text("etc/passwd"), text("etc/group"), text("etc/shadow"));
    let groups = groups(&group);
    let passwords: HashMap<_, _> = shadow.lines().filter_map(password).collect();
    let mut users: Vec<UserAccount> = passwd.lines().filter_map(user).collect();
    if users.len() > limits::ITEMS {
        problems.push(format!("only the first {} users are told", limits::ITEMS));
        users.truncate(limits::ITEMS);
    }
    for user in &mut users {
        user.groups = groups.get(user.name.as_str()).cloned().unwrap_or_default();
        user.groups.sort();
        if let Some(state) = passwords.get(user.name.as_str()) {
            user.password = *state;
        }
    }
    (users, problems)
}

/// `name:password:uid:gid:comment:home:shell`. None for users without a login shell.
fn user(line: &str) -> Option<UserAccount> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, password, uid, gid, _, home, shell] = fields[..] else { return None };
    // An empty field stands for /bin/sh.
    let shell = if shell.is_empty() { "/bin/sh" } else { shell };
    if name.is_empty() || NO_SHELLS.contains(&shell.rsplit('/').next()?) {
        return None;
    }
    let password = if password == "x" { PasswordState::Unknown } else { state(password) };
    Some(UserAccount {
        name: limits::clipped(name, limits::NAME),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: limits::clipped(home, limits::PATH),
        shell: limits::clipped(shell, limits::PATH),
        groups: vec![],
        password,
    })
}

/// `name:password:gid:members`, turned round: the groups of each member.
fn groups(text: &str) -> HashMap<&str, Vec<String>> {
    let mut groups: HashMap<&str, Vec<String>> = HashMap::new();
    for line in text.lines().take(limits::ITEMS) {
        let mut fields = line.split(':');
        let (Some(name), Some(members)) = (fields.next(), fields.nth(2)) else { continue };
        for member in members.split(',').filter(|member| !member.is_empty()).take(limits::ITEMS) {
            let of_member = groups.entry(member).or_default();
            if of_member.len() < GROUPS {
                of_member.push(limits::clipped(name, limits::NAME));
            }
        }
    }
    groups
}

fn password(line: &str) -> Option<(&str, PasswordState)> {
    let mut fields = line.split(':');
    Some((fields.next()?, state(fields.next()?)))
}

fn state(password: &str) -> PasswordState {
    match password.as_bytes() {
        [] => PasswordState::Empty,
        [b'!' | b'*', ..] => PasswordState::Locked,
        _ => PasswordState::Set,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use std::path::Path;

    #[test]
    fn users_who_can_log_in_are_told_without_their_passwords() {
        let folder = testing::root(&[
            (
                "etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var:/usr/sbin/nologin\nann:x:1000:1000:::\nold:$1$ab:5:5::/:/bin/sh\nopen::6:6::/:/bin/sh\nbroken:x\nnet:x:7:7::/:/bin/zsh\n",
            ),
            ("etc/group", "sudo:x:27:ann,root\nadm:x:4:ann\nbroken\n"),
            (
                "etc/shadow",
                "root:*:1:0:9:7:::\nann:$y$j9T$secret:1::::::\nnet:!$6$locked:1::::::\n",
            ),
        ]);
        let (users, problems) = read(&Root::of_node(folder.path()).expect("a root"));
        let told: Vec<_> = users
            .iter()
            .map(|user| (user.name.as_str(), user.password, user.groups.join(",")))
            .collect();
        assert_eq!(
            told,
            [
                ("root", PasswordState::Locked, "sudo".to_owned()),
                ("ann", PasswordState::Set, "adm,sudo".to_owned()),
                ("old", PasswordState::Set, String::new()),
                ("open", PasswordState::Empty, String::new()),
                ("net", PasswordState::Locked, String::new()),
            ]
        );
        assert_eq!(users[1].shell, "/bin/sh");
        assert!(!format!("{users:?}").contains("secret"));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn the_users_of_this_machine_are_read() {
        let (users, problems) = read(&Root::of_node(Path::new("/")).expect("a root"));
        let root = users.iter().find(|user| user.uid == 0).expect("root");
        assert_eq!(root.name, "root");
        assert!(problems.is_empty() || problems[0].starts_with("etc/shadow"), "{problems:?}");
    }
}
