//! Bringing the programs into the kernel.

use crate::acts::{TRUE, in_thread, run};
use crate::recorder::describe;
use collector_ds::kernel::{KernelConfig, KernelRecord, RecordKind, Sensor, SensorError};
use event_model::{ProbeState, Timestamp};
use nix::libc;
use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Small rings, all acts.
fn everything() -> KernelConfig {
    KernelConfig::everything(1 << 20)
}

#[test]
fn every_program_is_loaded_and_attached() {
    let begin = Instant::now();
    let (sensor, coverage) = Sensor::load(&everything())
        .unwrap_or_else(|error| panic!("root and BTF are needed: {error}"));
    println!("loaded in {} ms", begin.elapsed().as_millis());
    for probe in &coverage {
        println!("{}", describe(probe));
    }
    for (program, instructions) in sensor.verified_instructions() {
        println!("verified {program} {instructions}");
    }
    for problem in sensor.problems() {
        println!("problem: {problem}");
    }
    assert!(coverage.iter().all(|probe| probe.state == ProbeState::Active), "{coverage:?}");
    // What calls returned completes the records of acts: those hooks stand behind the acts' own.
    for kind in RecordKind::ALL.into_iter().filter(|kind| *kind != RecordKind::Outcome) {
        assert!(coverage.iter().any(|probe| probe.probe == kind.name()), "nothing covers {kind}");
    }
}

#[test]
fn a_thread_without_privileges_is_told_which_capability_it_lacks() {
    let result = in_thread(|| {
        // SAFETY: the raw call changes the ids of this thread alone, which ends right after.
        let dropped = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(dropped, 0);
        Sensor::load(&everything()).map(|_| ())
    });
    let error = result.expect_err("nobody may load programs");
    assert!(matches!(error, SensorError::MissingCapability), "{error}");
    assert!(error.to_string().starts_with("CAP_SYS_ADMIN is missing"), "{error}");
}

#[test]
fn without_the_end_of_calls_no_program_is_attached_there_and_the_node_says_what_it_misses() {
    let config = KernelConfig { end_of_calls: false, ..everything() };
    let (_, coverage) = Sensor::load(&config).unwrap();
    for probe in &coverage {
        assert!(probe.state != ProbeState::Failed, "{}", describe(probe));
        let left_out = probe.hook.contains("sys_exit/");
        assert_eq!(left_out, probe.state == ProbeState::Off, "{}", describe(probe));
        let reason = probe.reason.as_deref().unwrap_or_default();
        assert_eq!(
            left_out,
            reason.contains("kernel.end_of_calls is false"),
            "{}",
            describe(probe)
        );
    }
}

#[tokio::test]
async fn a_single_record_is_waited_for_and_comes_soon() {
    let (mut sensor, _) = Sensor::load(&everything()).unwrap();
    let pid = run(&mut Command::new(TRUE));
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut latency = None;
    while latency.is_none() {
        assert!(Instant::now() < deadline, "the exec of {pid} did not come");
        sensor.wait().await.unwrap();
        let clock = sensor.clock();
        sensor.poll(usize::MAX, |record| match &record {
            KernelRecord::Exec(exec) if exec.process.pid == pid => {
                let happened = clock.timestamp(record.time());
                latency = Some(Timestamp::now().milliseconds_since(happened));
            }
            _ => {}
        });
    }
    let latency = latency.unwrap();
    println!("an exec was read {latency:.1} ms after it happened");
    assert!(latency > 0.0 && latency < 5_000.0);
    assert_eq!(sensor.undecodable(), 0);
}

/// How often the sensor falls asleep: each time a record comes while it does, or soon after.
const SLEEPS: u32 = 300;

/// No timer wakes it.
#[tokio::test]
async fn a_sensor_that_sleeps_is_woken_by_the_next_record() {
    let config = KernelConfig { acts: BTreeSet::new(), ..everything() };
    let (mut sensor, _) = Sensor::load(&config).unwrap();
    let mut waited = Duration::ZERO;
    for round in 0..SLEEPS {
        while sensor.poll(usize::MAX, drop) > 0 {}
        let begin = Instant::now();
        let forking = thread::spawn(move || {
            (0..round % 50 * 100).for_each(|_| std::hint::spin_loop());
            run(&mut Command::new(TRUE))
        });
        let mut taken = 0;
        while taken == 0 {
            let woken = tokio::time::timeout(Duration::from_mins(1), sensor.wait()).await;
            woken.unwrap_or_else(|_| panic!("no record woke the sensor in round {round}")).unwrap();
            taken = sensor.poll(usize::MAX, drop);
        }
        waited += begin.elapsed();
        forking.join().unwrap();
    }
    println!("a sleeping sensor had a record {:.2?} after the act began", waited / SLEEPS);
}
