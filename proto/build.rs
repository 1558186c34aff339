//! Generates the wire types and services, without a protoc on the machine.

use std::error::Error;

const DEFINITIONS: [&str; 4] = [
    "defender/v1/envelope.proto",
    "defender/v1/node.proto",
    "defender/v1/ingest.proto",
    "defender/v1/record.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(DEFINITIONS, ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".defender.v1.Envelope.payload")
        .compile_fds(descriptors)?;
    Ok(())
}
