use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The sensor's programs, maps and links, by the ids that the kernel gave them: what others can ask the kernel for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnObjects {
    /// Programs.
    pub programs: BTreeSet<u32>,
    /// Maps.
    pub maps: BTreeSet<u32>,
    /// Links, which keep programs attached.
    pub links: BTreeSet<u32>,
}

impl OwnObjects {
    /// All that this process holds open now, as `/proc/self/fdinfo` tells.
    pub fn held() -> Self {
        Self::listed_in(Path::new("/proc/self/fdinfo"))
    }

    fn listed_in(folder: &Path) -> Self {
        let mut held = Self::default();
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for text in entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()) {
            held.read(&text);
        }
        held
    }

    /// A link tells its program's id besides its own.
    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let ids = match name {
                "prog_id" => &mut self.programs,
                "map_id" => &mut self.maps,
                "link_id" => &mut self.links,
                _ => continue,
            };
            ids.extend(value.trim().parse::<u32>().ok());
        }
    }

    /// Whether an argument of bpf(2), by its name among those of the event, names one of them.
    pub fn has(&self, argument: &str, value: &str) -> bool {
        let ids = match argument {
            "prog_id" => &self.programs,
            "map_id" => &self.maps,
            "link_id" => &self.links,
            _ => return false,
        };
        value.parse().is_ok_and(|id| ids.contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_what_the_kernel_tells_of_descriptors() {
        let folder = tempfile::tempdir().expect("a directory");
        let map = "pos:\t0\nflags:\t02000002\nmap_type:\t27\nmax_entries:\t4194304\nmap_id:\t12\n";
        let link = "pos:\t0\nlink_type:\ttracing\nlink_id:\t7\nprog_tag:\t3b185187f1855c4c\nprog_id:\t31\n";
        for (name, text) in [("3", map), ("4", link), ("5", "pos:\t0\nflags:\t0\n")] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let held = OwnObjects::listed_in(folder.path());
        assert_eq!((held.programs.len(), held.maps.len(), held.links.len()), (1, 1, 1));
        assert!(held.has("map_id", "12") && held.has("prog_id", "31") && held.has("link_id", "7"));
        assert!(!held.has("map_id", "7") && !held.has("cmd", "12") && !held.has("map_id", "x"));
    }
}
