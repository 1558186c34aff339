//! What the publisher does, asked of others: the same events as lines of JSON, sent to a shipper of logs and received from
//! it over mutual TLS.

mod receive;
mod send;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
enum Command {
    /// Sends numbered events as syslog lines into a Unix socket, at a steady rate, as far as they are taken.
    Send(send::Arguments),
    /// Receives them from one client after another, and tells each second how many came and how late.
    Receive(receive::Arguments),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Send(arguments) => send::run(&arguments),
        Command::Receive(arguments) => receive::run(&arguments),
    }
}
