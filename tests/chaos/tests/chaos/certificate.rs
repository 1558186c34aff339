//! A certificate's end.

use crate::site::{CLUSTER, Site};
use anyhow::Result;
use std::time::Duration;
use suite::certificates::Validity;
use suite::program::Name;

#[test]
fn a_certificate_expires_and_its_successor_is_taken_up() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for_progress()?;
    let node = site.machine.options().places.node.clone();
    let issue = |site: &Site, validity| {
        site.certificates.issue_publisher(&site.authority, CLUSTER, &node, validity)
    };
    issue(&site, Validity::For(Duration::from_secs(8)))?;
    // The next connection is made with it.
    site.machine.program(Name::Backend)?.crash_and_restart()?;
    site.wait_for_trouble(&["client_certificate"], Duration::from_mins(1))?;
    issue(&site, Validity::Years)?;
    site.recover("a certificate that expired under way")
}
