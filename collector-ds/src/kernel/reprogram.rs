//! Asks the kernel for other acts and files while the programs run.
//!
//! In two steps, between which the rules are exchanged: first all that either set of rules needs is looked at, then no more than the new
//! one does. Programs that serve both stay attached, those of processes and cgroups always: nothing that both sets
//! ask for is missed or told twice.

use super::attach::Attacher;
use super::features::kernel_types;
use super::loader::load_again;
use super::watched_paths::want;
use super::{KernelConfig, PatternError, Sensor, SensorError};
use ebpf_probes::RecordKind;
use event_model::ProbeCoverage;

impl Sensor {
    /// What the kernel is asked for now.
    pub const fn config(&self) -> &KernelConfig {
        &self.config
    }

    /// Whether another configuration asks the kernel for the same acts and files.
    pub fn asks_for_the_same(&self, config: &KernelConfig) -> bool {
        let (now, then) = (&self.config, config);
        (now.environment, &now.acts) == (then.environment, &then.acts)
            && now.files.watches_the_same(&then.files)
    }

    /// Looks also at the acts and files of `config`; what else stands there is not taken. `between` is called after each program that
    /// is attached, for the records that came meanwhile: the kernel takes its time to check a program.
    pub fn widen(
        &mut self,
        config: &KernelConfig,
        mut between: impl FnMut(&mut Self),
    ) -> Result<(), SensorError> {
        let files = self.config.files.joined(&config.files)?;
        let (paths, room) = (files.nodes.len(), self.path_room);
        if paths > room {
            return Err(PatternError::Room { paths, room }.into());
        }
        files.widen(&mut self.attached.maps, self.path_changes)?;
        self.path_changes += 1;
        self.config.files = files;
        self.config.acts.extend(&config.acts);
        self.want_acts()?;
        self.want_environment(self.config.environment || config.environment)?;
        let acts = self.config.acts.clone();
        let untried = self.attached.untried(|kind| !kind.is_act() || acts.contains(&kind));
        if untried.is_empty() {
            return Ok(());
        }
        let types = kernel_types()?;
        let mut object = load_again(&types, &self.attached.maps)?;
        for place in untried {
            let mut attacher = Attacher::new(&mut self.attached, object, &types);
            attacher.attach_probe(place);
            object = attacher.into_object();
            between(self);
        }
        let mut attacher = Attacher::new(&mut self.attached, object, &types);
        attacher.finish();
        drop(attacher);
        self.own_objects = self.attached.own_objects();
        Ok(())
    }

    /// Looks no longer at acts and files that `config` does not ask for.
    pub fn narrow(&mut self, config: &KernelConfig) -> Result<(), SensorError> {
        self.config.acts.retain(|kind| config.acts.contains(kind));
        self.want_acts()?;
        self.want_environment(config.environment)?;
        let acts = &self.config.acts;
        let error = |source| SensorError::Map { name: ebpf_probes::maps::CALL_ROUTES, source };
        self.attached.give_up(|kind| !kind.is_act() || acts.contains(&kind)).map_err(error)?;
        self.path_changes += 1;
        let (before, maps) = (&self.config.files, &mut self.attached.maps);
        config.files.narrow(before, maps, self.path_changes)?;
        self.config.files.clone_from(&config.files);
        self.own_objects = self.attached.own_objects();
        Ok(())
    }

    /// How each kind of event is seen now.
    pub fn coverage(&self) -> Vec<ProbeCoverage> {
        self.attached.coverage()
    }

    fn want_acts(&mut self) -> Result<(), SensorError> {
        let acts = &self.config.acts;
        let wanted = |kind: RecordKind| !kind.is_act() || acts.contains(&kind);
        let maps = &mut self.attached.maps;
        want(maps, wanted)?;
        self.config.network.want(maps, wanted)
    }
}
