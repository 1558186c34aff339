use anyhow::{Context, Result};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// As the publisher's own load comes.
const BURSTS_EACH_SECOND: u64 = 200;

/// Local use 0, informational (RFC 3164, 4.1.1).
const PRIORITY: u32 = 134;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shipper's socket, a stream.
    #[arg(long)]
    socket: PathBuf,
    /// Events a second.
    #[arg(long)]
    rate: u64,
    /// For how long.
    #[arg(long)]
    seconds: u64,
}

/// Prints how many lines were taken. Who takes less than is offered holds the sender up.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut socket = UnixStream::connect(&arguments.socket).context("connecting to --socket")?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs(arguments.seconds);
    let mut number = 0;
    let mut burst = String::new();
    for turn in 1..=arguments.seconds * BURSTS_EACH_SECOND {
        let due = begin + Duration::from_millis(turn * 1000 / BURSTS_EACH_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if Instant::now() > end + Duration::from_millis(100) {
            break;
        }
        burst.clear();
        let through = turn * arguments.rate / BURSTS_EACH_SECOND;
        (number + 1..=through).try_for_each(|number| line(&mut burst, number))?;
        socket.write_all(burst.as_bytes()).context("the shipper hung up")?;
        number = through;
    }
    println!("{number}");
    Ok(())
}

/// A fork with a number for its process, as the publisher's load has it.
fn line(burst: &mut String, number: u64) -> std::fmt::Result {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let event = json!({
        "time": u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
        "process": { "pid": number, "start_time": number * 10_000_000, "generation": 1 },
        "kind": "fork",
        "child": { "pid": number, "start_time": number * 10_000_000 },
    });
    writeln!(burst, "<{PRIORITY}>Nov 23 12:00:00 node load: {event}")
}
