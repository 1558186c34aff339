use crate::config::KnownKeys;
use crate::{About, Flag};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::fmt::Write;
use std::path::PathBuf;

/// What the command line asks for.
pub(crate) struct Arguments {
    pub(crate) config: Option<PathBuf>,
    pub(crate) check_config: bool,
    /// The values of the program's own flags.
    pub(crate) flags: Vec<(Flag, String)>,
    /// The subcommand that is to run instead of the service.
    pub(crate) tool: Option<(String, ArgMatches)>,
}

impl Arguments {
    /// Reads the command line. Answers `--help`, `--version` and wrong arguments itself, by ending the process.
    pub(crate) fn read(about: &About, tools: Vec<Command>, keys: &KnownKeys) -> Self {
        let mut matches = command(about, keys).subcommands(tools).get_matches();
        Self {
            config: matches.remove_one("config"),
            check_config: matches.get_flag("check-config"),
            flags: given(about.flags, &mut matches),
            tool: matches.remove_subcommand(),
        }
    }
}

fn given(flags: &[Flag], matches: &mut ArgMatches) -> Vec<(Flag, String)> {
    let value = |flag: &Flag| Some((*flag, matches.remove_one::<String>(flag.name)?));
    flags.iter().filter_map(value).collect()
}

fn own(flag: &Flag) -> Arg {
    let help = format!("{}; sets {}", flag.help, flag.key);
    Arg::new(flag.name).long(flag.name).value_name(flag.value_name).help(help)
}

fn command(about: &About, keys: &KnownKeys) -> Command {
    Command::new(about.name)
        .version(about.long_version())
        .about(about.purpose)
        .after_help(explanation(keys))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .env(crate::config::FILE_VARIABLE)
                .global(true)
                .value_parser(value_parser!(PathBuf))
                .help("YAML configuration file; without one, defaults and environment hold"),
        )
        .arg(
            Arg::new("check-config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Check the configuration, print what holds, and end (0: good, 2: wrong)"),
        )
        .args(about.flags.iter().map(own))
}

/// The part of `--help` below the flags: every key with its default, and what else one needs to know.
fn explanation(keys: &KnownKeys) -> String {
    let values = keys.values();
    let width = values.iter().map(|(path, _)| path.join(".").len()).max().unwrap_or(0);
    let mut text = "Configuration keys and their defaults:\n".to_owned();
    for (path, default) in values {
        let _ = writeln!(text, "  {:width$}  {default}", path.join("."));
    }
    text.push_str(
        "
Each key can be set in the environment, which wins over the file: DEFENDER_, then the key in
capitals with two underscores for each dot. DEFENDER_LOG__LEVEL=debug sets log.level. Lists are
written with commas. A flag that sets a key wins over both.

The address admin.listen serves /metrics (Prometheus), /healthz (the process runs) and /readyz
(200 when every part is ready, else the reasons). Logs go to standard error: text on a terminal,
JSON otherwise.

SIGTERM or SIGINT ends the service once its parts have finished; a second one ends it at once.
Exit codes: 0 ended as asked, 1 failed, 2 wrong arguments or configuration, 128 + N second signal N.",
    );
    text
}
