use crate::ConfigProblem;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
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
        self.filter().map(drop).map_err(|error| {
            let way_out = "write error, warn, info, debug or trace, or info,MODULE=debug";
            ConfigProblem::new("log.level", format!("{error}; {way_out}"))
        })
    }

    fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        EnvFilter::builder().with_regex(false).parse(&self.level)
    }
}

/// Sends the logs of the whole process to standard error.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(config.filter()?)
        .with_writer(std::io::stderr)
        .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none());
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json {
        lines.json().flatten_event(true).with_span_list(false).finish().try_init()?;
    } else {
        lines.finish().try_init()?;
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
        let problem = level("info,node_link=loud").validate().expect_err("loud is no level");
        assert!(problem.to_string().starts_with("log.level: "), "{problem}");
        assert!(problem.to_string().contains("debug or trace"), "{problem}");
    }
}
