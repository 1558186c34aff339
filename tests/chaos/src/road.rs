use crate::Conditions;
use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tun_rs::{DeviceBuilder, SyncDevice};

const MTU: u16 = 1500;

/// With nothing under way, the clock is looked at so often.
const IDLE: Duration = Duration::from_mins(1);

/// A road from a network namespace of its own to this process's.
pub struct Road {
    namespace: String,
    near: String,
    conditions: Arc<Mutex<Conditions>>,
}

impl Road {
    /// Makes the namespace and opens the road. Takes root's rights.
    pub fn open() -> Result<Self> {
        // RFC 2544 keeps 198.18.0.0/15 for tests of networks.
        let number = std::process::id();
        let (third, fourth) = (number / 64 % 256, number % 64 * 4);
        let address = |host: u32| format!("198.18.{third}.{}", fourth + host);
        let road = Self {
            namespace: format!("defender-chaos-{number}"),
            near: address(1),
            conditions: Arc::default(),
        };
        ip(&["netns", "add", &road.namespace])?;
        let near = device(&format!("dfn{number}"), &road.near)?;
        let far = road.inside(|| device(&format!("dff{number}"), &address(2)))??;
        road.inside(|| ip(&["link", "set", "lo", "up"]))??;
        let (near, far) = (Arc::new(near), Arc::new(far));
        carry(Arc::clone(&near), Arc::clone(&far), Arc::clone(&road.conditions));
        carry(far, near, Arc::clone(&road.conditions));
        Ok(road)
    }

    /// This process's address on the road.
    pub fn near(&self) -> &str {
        &self.near
    }

    /// The namespace, as setns(2) takes it.
    pub fn namespace(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.namespace)
    }

    /// From now on packets fare so, in both directions. What is under way arrives.
    pub fn set(&self, conditions: Conditions) {
        *self.conditions.lock().expect("no holder panics") = conditions;
    }

    /// A good road again.
    pub fn mend(&self) {
        self.set(Conditions::default());
    }

    /// Does something in the namespace.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(self.namespace())?;
        thread::scope(|scope| {
            let entered = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).context("entering the namespace")?;
                Ok(act())
            });
            entered.join().expect("what is done in the namespace does not panic")
        })
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.namespace]);
    }
}

fn device(name: &str, address: &str) -> Result<SyncDevice> {
    let device = DeviceBuilder::new().name(name).build_sync().context("making a TUN device")?;
    ip(&["link", "set", name, "mtu", &MTU.to_string(), "up"])?;
    ip(&["address", "add", &format!("{address}/30"), "dev", name])?;
    Ok(device)
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("starting ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), said.trim());
    Ok(())
}

type Packet = Vec<u8>;

/// Carries packets in one direction as long as this process lives.
fn carry(from: Arc<SyncDevice>, to: Arc<SyncDevice>, conditions: Arc<Mutex<Conditions>>) {
    let (set_out, under_way) = channel::<(Instant, Packet)>();
    thread::spawn(move || take(&from, &conditions, &set_out));
    thread::spawn(move || hand_over(&to, &under_way));
}

fn take(from: &SyncDevice, conditions: &Mutex<Conditions>, set_out: &Sender<(Instant, Packet)>) {
    let mut buffer = vec![0; usize::from(MTU) + 64];
    let mut free = Instant::now();
    while let Ok(length) = from.recv(&mut buffer) {
        let now = conditions.lock().expect("no holder panics").clone();
        let Some(arrival) = now.arrival(length, &mut free) else { continue };
        if set_out.send((arrival, buffer[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn hand_over(to: &SyncDevice, under_way: &Receiver<(Instant, Packet)>) {
    let mut waiting: BTreeMap<(Instant, u64), Packet> = BTreeMap::new();
    let mut count = 0;
    loop {
        let next = waiting.first_key_value().map(|((due, _), _)| *due);
        let pause = next.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
        match under_way.recv_timeout(pause) {
            Ok((due, packet)) => {
                count += 1;
                waiting.insert((due, count), packet);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some(entry) = waiting.first_entry().filter(|it| it.key().0 <= Instant::now()) {
            // A device that is down takes nothing: the packet is lost, as on any road.
            let _ = to.send(&entry.remove());
        }
    }
}
