//! The authority of all certificates is replaced under load, with the real programs on both sides: nothing is lost,
//! and no connection breaks.

use anyhow::{Result, ensure};
use pipeline::numbered::{Account, Stream};
use std::path::Path;
use std::time::Duration;
use suite::certificates::{Authority, Certificates, Validity};
use suite::deadline::wait_for;
use suite::program::Name;
use suite::{Machine, Options};

const TAKEN_UP_WITHIN: Duration = Duration::from_mins(2);
const STORED_WITHIN: Duration = Duration::from_mins(1);

#[test]
fn the_authority_is_replaced_under_load_and_nothing_is_lost() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let (old, new) = (Authority::generate("The old one")?, Authority::generate("The new one")?);
    let mut rotation = Rotation::begin(folder.path(), &old)?;
    rotation.trust(&[&old, &new])?;
    rotation.replace_publisher(&new)?;
    rotation.replace_backend(&new)?;
    rotation.trust(&[&new])?;
    rotation.end()
}

/// A publisher and a backend, and who sends meanwhile.
struct Rotation {
    machine: Machine,
    certificates: Certificates,
    stream: Stream,
    /// Attempts before the backend listened.
    failed_at_start: f64,
}

impl Rotation {
    fn begin(folder: &Path, authority: &Authority) -> Result<Self> {
        let options = Options { sensor: false, ..pipeline::options(folder, None)? };
        let (cluster, node) = (options.cluster.clone(), options.places.node.clone());
        let socket = options.places.socket();
        let mut machine = Machine::prepare(options)?;
        let tls = folder.join("tls");
        let certificates = Certificates::signed_by(authority, &tls, &cluster, &node)?;
        for name in [Name::Backend, Name::PublisherDs] {
            machine.add(&machine.launch(name)?)?;
        }
        machine.wait_ready()?;
        let publisher = machine.program(Name::PublisherDs)?;
        let failed_at_start = publisher.metric("defender_egress_reconnects_total")?;
        Ok(Self { machine, certificates, stream: Stream::begin(&socket)?, failed_at_start })
    }

    /// Both sides read one file of authorities: both have to take it up.
    fn trust(&mut self, authorities: &[&Authority]) -> Result<()> {
        let before = (self.renewals()?, self.taken_up_by_backend()?);
        self.certificates.trust(authorities)?;
        self.wait(before.0 + 1, before.1 + 1)
    }

    fn replace_publisher(&mut self, authority: &Authority) -> Result<()> {
        let before = (self.renewals()?, self.taken_up_by_backend()?);
        let Options { cluster, places, .. } = self.machine.options();
        self.certificates.issue_publisher(authority, cluster, &places.node, Validity::Years)?;
        self.wait(before.0 + 1, before.1)
    }

    fn replace_backend(&mut self, authority: &Authority) -> Result<()> {
        let before = (self.renewals()?, self.taken_up_by_backend()?);
        self.certificates.issue_backend(authority)?;
        self.wait(before.0, before.1 + 1)
    }

    fn wait(&mut self, renewals: usize, taken_up: usize) -> Result<()> {
        wait_for("both sides to take up what changed", TAKEN_UP_WITHIN, || {
            let now = (self.renewals()?, self.taken_up_by_backend()?);
            ensure!(now.0 >= renewals && now.1 >= taken_up, "only {now:?} times");
            Ok(())
        })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A count.
    fn renewals(&mut self) -> Result<usize> {
        let publisher = self.machine.program(Name::PublisherDs)?;
        let label = "reason=\"files\",outcome=\"done\"";
        Ok(publisher.metric_where("defender_egress_renewals_total", label)? as usize)
    }

    fn taken_up_by_backend(&mut self) -> Result<usize> {
        let log = self.machine.program(Name::Backend)?.last_lines(usize::MAX);
        Ok(log.matches("certificate renewed").count())
    }

    /// Expects each event once, and no connection to have broken.
    fn end(self) -> Result<()> {
        let Self { mut machine, stream, failed_at_start, .. } = self;
        let sent = stream.stop();
        let api = machine.api();
        let Account { missing: lost, repeated, .. } =
            wait_for("all events in the store", STORED_WITHIN, || {
                let account = Account::take(&api, sent)?;
                ensure!(account.missing == 0, "{account:?} of {sent}");
                Ok(account)
            })?;
        let publisher = machine.program(Name::PublisherDs)?;
        let broken = publisher.metric("defender_egress_reconnects_total")? - failed_at_start;
        let late = publisher.metric_where("defender_egress_renewals_total", "failed")?;
        println!(
            "shown: rotation: certificates and authority of both sides under load, {sent} events: {lost} lost, {repeated} \
             stored twice, {broken} connections broke, {late} renewals had to be tried again"
        );
        ensure!(repeated == 0, "{repeated} were stored twice");
        ensure!(broken == 0.0, "{broken} connections broke:\n{}", publisher.last_lines(20));
        machine.stop()
    }
}
