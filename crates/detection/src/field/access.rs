//! How the value of a field is taken from an act.

use super::audit::{AuditField, AuditPart};
use super::call::Call;
use super::descriptor::{self, DescriptorField};
use super::facts::Facts;
use super::file::{self, FileField};
use super::mount::{self, MountPart};
use super::network::{self, DnsField, FlowField};
use super::pooled::Pooled;
use super::socket::{End, Socket};
use super::{argument, outcome, symbols, text};
use crate::{Act, EventType};
use event_model::{Container, Event, EventKind, FileAct, FileEvent, Pod, Process, Timestamp};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Boolean(bool),
    Address(IpAddr),
    /// What a transformer could make nothing of. No comparison holds for it.
    Missing,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Missing => f.write_str("<NA>"),
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn borrowed(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    fn copied(text: &str) -> Self {
        Self::owned(text.to_owned())
    }

    pub(super) fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    pub(super) fn into_owned<'b>(self) -> Value<'b> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Value::Number(number),
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Address(address) => Value::Address(address),
            Self::Missing => Value::Missing,
        }
    }

    pub(super) fn unsigned(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(super) fn time(moment: Timestamp) -> Self {
        Self::unsigned(moment.0)
    }
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Event(EventField),
    Process(ProcessField, Who),
    /// The environment of a program that begins; of a name, that variable's value.
    Environment(Box<str>),
    Container(ContainerField),
    ContainerLabel(Box<str>),
    /// A part of the mount at a place, by its number or its place in the container, which may be a pattern.
    Mount(MountPart, Box<str>),
    Pod(PodField),
    PodLabel(Box<str>),
    /// An argument by its name.
    Argument(Box<str>),
    Descriptor(DescriptorField),
    /// An end of a socket.
    End(End, EndPart),
    File(FileField),
    Dns(DnsField),
    Flow(FlowField),
    /// Put together of others.
    Call(Box<Call>),
    /// A request to the API server of Kubernetes.
    Audit(AuditField, AuditPart),
    /// Nothing tells it. Other engines write the text where they do not know it.
    Never(Option<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EndPart {
    Address,
    Port,
    /// What the port is registered for.
    Service,
    /// By which the domain name system told the address.
    Name,
}

/// Which process of the chain is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// The one that acted.
    Itself,
    /// 1 is the parent.
    Ancestor(usize),
    /// A comparison holds where it holds for some ancestor.
    AnyAncestor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventField {
    Type,
    Time,
    RawTime,
    Direction,
    Result,
    RawResult,
    Failed,
    Arguments,
    OpensForReading,
    OpensForWriting,
    CreatesExecutable,
    Creates,
    TargetPid,
    TargetIsSensor,
    Hostname,
    /// Rules ask whether it is 0, which no event's number is.
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProcessField {
    Name,
    CommandLine,
    Arguments,
    FirstArgument,
    WholeArguments,
    Executable,
    InvokedAs,
    WorkingDirectory,
    Pid,
    ParentPid,
    NamespacePid,
    ProcessGroup,
    LeadsProcessGroup,
    TerminalNumber,
    Terminal,
    UpperLayer,
    Memfd,
    Unlinked,
    SetUid,
    SetGid,
    ExecutableOwner,
    Inode,
    ChangedAt,
    ModifiedAt,
    ChangedBeforeStart,
    Duration,
    ContainerEntry,
    Uid,
    EffectiveUid,
    UserName,
    LoginUid,
    LoginName,
    Gid,
    GroupName,
    EffectiveGid,
    CapabilitiesEffective,
    CapabilitiesPermitted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ContainerField {
    Id,
    Name,
    Kind,
    Image,
    ImageRepository,
    ImageTag,
    ImageDigest,
    Privileged,
    StartedAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PodField {
    Name,
    Namespace,
    Uid,
    ServiceAccount,
}

impl Access {
    /// The same field of an ancestor; generation 0 is the process itself.
    pub fn of_ancestor(self, generation: usize) -> Self {
        let who = if generation == 0 { Who::Itself } else { Who::Ancestor(generation) };
        match self {
            Self::Process(field, _) => Self::Process(field, who),
            other => other,
        }
    }

    pub fn with_key(self, key: &str) -> Self {
        match self {
            Self::ContainerLabel(_) => Self::ContainerLabel(key.into()),
            Self::PodLabel(_) => Self::PodLabel(key.into()),
            Self::Argument(_) => Self::Argument(key.into()),
            Self::Environment(_) => Self::Environment(key.into()),
            Self::Mount(part, _) => Self::Mount(part, key.into()),
            Self::Audit(field, _) => Self::Audit(field, AuditPart::Key(key.into())),
            other => other,
        }
    }

    /// One of a list.
    pub fn at(self, place: usize) -> Self {
        match self {
            Self::Audit(field, _) => Self::Audit(field, AuditPart::Place(place)),
            other => other,
        }
    }

    /// The value, for fields that have one value. Of a list of an audit event all of them, as it is printed.
    pub fn value<'f>(&self, facts: &'f Facts<'_>) -> Option<Value<'f>> {
        match (self, facts) {
            (Self::Call(call), _) => call.value(facts),
            (_, Facts::Act(facts)) => self.value_of_act(facts),
            (Self::Audit(field, part), Facts::Audit(facts)) => facts.value(field, part),
            (Self::Event(field), Facts::Audit(facts)) => facts.event_value(*field),
            _ => None,
        }
    }

    fn value_of_act<'f>(&self, facts: &'f ActFacts<'_>) -> Option<Value<'f>> {
        match self {
            Self::Event(field) => facts.event_value(*field),
            Self::Process(field, Who::Itself) => facts.own_value(*field),
            Self::Process(field, Who::Ancestor(generation)) => {
                facts.ancestor_value(*field, *generation)
            }
            // As a value, not compared: the parent's.
            Self::Process(field, Who::AnyAncestor) => facts.ancestor_value(*field, 1),
            Self::Environment(name) => facts.environment(name),
            Self::Container(field) => facts.container_value(*field),
            Self::ContainerLabel(key) => label(&facts.act.container?.labels, key),
            Self::Mount(part, key) => mount::value(facts.act.container?, *part, key),
            Self::Pod(field) => pod_value(*field, facts.act.container?.pod.as_ref()?),
            Self::PodLabel(key) => label(&facts.act.container?.pod.as_ref()?.labels, key),
            Self::Argument(name) => facts.argument(name),
            Self::Descriptor(field) => facts.descriptor(*field),
            Self::End(end, part) => facts.end(*end, *part),
            Self::File(field) => file::value(file_event(&facts.act.event.kind)?, *field),
            Self::Dns(field) => facts.dns(*field).into_iter().next(),
            Self::Flow(field) => match &facts.act.event.kind {
                EventKind::Network(event) => {
                    event.flow.as_ref().map(|flow| network::flow(flow, *field))
                }
                _ => None,
            },
            Self::Call(_) | Self::Audit(..) | Self::Never(_) => None,
        }
    }

    /// A value as evidence shows it. Secrets stand in an environment: of it, the names alone.
    pub fn without_secrets<'v>(&self, value: Option<Value<'v>>) -> Option<Value<'v>> {
        match (self, value) {
            (Self::Environment(name), Some(Value::Text(variables))) if name.is_empty() => {
                let name = |word: &'_ str| Some(word.split_once('=')?.0.to_owned());
                let told: Vec<String> = variables.split(' ').filter_map(name).collect();
                Some(Value::owned(told.join(" ")))
            }
            (Self::Environment(_), Some(_)) => Some(Value::borrowed("…")),
            (_, value) => value,
        }
    }

    /// Whether it may have several values at once, of which `!=` asks each.
    pub const fn has_many(&self) -> bool {
        match self {
            Self::End(End::Either, _) => true,
            Self::Call(call) => call.is_list(),
            Self::Dns(field) => field.is_list(),
            Self::Audit(field, part) => field.is_list(part),
            _ => false,
        }
    }

    /// Whether it is a list, of which `in` asks each value.
    pub const fn is_list(&self) -> bool {
        !matches!(self, Self::End(..)) && self.has_many()
    }

    fn many<'f>(&self, facts: &'f Facts<'_>) -> Vec<Value<'f>> {
        match (self, facts) {
            (Self::Call(call), _) => call.values(facts),
            (_, Facts::Act(facts)) => self.many_of_act(facts),
            (Self::Audit(field, part), Facts::Audit(facts)) => facts.values(field, part),
            _ => vec![],
        }
    }

    fn many_of_act<'f>(&self, facts: &'f ActFacts<'_>) -> Vec<Value<'f>> {
        match self {
            Self::End(_, part) => [End::Local, End::Remote]
                .into_iter()
                .filter_map(|end| facts.end(end, *part))
                .collect(),
            Self::Dns(field) => facts.dns(*field),
            _ => self.value_of_act(facts).into_iter().collect(),
        }
    }

    /// Hands each value to `take`: those that a comparison asks.
    pub fn for_each(&self, facts: &Facts<'_>, mut take: impl FnMut(&Value<'_>)) {
        match (self, facts) {
            (Self::Process(field, Who::AnyAncestor), Facts::Act(facts)) => {
                (1..=facts.act.ancestors.len())
                    .filter_map(|generation| facts.ancestor_value(*field, generation))
                    .for_each(|value| take(&value));
            }
            _ if self.has_many() => self.many(facts).iter().for_each(take),
            _ => {
                if let Some(value) = self.value(facts) {
                    take(&value);
                }
            }
        }
    }

    /// Whether `test` holds: for the field's value, or for that of some ancestor. Never for a missing value.
    pub fn satisfies(
        &self,
        facts: &Facts<'_>,
        each: bool,
        test: impl Fn(&Value<'_>) -> bool,
    ) -> bool {
        self.find(facts, each, test).is_some()
    }

    /// The first value for which `test` holds. Where several must all hold (`each`), the first of them.
    pub fn find<'f>(
        &self,
        facts: &'f Facts<'_>,
        each: bool,
        test: impl Fn(&Value<'_>) -> bool,
    ) -> Option<Value<'f>> {
        match (self, facts) {
            (Self::Process(field, Who::AnyAncestor), Facts::Act(facts)) => {
                (1..=facts.act.ancestors.len())
                    .filter_map(|generation| facts.ancestor_value(*field, generation))
                    .find(|value| test(value))
            }
            _ if self.has_many() => {
                let mut values = self.many(facts);
                if each && !values.iter().all(&test) {
                    return None;
                }
                let place = values.iter().position(test)?;
                Some(values.swap_remove(place))
            }
            _ => self.value(facts).filter(|value| test(value)),
        }
    }
}

/// An act of a process, with what is derived from it at most once.
pub(crate) struct ActFacts<'a> {
    pub act: &'a Act<'a>,
    command_line: OnceCell<Pooled>,
    arguments: OnceCell<Pooled>,
    parent_command_line: OnceCell<Pooled>,
    directory: OnceCell<Pooled>,
    capabilities: OnceCell<Pooled>,
    socket: OnceCell<Option<Pooled>>,
    flags: OnceCell<Pooled>,
    mode: OnceCell<Pooled>,
    environment: OnceCell<Pooled>,
}

impl<'a> ActFacts<'a> {
    pub fn new(act: &'a Act<'a>) -> Self {
        Self {
            act,
            command_line: OnceCell::new(),
            arguments: OnceCell::new(),
            parent_command_line: OnceCell::new(),
            directory: OnceCell::new(),
            capabilities: OnceCell::new(),
            socket: OnceCell::new(),
            flags: OnceCell::new(),
            mode: OnceCell::new(),
            environment: OnceCell::new(),
        }
    }

    fn event_value(&self, field: EventField) -> Option<Value<'_>> {
        let event = self.act.event;
        let opened = || file_event(&event.kind).filter(|file| file.act == FileAct::Open);
        Some(match field {
            EventField::Type => Value::borrowed(EventType::from(&event.kind).name()),
            EventField::Time => Value::owned(event.time.to_string()),
            EventField::RawTime => Value::time(event.time),
            // Only what has happened is told: a call's exit, in the language's words.
            EventField::Direction => Value::borrowed("<"),
            EventField::Result => Value::borrowed(outcome::name(&event.kind)?),
            EventField::RawResult => Value::Number(outcome::result(&event.kind)?),
            EventField::Failed => Value::Boolean(outcome::failed(&event.kind)?),
            EventField::Arguments => Value::owned(argument::all(self.act)?),
            EventField::OpensForReading => Value::Boolean(opened()?.opens_for_reading()),
            EventField::OpensForWriting => Value::Boolean(opened()?.opens_for_writing()),
            EventField::Creates => Value::Boolean(opened()?.created),
            EventField::CreatesExecutable => {
                let file = opened()?;
                Value::Boolean(file.created && file.mode & 0o111 != 0)
            }
            EventField::TargetPid => match &event.kind {
                EventKind::System(event) => Value::Number(event.target?.key.pid.into()),
                _ => return None,
            },
            EventField::TargetIsSensor => match &event.kind {
                EventKind::File(_) | EventKind::System(_) => Value::Boolean(self.act.is_on_sensor),
                _ => return None,
            },
            EventField::Hostname => Value::borrowed(&self.act.host.hostname),
            EventField::Number => Value::Number(1),
        })
    }

    /// An argument; what must be put together is kept.
    fn argument(&self, name: &str) -> Option<Value<'_>> {
        match (file_event(&self.act.event.kind), name) {
            (Some(file), "flags") if argument::file_has(file.act, name) => Some(Value::borrowed(
                self.flags.get_or_init(|| Pooled::written(|text| file.write_flag_symbols(text))),
            )),
            (Some(file), "mode") if file.mode != 0 && argument::file_has(file.act, name) => {
                Some(Value::borrowed(
                    self.mode.get_or_init(|| {
                        Pooled::written(|text| symbols::write_mode(text, file.mode))
                    }),
                ))
            }
            _ => argument::value(self.act, name),
        }
    }

    fn descriptor(&self, field: DescriptorField) -> Option<Value<'_>> {
        let kind = &self.act.event.kind;
        if field == DescriptorField::Name && file_event(kind).is_none() {
            let name = self.socket.get_or_init(|| Socket::of(kind)?.name());
            return name.as_deref().map(Value::borrowed);
        }
        descriptor::value(kind, field)
    }

    fn end(&self, end: End, part: EndPart) -> Option<Value<'_>> {
        let socket = Socket::of(&self.act.event.kind)?;
        let address = |address: SocketAddr| Value::Address(address.ip().to_canonical());
        match part {
            EndPart::Address => socket.end(end).map(address),
            EndPart::Port => socket.end(end).map(|end| Value::Number(end.port().into())),
            EndPart::Service => {
                socket.end(end).and_then(|end| symbols::service(end.port())).map(Value::borrowed)
            }
            EndPart::Name if socket.is_remote(end) => self.act.remote_name.map(Value::borrowed),
            EndPart::Name => None,
        }
    }

    fn dns(&self, field: DnsField) -> Vec<Value<'_>> {
        match &self.act.event.kind {
            EventKind::Dns(event) => network::dns(event, field),
            _ => vec![],
        }
    }

    /// A field of the process that acted; what must be put together is kept.
    fn own_value(&self, field: ProcessField) -> Option<Value<'_>> {
        let process = self.act.process;
        let text = match field {
            ProcessField::CommandLine => {
                self.command_line.get_or_init(|| text::command_line(process))
            }
            ProcessField::Arguments => {
                process.arguments.first()?;
                self.arguments.get_or_init(|| text::arguments(process))
            }
            ProcessField::WorkingDirectory => {
                present(&process.working_directory)?;
                self.directory.get_or_init(|| text::directory(process))
            }
            ProcessField::CapabilitiesEffective => self
                .capabilities
                .get_or_init(|| text::capabilities(process.credentials.capabilities_effective)),
            ProcessField::Duration => return self.age(process),
            ProcessField::ParentPid => return self.parent_pid(),
            ProcessField::ContainerEntry => return self.container_entry(),
            ProcessField::LoginName => return self.act.login_name.map(Value::borrowed),
            ProcessField::GroupName => {
                let root = (process.credentials.gid == 0).then_some("root");
                return self.act.group_name.or(root).map(Value::borrowed);
            }
            _ => return process_value(field, process),
        };
        Some(Value::borrowed(text))
    }

    fn ancestor_value(&self, field: ProcessField, generation: usize) -> Option<Value<'_>> {
        let process = *self.act.ancestors.get(generation.checked_sub(1)?)?;
        if field == ProcessField::Duration {
            return self.age(process);
        }
        if generation == 1 && field == ProcessField::CommandLine {
            let text = self.parent_command_line.get_or_init(|| text::command_line(process));
            return Some(Value::borrowed(text));
        }
        process_value(field, process)
    }

    /// How long the program had run when it acted.
    fn age(&self, process: &Process) -> Option<Value<'_>> {
        let started_at = process.started_at.0;
        (started_at != 0).then(|| Value::unsigned(self.act.event.time.0.saturating_sub(started_at)))
    }

    fn parent_pid(&self) -> Option<Value<'_>> {
        let parent =
            self.act.process.parent.or(self.act.ancestors.first().map(|parent| parent.reference));
        parent.map(|parent| Value::Number(parent.key.pid.into()))
    }

    /// Whether the process came into its container from outside: as its first process, or by an exec of the runtime.
    fn container_entry(&self) -> Option<Value<'_>> {
        let parent = self.act.ancestors.first()?;
        // Where it acts: a process that was made on the host may have been moved into its container since.
        let container = self.container_id();
        let of_parent = parent.container.as_ref().map(|id| &*id.0);
        Some(Value::Boolean(container.is_some() && of_parent != container))
    }

    /// What a command line is made of, its first word left out; None for other fields than the process's arguments.
    pub fn arguments_of(&self, access: &Access) -> Option<&[String]> {
        let is_it = *access == Access::Process(ProcessField::Arguments, Who::Itself);
        is_it.then(|| self.act.process.arguments.get(1..).unwrap_or_default())
    }

    /// All variables, or the value of the one of that name.
    fn environment(&self, name: &str) -> Option<Value<'_>> {
        let environment = self.act.environment?;
        if name.is_empty() {
            let whole = || text::environment(environment);
            return Some(Value::borrowed(self.environment.get_or_init(whole)));
        }
        let value = |variable: &'a str| variable.strip_prefix(name)?.strip_prefix('=');
        environment.split('\0').find_map(value).map(Value::borrowed)
    }

    fn container_value(&self, field: ContainerField) -> Option<Value<'_>> {
        match (self.container_id(), self.act.container) {
            (None, _) => host_value(field),
            (Some(id), None) => (field == ContainerField::Id).then(|| Value::borrowed(short(id))),
            (Some(_), Some(container)) => known_container_value(field, container),
        }
    }

    /// The container's id; None on the host.
    fn container_id(&self) -> Option<&str> {
        let Event { container, .. } = self.act.event;
        let known = self.act.container.map(|container| &container.id);
        let id = known.or(container.as_ref()).or(self.act.process.container.as_ref())?;
        Some(&id.0)
    }

    /// Whether the act happened in a container, known or not.
    pub fn in_container(&self) -> bool {
        self.container_id().is_some()
    }
}

