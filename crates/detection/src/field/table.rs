//! The table of fields.

use super::access::{Access, ContainerField, EventField, PodField, ProcessField, Who};
use super::{Argument, Field, Kind, Provider};
use std::sync::LazyLock;

/// All fields, by subject.
pub fn fields() -> &'static [Field] {
    &FIELDS
}

impl Field {
    fn new(
        name: &'static str,
        kind: Kind,
        provider: Provider,
        access: Access,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, argument: Argument::None, meaning, provider, own: false, access }
    }

    /// Known to this engine only.
    fn own(self) -> Self {
        Self { own: true, ..self }
    }

    fn of_generation(self) -> Self {
        Self { argument: Argument::Generation, ..self }
    }

    fn with_key(self) -> Self {
        Self { argument: Argument::Key, ..self }
    }
}

#[rustfmt::skip]
static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    use ContainerField as C;
    use Kind::{Boolean, Duration, EventType, Number, Text, Time};
    use ProcessField as P;
    use Provider::{Cgroup, ContainerRuntime, Event, Exec, Host, ProcessTree};
    let event = Access::Event;
    let itself = |field| Access::Process(field, Who::Itself);
    let parent = |field| Access::Process(field, Who::Ancestor(1));
    let ancestor = |field| Access::Process(field, Who::AnyAncestor);
    let container = Access::Container;
    let pod = Access::Pod;
    let new = Field::new;
    vec![
        // The event.
        new("evt.type", EventType, Event, event(EventField::Type),
            "What happened: `execve`, `clone` or `procexit`."),
        new("evt.time", Text, Event, event(EventField::Time),
            "When, in RFC 3339."),
        new("evt.time.iso8601", Text, Event, event(EventField::Time),
            "When, in RFC 3339."),
        new("evt.rawtime", Time, Event, event(EventField::RawTime),
            "When."),
        new("evt.dir", Text, Event, event(EventField::Direction),
            "Always `<`: only what has happened is told."),
        new("evt.res", Text, Event, event(EventField::Result),
            "`SUCCESS` for an exec: failed ones are not told."),
        new("evt.rawres", Number, Event, event(EventField::RawResult),
            "0 for an exec."),
        new("evt.arg.flags", Text, Exec, event(EventField::Flags),
            "For an exec: `EXE_UPPER_LAYER`, `EXE_FROM_MEMFD`, both joined by `|`, or missing."),
        new("evt.hostname", Text, Host, event(EventField::Hostname),
            "The host's name."),
        // The process that acted; after an exec, the new program.
        new("proc.name", Text, Exec, itself(P::Name),
            "The kernel's name of the task, at most 15 bytes; with BusyBox, the applet."),
        new("proc.cmdline", Text, Exec, itself(P::CommandLine),
            "The name and the arguments behind the first, separated by spaces."),
        new("proc.args", Text, Exec, itself(P::Arguments),
            "The arguments behind the first, separated by spaces."),
        new("proc.exe", Text, Exec, itself(P::FirstArgument),
            "The first argument: what the program was called as."),
        new("proc.exeline", Text, Exec, itself(P::WholeArguments),
            "All arguments, separated by spaces."),
        new("proc.exepath", Text, Exec, itself(P::Executable),
            "The program file's path; for a script, the interpreter's; `memfd:NAME` for a memfd."),
        new("proc.invoked_as", Text, Exec, itself(P::InvokedAs),
            "The path given to the exec; for a script, the script.").own(),
        new("proc.cwd", Text, Exec, itself(P::WorkingDirectory),
            "The working directory, with a slash at its end."),
        new("proc.pid", Number, Exec, itself(P::Pid),
            "Process id in the host's namespace."),
        new("proc.ppid", Number, ProcessTree, itself(P::ParentPid),
            "The parent's process id."),
        new("proc.vpid", Number, Exec, itself(P::NamespacePid),
            "Process id in its own namespace."),
        new("proc.tty", Number, Exec, itself(P::TerminalNumber),
            "Device number of the controlling terminal, 0 without one."),
        new("proc.terminal", Text, Exec, itself(P::Terminal),
            "The controlling terminal's name, such as `pts0`.").own(),
        new("proc.is_exe_upper_layer", Boolean, Exec, itself(P::UpperLayer),
            "The program was written or changed (its owner or mode too) since the container started."),
        new("proc.is_exe_from_memfd", Boolean, Exec, itself(P::Memfd),
            "The program lies in anonymous memory."),
        new("proc.is_exe_unlinked", Boolean, Exec, itself(P::Unlinked),
            "The program file had no name any more when it was executed.").own(),
        new("proc.exe_setuid", Boolean, Exec, itself(P::SetUid),
            "The program file has the set-user-id bit.").own(),
        new("proc.exe_setgid", Boolean, Exec, itself(P::SetGid),
            "The program file has the set-group-id bit.").own(),
        new("proc.exe_owner", Number, Exec, itself(P::ExecutableOwner),
            "User id of the program file's owner.").own(),
        new("proc.exe_ino", Number, Exec, itself(P::Inode),
            "Inode number of the program file."),
        new("proc.exe_ino.ctime", Time, Exec, itself(P::ChangedAt),
            "Last change of the program file's inode."),
        new("proc.exe_ino.mtime", Time, Exec, itself(P::ModifiedAt),
            "Last change of the program file's contents."),
        new("proc.exe_ino.ctime_duration_proc_start", Duration, Exec, itself(P::ChangedBeforeStart),
            "From the last change of the inode to the start of the program."),
        new("proc.is_container_entry", Boolean, ProcessTree, itself(P::ContainerEntry),
            "Came into its container from outside: its first process, or one that an exec of the runtime put there.").own(),
        // The processes above it.
        new("proc.pname", Text, ProcessTree, parent(P::Name),
            "The parent's name."),
        new("proc.pcmdline", Text, ProcessTree, parent(P::CommandLine),
            "The parent's command line."),
        new("proc.pexe", Text, ProcessTree, parent(P::FirstArgument),
            "The parent's first argument."),
        new("proc.pexepath", Text, ProcessTree, parent(P::Executable),
            "The parent's program file."),
        new("proc.pvpid", Number, ProcessTree, parent(P::NamespacePid),
            "The parent's process id in its own namespace."),
        new("proc.aname", Text, ProcessTree, ancestor(P::Name),
            "An ancestor's name: `[1]` is the parent, `[2]` the parent's parent; without a number, any.").of_generation(),
        new("proc.acmdline", Text, ProcessTree, ancestor(P::CommandLine),
            "An ancestor's command line.").of_generation(),
        new("proc.aexe", Text, ProcessTree, ancestor(P::FirstArgument),
            "An ancestor's first argument.").of_generation(),
        new("proc.aexepath", Text, ProcessTree, ancestor(P::Executable),
            "An ancestor's program file.").of_generation(),
        new("proc.apid", Number, ProcessTree, ancestor(P::Pid),
            "An ancestor's process id.").of_generation(),
        // Whom it acts for.
        new("user.uid", Number, Exec, itself(P::Uid),
            "Real user id, in the host's user namespace."),
        new("user.euid", Number, Exec, itself(P::EffectiveUid),
            "Effective user id.").own(),
        new("user.name", Text, Host, itself(P::UserName),
            "The user's name on the host; `root` for user id 0 in containers, missing for others there."),
        new("user.loginuid", Number, Exec, itself(P::LoginUid),
            "Who logged in, whatever su and sudo did since; -1 where nobody did."),
        new("group.gid", Number, Exec, itself(P::Gid),
            "Real group id."),
        new("group.egid", Number, Exec, itself(P::EffectiveGid),
            "Effective group id.").own(),
        new("thread.cap_effective", Text, Exec, itself(P::CapabilitiesEffective),
            "Effective capabilities, separated by spaces."),
        new("thread.cap_permitted", Text, Exec, itself(P::CapabilitiesPermitted),
            "Permitted capabilities, separated by spaces."),
        // The container.
        new("container.id", Text, Cgroup, container(C::Id),
            "The first 12 characters of the id; `host` outside containers."),
        new("container.name", Text, ContainerRuntime, container(C::Name),
            "The name; `host` outside containers."),
        new("container.type", Text, Cgroup, container(C::Kind),
            "The runtime, such as `containerd`; `host` outside containers."),
        new("container.image", Text, ContainerRuntime, container(C::Image),
            "The image as it was asked for."),
        new("container.image.repository", Text, ContainerRuntime, container(C::ImageRepository),
            "The image without tag and digest."),
        new("container.image.tag", Text, ContainerRuntime, container(C::ImageTag),
            "The image's tag."),
        new("container.image.digest", Text, ContainerRuntime, container(C::ImageDigest),
            "The image's digest, such as `sha256:…`."),
        new("container.privileged", Boolean, ContainerRuntime, container(C::Privileged),
            "Runs with all capabilities."),
        new("container.start_ts", Time, ContainerRuntime, container(C::StartedAt),
            "When the runtime made it."),
        new("container.label", Text, ContainerRuntime, Access::ContainerLabel(Box::default()),
            "The value of a label of the runtime's.").with_key(),
        // The pod.
        new("k8s.ns.name", Text, ContainerRuntime, pod(PodField::Namespace),
            "The namespace."),
        new("k8s.pod.name", Text, ContainerRuntime, pod(PodField::Name),
            "The name."),
        new("k8s.pod.uid", Text, Cgroup, pod(PodField::Uid),
            "The API server's uid."),
        new("k8s.pod.label", Text, ContainerRuntime, Access::PodLabel(Box::default()),
            "The value of a label.").with_key(),
        new("k8s.pod.service_account", Text, ContainerRuntime, pod(PodField::ServiceAccount),
            "The service account, where known.").own(),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_field_stands_twice_and_each_has_a_meaning() {
        let names: BTreeSet<&str> = fields().iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields().len());
        assert!(fields().iter().all(|field| field.meaning.ends_with('.')));
    }
}
