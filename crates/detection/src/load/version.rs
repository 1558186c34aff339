//! What a rule file asks of the engine that loads it.

use super::entries::Entries;
use crate::diagnostic::Report;
use crate::source::Text;

/// The version of the language's first engine whose conditions, loading rules and overrides this engine follows.
pub(crate) const ENGINE_VERSION: (u64, u64, u64) = (0, 63, 0);

/// Plugins of other engines whose fields are built in here.
const BUILT_IN: [&str; 6] =
    ["container", "json", "k8saudit", "k8saudit-eks", "k8saudit-gke", "k8saudit-aks"];

/// `required_engine_version`: the same major version, and at least. A plain number is the minor version.
pub(super) fn check_engine(entries: &Entries<'_>, report: &mut Report<'_>) {
    entries.refuse_unknown_keys(&["required_engine_version"], report);
    let Some(text) = entries.text("required_engine_version", report) else { return };
    let (major, minor, patch) = ENGINE_VERSION;
    match parse(&text.value) {
        None => {
            report
                .error(text.place, format!("`{}` is no version", text.value))
                .help("such as 0.57.0");
        }
        Some(needed) if needed.0 != major || needed > ENGINE_VERSION => {
            let message = format!(
                "engine version {} is required, this is {major}.{minor}.{patch}",
                text.value
            );
            report.error(text.place, message);
        }
        Some(_) => {}
    }
}

fn parse(version: &str) -> Option<(u64, u64, u64)> {
    if let Ok(minor) = version.parse() {
        return Some((0, minor, 0));
    }
    let plain = version.split(['-', '+']).next()?;
    let mut numbers = plain.split('.').map(|number| number.parse().ok());
    let version = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(version)
}

/// `required_plugin_versions`: each plugin, or an alternative to it, must be one that is built in.
pub(super) fn check_plugins(entries: &Entries<'_>, report: &mut Report<'_>) {
    entries.refuse_unknown_keys(&["required_plugin_versions"], report);
    let nodes = entries.sequence("required_plugin_versions", report).unwrap_or_default();
    for node in nodes {
        let Some(plugin) = Entries::of(node, "a required plugin", report) else { continue };
        plugin.refuse_unknown_keys(&["name", "version", "alternatives"], report);
        let mut names: Vec<Text> = plugin.text("name", report).into_iter().collect();
        for alternative in plugin.sequence("alternatives", report).unwrap_or_default() {
            let alternative = Entries::of(alternative, "an alternative plugin", report);
            names.extend(alternative.and_then(|alternative| alternative.text("name", report)));
        }
        if let Some(first) = names.first()
            && !names.iter().any(|name| BUILT_IN.contains(&name.value.as_str()))
        {
            let help = format!("built in are {}", BUILT_IN.join(", "));
            report
                .error(first.place, format!("there is no plugin `{}` here", first.value))
                .help(help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_plain_number_is_the_minor_version() {
        assert_eq!(parse("15"), Some((0, 15, 0)));
        assert_eq!(parse("0.57.0"), Some((0, 57, 0)));
        assert_eq!(parse("0.57"), None);
        assert_eq!(parse("new"), None);
    }
}