fn file_event(kind: &EventKind) -> Option<&FileEvent> {
    match kind {
        EventKind::File(event) => Some(event),
        _ => None,
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn label<'a>(
    labels: &'a std::collections::BTreeMap<String, String>,
    key: &str,
) -> Option<Value<'a>> {
    labels.get(key).map(|value| Value::borrowed(value))
}

fn process_value(field: ProcessField, process: &Process) -> Option<Value<'_>> {
    let executable = &process.executable;
    let identity = &process.credentials;
    Some(match field {
        ProcessField::Name => Value::borrowed(present(&process.name)?),
        ProcessField::CommandLine => Value::copied(&text::command_line(process)),
        ProcessField::Arguments => {
            process.arguments.first()?;
            Value::copied(&text::arguments(process))
        }
        ProcessField::FirstArgument => Value::borrowed(process.arguments.first()?),
        ProcessField::WholeArguments => Value::owned(process.command_line()),
        ProcessField::Executable => Value::borrowed(present(&executable.path)?),
        ProcessField::InvokedAs => Value::borrowed(present(&executable.invoked_as)?),
        ProcessField::WorkingDirectory => {
            present(&process.working_directory)?;
            Value::copied(&text::directory(process))
        }
        ProcessField::Pid => Value::Number(process.reference.key.pid.into()),
        ProcessField::ParentPid => Value::Number(process.parent?.key.pid.into()),
        // 0 is nobody's id: the sensor could not learn it.
        ProcessField::NamespacePid if process.namespace_pid == 0 => return None,
        ProcessField::NamespacePid => Value::Number(process.namespace_pid.into()),
        // As well.
        ProcessField::ProcessGroup | ProcessField::LeadsProcessGroup
            if process.process_group == 0 =>
        {
            return None;
        }
        ProcessField::ProcessGroup => Value::Number(process.process_group.into()),
        ProcessField::LeadsProcessGroup => {
            Value::Boolean(process.process_group == process.namespace_pid)
        }
        ProcessField::TerminalNumber => {
            Value::Number(text::terminal_number(process.terminal.as_deref()))
        }
        ProcessField::Terminal => Value::borrowed(process.terminal.as_deref()?),
        ProcessField::UpperLayer => Value::Boolean(executable.upper_layer),
        ProcessField::Memfd => Value::Boolean(executable.memfd),
        ProcessField::Unlinked => Value::Boolean(executable.unlinked),
        ProcessField::SetUid => Value::Boolean(executable.mode & 0o4000 != 0),
        ProcessField::SetGid => Value::Boolean(executable.mode & 0o2000 != 0),
        ProcessField::ExecutableOwner => Value::Number(executable.owner.into()),
        ProcessField::Inode => Value::unsigned(executable.inode),
        ProcessField::ChangedAt => Value::time(executable.changed_at),
        ProcessField::ModifiedAt => Value::time(executable.modified_at),
        ProcessField::ChangedBeforeStart => {
            Value::unsigned(process.started_at.0.saturating_sub(executable.changed_at.0))
        }
        ProcessField::ContainerEntry
        | ProcessField::Duration
        | ProcessField::LoginName
        | ProcessField::GroupName => return None,
        ProcessField::Uid => Value::Number(identity.uid.into()),
        ProcessField::EffectiveUid => Value::Number(identity.euid.into()),
        ProcessField::UserName => Value::borrowed(text::user_name(process)?),
        ProcessField::LoginUid => Value::Number(identity.login_uid.map_or(-1, i64::from)),
        ProcessField::Gid => Value::Number(identity.gid.into()),
        ProcessField::EffectiveGid => Value::Number(identity.egid.into()),
        ProcessField::CapabilitiesEffective => {
            Value::copied(&text::capabilities(identity.capabilities_effective))
        }
        ProcessField::CapabilitiesPermitted => {
            Value::copied(&text::capabilities(identity.capabilities_permitted))
        }
    })
}

