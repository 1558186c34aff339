//! Packages of languages, looked for in the usual places only: a whole root has a million files.

use super::packages::Found;
use super::root::{Root, Skipped};
use super::{limits, npm, python};

/// Where packages of languages lie.
const USUAL: [&str; 10] = [
    "usr/lib/python3",
    "usr/lib/node_modules",
    "usr/local/lib",
    "usr/share/nodejs",
    "usr/src/app",
    "opt",
    "app",
    "srv",
    "home",
    "root",
];

/// Folders below these names hold no packages, and many files.
const PASSED_OVER: [&str; 8] =
    [".git", ".cache", "__pycache__", "doc", "man", "locale", "proc", "sys"];

/// A folder that is to be looked into.
struct Folder {
    path: String,
    depth: usize,
    /// It is a `node_modules`, or a scope (`@name`) in one.
    holds_modules: bool,
}

/// Looks through the usual places and `also`.
pub fn read(root: &Root, also: &[String], found: &mut Found<'_>) {
    read_within(root, also, limits::ENTRIES, found);
}

fn read_within(root: &Root, also: &[String], entries: usize, found: &mut Found<'_>) {
    let mut walk = Walk { root, folders: vec![], entries_left: entries };
    let pythons = versions_of_python(root);
    let also = also.iter().map(|path| path.trim_matches('/').to_owned());
    let mut places: Vec<String> = USUAL.iter().map(|path| (*path).to_owned()).collect();
    for place in pythons.into_iter().chain(also).filter(|place| !place.is_empty()) {
        // What lies below another place is found there.
        let is_known = places.iter().any(|known| {
            place
                .strip_prefix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_known {
            places.push(place);
        }
    }
    for path in places {
        let holds_modules = path.ends_with("node_modules");
        walk.folders.push(Folder { path, depth: 0, holds_modules });
        walk.go(found);
    }
}

/// `usr/lib/python3.11` and its like: in `usr/lib` itself there is too much.
fn versions_of_python(root: &Root) -> Vec<String> {
    let mut places = vec![];
    for folder in ["usr/lib", "usr/lib64"] {
        let entries = root.list(folder, limits::DIRECTORY_ENTRIES).unwrap_or_default().entries;
        let pythons = entries.into_iter().filter(|entry| entry.name.starts_with("python3."));
        places.extend(pythons.map(|entry| format!("{folder}/{}", entry.name)));
    }
    places
}

struct Walk<'a> {
    root: &'a Root,
    folders: Vec<Folder>,
    entries_left: usize,
}

impl Walk<'_> {
    fn go(&mut self, found: &mut Found<'_>) {
        while let Some(folder) = self.folders.pop() {
            found.pace.rest();
            if self.entries_left == 0 || found.is_full() {
                self.folders.clear();
                found.note(format!(
                    "not all packages of languages are told: more than {} files, or {} packages, lie in the usual places",
                    limits::ENTRIES,
                    limits::ITEMS
                ));
                return;
            }
            self.look_into(&folder, found);
        }
    }

    fn look_into(&mut self, folder: &Folder, found: &mut Found<'_>) {
        let most = self.entries_left.min(limits::DIRECTORY_ENTRIES);
        let listing = match self.root.list(&folder.path, most) {
            Ok(listing) => listing,
            // A volume that is mounted among the image's files is not of it.
            Err(Skipped::Absent | Skipped::Kind | Skipped::Outside) => return,
            Err(skipped) => return found.skipped(&folder.path, skipped),
        };
        if listing.cut {
            found.skipped(&folder.path, Skipped::Large);
        }
        self.entries_left -= listing.entries.len();
        for entry in listing.entries.into_iter().filter(|entry| entry.is_directory) {
            self.take(folder, &entry.name, found);
        }
    }

    fn take(&mut self, folder: &Folder, name: &str, found: &mut Found<'_>) {
        let path = format!("{}/{name}", folder.path);
        if path.len() > limits::PATH || folder.depth >= limits::DEPTH {
            return;
        }
        if let Some(description) = python::description(name) {
            return python::read(self.root, &path, description, found);
        }
        let depth = folder.depth + 1;
        if folder.holds_modules && !name.starts_with('@') {
            npm::read(self.root, &path, found);
            let path = format!("{path}/node_modules");
            self.folders.push(Folder { path, depth, holds_modules: true });
        } else if !PASSED_OVER.contains(&name) {
            let holds_modules = folder.holds_modules || name == "node_modules";
            self.folders.push(Folder { path, depth, holds_modules });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use event_model::PackageManager;

    fn found(files: &[(&str, &str)], also: &[String]) -> (Vec<String>, Vec<String>) {
        let folder = testing::root(files);
        let (packages, problems) =
            testing::packages(folder.path(), |root, found| read(root, also, found));
        let mut names: Vec<_> = packages
            .iter()
            .map(|package| {
                let path = package.path.as_deref().expect("a path");
                format!("{} {} {path}", package.name, package.version)
            })
            .collect();
        names.sort();
        assert!(packages.iter().all(|package| package.manager >= PackageManager::Npm));
        (names, problems)
    }

    #[test]
    fn packages_of_node_are_found_with_those_they_brought() {
        let (names, problems) = found(
            &[
                (
                    "app/node_modules/express/package.json",
                    r#"{"name":"express","version":"4.1.0"}"#,
                ),
                (
                    "app/node_modules/express/node_modules/qs/package.json",
                    r#"{"name":"qs","version":"6.0.0"}"#,
                ),
                (
                    "app/node_modules/@babel/core/package.json",
                    r#"{"name":"@babel/core","version":"7.1.0"}"#,
                ),
                (
                    "app/node_modules/express/test/package.json",
                    r#"{"name":"fixture","version":"0"}"#,
                ),
                ("app/node_modules/broken/package.json", "{"),
                ("usr/lib/node_modules/npm/package.json", r#"{"name":"npm","version":"10.0.0"}"#),
            ],
            &[],
        );
        assert_eq!(
            names,
            [
                "@babel/core 7.1.0 app/node_modules/@babel/core",
                "express 4.1.0 app/node_modules/express",
                "npm 10.0.0 usr/lib/node_modules/npm",
                "qs 6.0.0 app/node_modules/express/node_modules/qs",
            ]
        );
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn packages_of_python_are_found_where_they_are_installed_and_where_the_program_works() {
        let metadata =
            "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.1\n\nName: of the description\n";
        let (names, _) = found(
            &[
                ("usr/lib/python3.11/site-packages/flask-3.0.1.dist-info/METADATA", metadata),
                (
                    "usr/lib/python3/dist-packages/six.egg-info/PKG-INFO",
                    "Name: six\nVersion: 1.16.0\n",
                ),
                (
                    "data/venv/lib/python3.12/site-packages/a-1.dist-info/METADATA",
                    "Name: a\nVersion: 1\n",
                ),
            ],
            &["/data".to_owned(), "/usr/src/app".to_owned(), "/".to_owned()],
        );
        assert_eq!(
            names,
            [
                "Flask 3.0.1 usr/lib/python3.11/site-packages/flask-3.0.1.dist-info",
                "a 1 data/venv/lib/python3.12/site-packages/a-1.dist-info",
                "six 1.16.0 usr/lib/python3/dist-packages/six.egg-info",
            ]
        );
    }

    #[test]
    fn folders_without_end_end_the_search_with_a_word() {
        let folder = testing::root(&[]);
        for n in 0..30 {
            std::fs::create_dir_all(folder.path().join(format!("opt/{n}/a/b/c"))).expect("folders");
        }
        let problems = |entries| {
            testing::packages(folder.path(), |root, found| read_within(root, &[], entries, found)).1
        };
        assert!(problems(1000).is_empty());
        assert!(problems(50)[0].contains("not all packages of languages"), "{:?}", problems(50));
    }
}
