use crate::About;
use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;

/// Upper bounds of histograms whose name ends in `_seconds`: 100 µs to a minute.
const SECONDS: [f64; 17] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 60.0,
];

/// Upper bounds of histograms whose name ends in `_bytes`: 256 bytes to 16 MiB.
const BYTES: [f64; 9] =
    [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// How often samples that no scrape has fetched are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder behind the macros of the `metrics` crate.
pub(crate) fn install(about: &About) -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("metrics have a recorder already")?;
    describe_build(about);
    Ok(handle)
}

fn describe_build(about: &About) {
    metrics::describe_gauge!("defender_build_info", "Always 1; the labels tell the build.");
    metrics::describe_gauge!("defender_part_ready", "1 while this part of the service is ready.");
    metrics::gauge!(
        "defender_build_info",
        "component" => about.name,
        "version" => about.version,
        "revision" => about.revision.unwrap_or_default(),
    )
    .set(1.0);
}

/// Keeps the recorder's memory bounded while nobody scrapes.
pub(crate) async fn keep_up(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}
