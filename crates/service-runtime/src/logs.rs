use crate::ConfigProblem;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The key `log`. Logs go to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; also by module, such as `info,node_link=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl LogConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigProblem> {
        self.filter().map(drop)
    }

    fn filter(&self) -> Result<Targets, ConfigProblem> {
        self.level.split(',').try_fold(Targets::new(), |targets, part| {
            let (module, level) = match part.split_once('=') {
                Some((module, level)) => (Some(module.trim()), level.trim()),
                None => (None, part.trim()),
            };
            let level = parse_level(level).ok_or_else(|| not_a_level(level))?;
            Ok(match module {
                Some(module) => targets.with_target(module, level),
                None => targets.with_default(level),
            })
        })
    }
}

fn parse_level(word: &str) -> Option<LevelFilter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    levels.contains(&word).then(|| word.parse().ok()).flatten()
}

fn not_a_level(word: &str) -> ConfigProblem {
    let message = format!(
        "{word:?} is no level: write error, warn, info, debug or trace, or info,MODULE=debug"
    );
    ConfigProblem::new("log.level", message)
}

/// Sends the logs of the whole process to standard error.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none());
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let log = tracing_subscriber::registry().with(config.filter()?);
    if json {
        log.with(lines.json().flatten_event(true).with_span_list(false)).try_init()?;
    } else {
        log.with(lines).try_init()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::LogConfig;

    #[test]
    fn levels_are_checked_before_they_are_used() {
        let level = |level: &str| LogConfig { level: level.to_owned(), ..LogConfig::default() };
        assert_eq!(level("info,node_link=debug").validate(), Ok(()));
        for wrong in ["", "loud", "INFO", "info,node_link=loud", "node_link="] {
            let problem = level(wrong).validate().expect_err(wrong).to_string();
            assert!(problem.starts_with("log.level: "), "{problem}");
            assert!(problem.contains("is no level: write error, warn, info"), "{problem}");
        }
    }
}