/// Text that the sensor could not learn is empty; to rules it is missing.
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// On the host, the language calls the container `host` and knows nothing else of it.
fn host_value(field: ContainerField) -> Option<Value<'static>> {
    matches!(field, ContainerField::Id | ContainerField::Name | ContainerField::Kind)
        .then_some(Value::borrowed("host"))
}

fn known_container_value(field: ContainerField, container: &Container) -> Option<Value<'_>> {
    let image = || container.image.as_deref().map(text::Image::parse);
    Some(match field {
        ContainerField::Id => Value::borrowed(container.id.short()),
        ContainerField::Name => Value::borrowed(container.name.as_deref()?),
        ContainerField::Kind => Value::borrowed(container.runtime.as_deref()?),
        ContainerField::Image => Value::borrowed(container.image.as_deref()?),
        ContainerField::ImageRepository => Value::borrowed(image()?.repository),
        ContainerField::ImageTag => Value::borrowed(image()?.tag?),
        ContainerField::ImageDigest => {
            let digest = container.image_digest.as_deref().or_else(|| image()?.digest);
            Value::borrowed(digest?)
        }
        ContainerField::Privileged => Value::Boolean(container.privileged?),
        ContainerField::StartedAt => Value::time(container.created_at?),
    })
}

fn pod_value(field: PodField, pod: &Pod) -> Option<Value<'_>> {
    let text = match field {
        PodField::Name => pod.name.as_deref(),
        PodField::Namespace => pod.namespace.as_deref(),
        PodField::Uid => present(&pod.uid),
        PodField::ServiceAccount => pod.service_account.as_deref(),
    };
    text.map(Value::borrowed)
}
