//! Documentation that would rot unseen is checked here.

#[cfg(test)]
mod tests {
    use crate::folders::repository;
    use std::fs;

    fn read(path: &str) -> String {
        fs::read_to_string(repository().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The names in `[workspace.dependencies]` that come from outside.
    fn dependencies() -> Vec<String> {
        let manifest = read("Cargo.toml");
        let (_, section) = manifest.split_once("[workspace.dependencies]\n").unwrap();
        let (section, _) = section.split_once("\n[").unwrap();
        section
            .lines()
            .filter(|line| !line.contains("path = "))
            .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
            .collect()
    }

    #[test]
    fn every_dependency_says_what_it_is_for() {
        let documented = read("docs/dependencies.md");
        let missing: Vec<_> = dependencies()
            .into_iter()
            .filter(|name| !documented.contains(&format!("`{name}`")))
            .collect();
        assert!(missing.is_empty(), "without a line in docs/dependencies.md: {missing:?}");
    }

    #[test]
    fn every_dependency_is_used() {
        let manifests = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
        let members = manifests.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
        let used: String = members
            .split('"')
            .filter(|part| part.starts_with(char::is_alphabetic))
            .map(|member| read(&format!("{member}/Cargo.toml")))
            .collect();
        let unused: Vec<_> = dependencies()
            .into_iter()
            .filter(|name| {
                !used.contains(&format!("\n{name}.workspace"))
                    && !used.contains(&format!("\n{name} = "))
            })
            .collect();
        assert!(unused.is_empty(), "in Cargo.toml and used by no member: {unused:?}");
    }
}
