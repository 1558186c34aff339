//! A publisher in a network namespace of its own, a road, and a backend at its other end.

use anyhow::{Context, Result, ensure};
use chaos::Road;
use pipeline::numbered::{Account, Stream};
use serde_json::json;
use std::time::{Duration, Instant};
use suite::Machine;
use suite::certificates::{Authority, Certificates};
use suite::deadline::wait_for;
use suite::program::{Launch, Name};
use tempfile::TempDir;

pub const CLUSTER: &str = "test";

/// The publisher notices a dead connection within 40 s, and pauses for 30 s at most between attempts.
const RECOVERED_WITHIN: Duration = Duration::from_mins(3);

pub struct Site {
    pub machine: Machine,
    pub road: Road,
    pub authority: Authority,
    pub certificates: Certificates,
    stream: Option<Stream>,
    _folder: TempDir,
}

impl Site {
    /// All is well, and events are on their way.
    pub fn begin() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut options = pipeline::options(folder.path(), None)?;
        options.sensor = false;
        let authority = Authority::generate("The authority of a test")?;
        let tls = folder.path().join("tls");
        let node = options.places.node.clone();
        let certificates = Certificates::signed_by(&authority, &tls, CLUSTER, &node)?;
        let machine = Machine::prepare(options)?;
        let road = Road::open()?;
        let mut site =
            Self { machine, road, authority, certificates, stream: None, _folder: folder };
        for name in [Name::Backend, Name::PublisherDs] {
            let launch = site.launch(name)?;
            site.machine.add(&launch)?;
        }
        site.wait_ready()?;
        let socket = site.machine.options().places.socket();
        site.stream = Some(Stream::begin(&socket)?);
        Ok(site)
    }

    fn launch(&self, name: Name) -> Result<Launch> {
        let places = &self.machine.options().places;
        let at_road = format!("{}:{}", self.road.near(), places.ingest_port);
        let admin = places.admin_ports[name as usize];
        let is_backend = name == Name::Backend;
        let configuration = if is_backend {
            let mut configuration = places.backend(&self.certificates, admin);
            configuration["ingest"]["listen"] = json!(at_road);
            configuration
        } else {
            let mut configuration = places.publisher(&self.certificates, admin);
            configuration["backend"]["url"] = json!(format!("https://{at_road}"));
            configuration["backend"]["server_name"] = json!("localhost");
            configuration
        };
        let binaries = &self.machine.options().binaries;
        let launch = Launch::new(name, binaries, &places.directory, &configuration, admin)?;
        Ok(Launch { network: (!is_backend).then(|| self.road.namespace()), ..launch })
    }

    /// The backend, again.
    pub fn start_backend(&mut self) -> Result<()> {
        let launch = self.launch(Name::Backend)?;
        self.machine.add(&launch)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let limit = Duration::from_mins(1);
        self.machine.program(Name::Backend)?.wait_ready(limit)?;
        let publisher = self.machine.program(Name::PublisherDs)?;
        self.road.inside(|| publisher.wait_ready(limit))?
    }

    /// The sum of a metric of the publisher, over the lines that have `label`.
    pub fn metric(&mut self, name: &str, label: &str) -> Result<f64> {
        let publisher = self.machine.program(Name::PublisherDs)?;
        self.road.inside(|| publisher.metric_where(name, label))?
    }

    /// Waits until the publisher counted trouble of one of these reasons.
    pub fn wait_for_trouble(&mut self, reasons: &[&str], limit: Duration) -> Result<()> {
        let what = format!("trouble of the kinds {reasons:?}");
        wait_for(&what, limit, || {
            let publisher = self.machine.program(Name::PublisherDs)?;
            let text = self.road.inside(|| publisher.metrics())??;
            let lines = text.lines().filter(|line| line.starts_with("defender_egress_reconnects"));
            let told: Vec<&str> = lines.collect();
            let is_told = |line: &&str| {
                reasons.iter().any(|reason| line.contains(&format!("reason=\"{reason}\"")))
            };
            ensure!(told.iter().any(is_told), "{told:?}");
            Ok(())
        })
    }

    /// Waits until something was stored since, so that what follows happens to a connection at work.
    pub fn wait_for_progress(&mut self) -> Result<()> {
        let name = "defender_records_delivered_total";
        let before = self.metric(name, "")?;
        wait_for("events delivered", Duration::from_mins(1), || {
            let now = self.metric(name, "")?;
            ensure!(now > before, "{now} as before");
            Ok(())
        })
    }

    /// The trouble is over: all that was sent must come, once. Prints the account.
    pub fn recover(mut self, what: &str) -> Result<()> {
        let healed = Instant::now();
        let sent = self.stream.take().context("the stream was begun")?.stop();
        let account = wait_for("every number in the store", RECOVERED_WITHIN, || {
            let account = Account::take(&self.machine.api(), sent)?;
            ensure!(account.missing == 0, "{account:?}");
            Ok(account)
        });
        let account = account.with_context(|| {
            let log = self.machine.program(Name::PublisherDs).map(|it| it.last_lines(12));
            format!("the end of the publisher's log:\n{}", log.unwrap_or_default())
        })?;
        let reconnects = self.metric("defender_egress_reconnects_total", "")?;
        pipeline::verify_spool(&self.launch(Name::PublisherDs)?)?;
        println!(
            "shown: chaos: {what}: {sent} events, {} lost, {} stored twice; {reconnects} new connections, all there {:.1} s after; the spool is whole",
            account.missing,
            account.repeated,
            healed.elapsed().as_secs_f64(),
        );
        ensure!(account.repeated == 0 && account.foreign == 0, "{account:?}");
        self.machine.stop()
    }
}
