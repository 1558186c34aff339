use crate::ServiceConfig;
use clap::{ArgMatches, Command};
use std::process::ExitCode;

/// Something that a service's binary does beside the service: a subcommand, which gets the checked configuration, does
/// its work and ends.
pub struct Tool<C: ServiceConfig> {
    /// The subcommand's name and arguments.
    pub command: fn() -> Command,
    /// Does it. An error is printed, and the exit code is 1 then.
    pub run: fn(&ArgMatches, C) -> anyhow::Result<ExitCode>,
}
