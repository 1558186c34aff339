//! `backend enrolment …`: what the API offers, for a shell beside a running backend.

mod client;
mod table;

use crate::api::schema::{
    Allowed, BootstrapTokens, EnrolmentPage, NewBootstrapToken, NewlyMadeToken, NodeName, Revoked,
    TokenRevocation,
};
use crate::config::Config;
use crate::hexadecimal;
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use client::Client;
use ring::digest::{SHA256, digest};
use server_credentials::first_certificate;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The first argument that makes a command of the program.
const NAME: &str = "enrolment";
/// Wrong arguments, as clap has it.
const WRONG_ARGUMENTS: u8 = 2;
/// Certificates that `list` shows.
const LISTED: u32 = 1000;

/// Bootstrap tokens and nodes' certificates of a running backend, which is asked over its API: its configuration
/// says where that is, and the token that it wants.
#[derive(Debug, Parser)]
#[command(name = "backend enrolment")]
struct Arguments {
    /// The running backend's configuration file.
    #[arg(
        long,
        value_name = "FILE",
        env = "DEFENDER_CONFIG",
        default_value = "/etc/defender/config/backend.yaml",
        global = true
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bootstrap tokens.
    #[command(subcommand)]
    Tokens(TokenCommand),
    /// Lists the newest certificates that were issued.
    List {
        /// Of this cluster.
        #[arg(long)]
        cluster: Option<String>,
        /// Of this node.
        #[arg(long)]
        node: Option<String>,
    },
    /// Denies a node's certificates at once. It gets no others until it is allowed again.
    Revoke(Node),
    /// Lets a node that was revoked enrol again.
    Allow(Node),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Makes a token and prints it, this once.
    Create {
        /// The only cluster whose nodes it enrols.
        #[arg(long)]
        cluster: String,
        /// For how long: a number and s, m, h or d.
        #[arg(long, default_value = "30d", value_parser = seconds)]
        expires: u64,
        /// How many certificates it may bring; renewals are none.
        #[arg(long, value_name = "NUMBER")]
        maximum_uses: Option<u32>,
        /// What it is for.
        #[arg(long, default_value = "")]
        note: String,
        /// The certificate of the authority that signed the one of the ingest port, PEM: nodes show the token to nobody
        /// whom another authority vouches for.
        #[arg(long, value_name = "FILE")]
        authority: Option<PathBuf>,
    },
    /// Lists tokens, without their secrets.
    List,
    /// Revokes a token: it enrols nobody any more.
    Revoke {
        /// As `list` shows it.
        id: String,
        /// Deny the certificates too that came of it, renewed ones among them.
        #[arg(long)]
        certificates: bool,
    },
}

#[derive(Debug, Args)]
struct Node {
    /// Its cluster.
    #[arg(long)]
    cluster: String,
    /// Its name.
    #[arg(long)]
    node: String,
}

/// Runs the command that the program's arguments name. None: they name none, and are the service's.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next()?;
    let arguments: Vec<_> = arguments.collect();
    if arguments.first().is_none_or(|first| first != NAME) {
        return None;
    }
    let rest = std::iter::once(program).chain(arguments.into_iter().skip(1));
    let arguments = match Arguments::try_parse_from(rest) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return Some(ExitCode::from(if error.use_stderr() { WRONG_ARGUMENTS } else { 0 }));
        }
    };
    Some(match answer(arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("backend enrolment: {error:#}");
            ExitCode::FAILURE
        }
    })
}

fn answer(arguments: Arguments) -> anyhow::Result<String> {
    let config: Config = service_runtime::load_config(&arguments.config)?;
    let client = Client::new(&config.api)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Tokens(command) => of_tokens(&client, command).await,
            Command::List { cluster, node } => list(&client, cluster, node).await,
            Command::Revoke(Node { cluster, node }) => {
                let name = NodeName { cluster, node };
                let Revoked { certificates } =
                    client.post("/api/v1/enrolment/nodes/revoke", &name).await?;
                Ok(format!(
                    "{}/{} is revoked; certificates denied: {certificates}\n",
                    name.cluster, name.node
                ))
            }
            Command::Allow(Node { cluster, node }) => {
                let name = NodeName { cluster, node };
                let Allowed { was_revoked } =
                    client.post("/api/v1/enrolment/nodes/allow", &name).await?;
                let was = if was_revoked { "may enrol again" } else { "was not revoked" };
                Ok(format!("{}/{} {was}\n", name.cluster, name.node))
            }
        }
    })
}

async fn of_tokens(client: &Client, command: TokenCommand) -> anyhow::Result<String> {
    const TOKENS: &str = "/api/v1/enrolment/tokens";
    match command {
        TokenCommand::Create { cluster, expires, maximum_uses, note, authority } => {
            let pin = authority.as_deref().map(pin).transpose()?.unwrap_or_default();
            let wanted =
                NewBootstrapToken { cluster, expires_in_seconds: expires, maximum_uses, note };
            let made: NewlyMadeToken = client.post(TOKENS, &wanted).await?;
            Ok(format!("{}{pin}\n", made.token))
        }
        TokenCommand::List => {
            let tokens: BootstrapTokens = client.get(TOKENS).await?;
            Ok(table::of_tokens(&tokens.items))
        }
        TokenCommand::Revoke { id, certificates } => {
            anyhow::ensure!(
                id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id:?} is no token's id: `backend enrolment tokens list` shows them"
            );
            let path = format!("{TOKENS}/{id}/revoke");
            let revoked: Revoked = client.post(&path, &TokenRevocation { certificates }).await?;
            let what = if certificates {
                format!("certificates denied: {}", revoked.certificates)
            } else {
                "its certificates stay (--certificates denies them)".to_owned()
            };
            Ok(format!("{id} enrols nobody any more; {what}\n"))
        }
    }
}

/// What a token ends with to name an authority: SHA-256 of its public key (SubjectPublicKeyInfo, RFC 5280).
fn pin(authority: &Path) -> anyhow::Result<String> {
    let certificate = first_certificate(authority).context("--authority")?;
    let (_, certificate) = X509Certificate::from_der(&certificate).context("--authority")?;
    let hash = digest(&SHA256, certificate.public_key().raw);
    Ok(format!(".sha256:{}", hexadecimal::encode(hash.as_ref())))
}

async fn list(
    client: &Client,
    cluster: Option<String>,
    node: Option<String>,
) -> anyhow::Result<String> {
    let mut path = format!("/api/v1/enrolments?limit={LISTED}");
    for (name, value) in [("cluster", cluster), ("node", node)] {
        let Some(value) = value else { continue };
        anyhow::ensure!(crate::ingest::is_name(&value), "{value:?} is no {name}'s name");
        let _ = write!(path, "&{name}={value}");
    }
    let page: EnrolmentPage = client.get(&path).await?;
    Ok(table::of_certificates(&page.items))
}

/// Reads a time such as 30d.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time: write a number and s, m, h or d, such as 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_have_a_number_and_a_unit() {
        assert_eq!(seconds("30d"), Ok(2_592_000));
        assert_eq!(seconds("90s"), Ok(90));
        for text in ["", "d", "30", "3w", "-1d", "99999999999999999999d", "1ü"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_arguments_are_the_services() {
        let arguments = ["backend", "--config", "enrolment"].map(OsString::from);
        assert!(run(arguments).is_none());
    }
}
