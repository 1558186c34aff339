//! The table of fields.

mod audit;

use super::access::{Access, ContainerField, EndPart, EventField, PodField, ProcessField, Who};
use super::descriptor::DescriptorField;
use super::file::FileField;
use super::mount::MountPart;
use super::network::{DnsField, FlowField};
use super::socket::End;
use super::{Argument, Field, Kind, Provider};
use std::sync::LazyLock;

/// All fields, by subject.
pub fn fields() -> &'static [Field] {
    static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
        let mut fields = of_acts();
        fields.extend(audit::fields());
        fields
    });
    &FIELDS
}

impl Field {
    pub(super) fn new(
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

    /// Without it, all of them.
    fn with_optional_key(self) -> Self {
        Self { argument: Argument::OptionalKey, ..self }
    }

    fn argument(name: &'static str, provider: Provider, meaning: &'static str) -> Self {
        let argument = name.strip_prefix("evt.arg.").unwrap_or(name);
        Self::new(name, Kind::Text, provider, Access::Argument(argument.into()), meaning)
    }

    /// Known to other engines, and told by nobody here.
    fn never(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self::new(name, kind, Provider::Nobody, Access::Never(None), meaning)
    }
}

#[rustfmt::skip]
#[allow(clippy::too_many_lines)] // It is a table.
fn of_acts() -> Vec<Field> {
    use ContainerField as C;
    use DescriptorField as D;
    use FileField as F;
    use Kind::{Address, Boolean, Bytes, Duration, EventType, Number, Text, Time};
    use ProcessField as P;
    use Provider::{Cgroup, ContainerRuntime, Dns, Event, Exec, File, Host, Network, Open, ProcessTree, System};
    let event = Access::Event;
    let itself = |field| Access::Process(field, Who::Itself);
    let parent = |field| Access::Process(field, Who::Ancestor(1));
    let ancestor = |field| Access::Process(field, Who::AnyAncestor);
    let container = Access::Container;
    let pod = Access::Pod;
    let mount = |part| Access::Mount(part, Box::default());
    let descriptor = Access::Descriptor;
    let address = |end| Access::End(end, EndPart::Address);
    let port = |end| Access::End(end, EndPart::Port);
    let service = |end| Access::End(end, EndPart::Service);
    let dns_name = |end| Access::End(end, EndPart::Name);
    let file = Access::File;
    let dns = Access::Dns;
    let flow = Access::Flow;
    let new = Field::new;
    let argument = Field::argument;
    let never = Field::never;
    vec![
        // The event.
        new("evt.type", EventType, Event, event(EventField::Type),
            "What happened. Calls that do the same are one type, printed by the name that is listed first under *Event types*."),
        new("evt.time", Text, Event, event(EventField::Time),
            "When, in RFC 3339."),
        new("evt.time.iso8601", Text, Event, event(EventField::Time),
            "When, in RFC 3339."),
        new("evt.rawtime", Time, Event, event(EventField::RawTime),
            "When."),
        new("evt.dir", Text, Event, event(EventField::Direction),
            "Always `<`: only what has happened is told."),
        new("evt.num", Number, Event, event(EventField::Number),
            "Always 1: events have no numbers here, and `evt.num=0` never holds."),
        new("evt.hostname", Text, Host, event(EventField::Hostname),
            "The host's name."),
        // What came of it.
        new("evt.res", Text, Event, event(EventField::Result),
            "`SUCCESS` or an error such as `ENOENT`. `SUCCESS` too where a hook speaks before the outcome: the kernel had found the act permitted. `EINPROGRESS` for a connection that is being tried. Missing where it is not known."),
        new("evt.rawres", Number, Event, event(EventField::RawResult),
            "What the call returned, errors negative; 0 where `evt.res` is `SUCCESS` and no number is told."),
        new("evt.failed", Boolean, Event, event(EventField::Failed),
            "It is known to have failed. A connection that is being tried has not."),
        // How a file was opened.
        new("evt.is_open_read", Boolean, Open, event(EventField::OpensForReading),
            "A file was opened for reading."),
        new("evt.is_open_write", Boolean, Open, event(EventField::OpensForWriting),
            "A file was opened for writing."),
        new("evt.is_open_exec", Boolean, Open, event(EventField::CreatesExecutable),
            "The open made the file, and someone may execute it."),
        new("evt.is_open_create", Boolean, Open, event(EventField::Creates),
            "The open made the file."),
        // What it was asked with.
        new("evt.args", Text, Event, event(EventField::Arguments),
            "All arguments as `name=value`, separated by spaces."),
        new("evt.arg", Text, Event, Access::Argument(Box::default()),
            "An argument by its name, as the call's manual page gives it, or by its place in `evt.args`, from 0; numbers as symbols. The frequent ones follow.").with_key(),
        argument("evt.arg.flags", Event,
            "Flags joined by `|`: `O_*` of an open, `MS_*` of a mount, `FS_*` of chattr, `CLONE_*` of unshare; of an exec `EXE_UPPER_LAYER`, `EXE_FROM_MEMFD`, or missing."),
        argument("evt.arg.mode", File,
            "The permissions of the file after an open, mkdir, mknod or chmod: `S_ISUID`, `S_IXUSR` and others joined by `|`."),
        argument("evt.arg.name", Event,
            "The path of acts on one path; of setxattr the attribute's name; of memfd_create the file's."),
        argument("evt.arg.path", Event,
            "The path of acts on one path; of chroot the new root."),
        argument("evt.arg.filename", Event,
            "The path of acts on one path; of an exec the path that was given to it."),
        argument("evt.arg.oldpath", File,
            "Rename, link, move_mount: the path before."),
        argument("evt.arg.newpath", File,
            "Rename, link, move_mount: the path after."),
        argument("evt.arg.linkpath", File,
            "The path of a new symbolic link."),
        argument("evt.arg.target", File,
            "What a new symbolic link points to, as it is written."),
        argument("evt.arg.dev", File,
            "What is mounted."),
        argument("evt.arg.dir", File,
            "Where it is mounted."),
        argument("evt.arg.type", Event,
            "The type of the file system that is mounted; of a socket `SOCK_*`."),
        argument("evt.arg.uid", Event,
            "The user of setuid or chown: `root`, others as numbers."),
        argument("evt.arg.gid", Event,
            "The group of setgid or chown: `root`, others as numbers."),
        argument("evt.arg.domain", Network,
            "The family of a new socket, such as `AF_PACKET`."),
        argument("evt.arg.proto", Network,
            "The protocol of a new socket, as a number."),
        argument("evt.arg.addr", Event,
            "The address that a socket is bound or connected to, with its port, or the path; of ptrace and mprotect a place in memory."),
        argument("evt.arg.tuple", Network,
            "As `fd.name`."),
        argument("evt.arg.request", System,
            "What ptrace was asked for, such as `PTRACE_ATTACH`."),
        argument("evt.arg.cmd", System,
            "The command given to bpf, such as `BPF_PROG_LOAD`."),
        argument("evt.arg.option", System,
            "What prctl was asked for, such as `PR_SET_NAME`."),
        argument("evt.arg.pid", System,
            "The process that ptrace, process_vm_readv or process_vm_writev was given, as its caller numbers it; of pidfd_getfd the one that its descriptor stood for, in the host's namespace."),
        argument("evt.arg.sig", System,
            "The signal, such as `SIGKILL`."),
        argument("evt.arg.prot", System,
            "`PROT_*` of mmap and mprotect."),
        argument("evt.arg.nstype", System,
            "The kind of namespace that is entered, `CLONE_*`."),
        argument("evt.arg.operation", System,
            "What keyctl was asked for, such as `KEYCTL_READ`."),
        argument("evt.arg.opcode", System,
            "The operation that was given to an io_uring, such as `IORING_OP_CONNECT`."),
        argument("evt.arg.res", Event,
            "As `evt.res`."),
        new("evt.arg.res_or_fd", Number, Event, event(EventField::RawResult),
            "As `evt.rawres`."),
        argument("evt.arg.fd", System,
            "The descriptor, of setns and pidfd_getfd."),
        never("evt.buffer", Bytes,
            "What was read or written."),
        new("target.pid", Number, System, event(EventField::TargetPid),
            "The process that it was done to, in the host's namespace.").own(),
        new("target.is_sensor", Boolean, Event, event(EventField::TargetIsSensor),
            "It was done to the sensor itself: to its process or the publisher's, to its program, configuration, rules, socket or state, to files of `/proc` that show its memory, or to its programs and maps in the kernel.").own(),
        // What the descriptor stands for.
        new("fd.num", Number, Event, descriptor(D::Number),
            "-1 where an open failed, else 0: its number is not told. Of a dup, the new descriptor."),
        new("fd.type", Text, Event, descriptor(D::Type),
            "`file`, `directory`, `ipv4`, `ipv6`, `unix`, `netlink` or `packet`."),
        new("fd.typechar", Text, Event, descriptor(D::Letter),
            "`f` for a file, `d` for a directory, `4`, `6`, `u` for a Unix socket, `n` for netlink."),
        new("fd.name", Text, Event, descriptor(D::Name),
            "The path of the file that was opened, absolute in the process's view; of a socket `CLIENT:PORT->SERVER:PORT`, its one address, or its path."),
        never("fd.nameraw", Text,
            "The path as the caller wrote it: the sensor tells the kernel's."),
        new("fd.directory", Text, Open, descriptor(D::Directory),
            "The directory of that file."),
        new("fd.filename", Text, Open, descriptor(D::FileName),
            "What follows the last slash of its path."),
        new("fd.l4proto", Text, Network, descriptor(D::Transport),
            "`tcp`, `udp`, `icmp` or `raw`."),
        new("fd.sockfamily", Text, Network, descriptor(D::Addressing),
            "`ip` or `unix`."),
        new("fd.connected", Boolean, Network, descriptor(D::Connected),
            "The socket has its other end: false for datagrams, missing for a connection that is being tried."),
        new("fd.name_changed", Boolean, Network, descriptor(D::NameChanged),
            "True for datagrams, which are told when their other end is a new one."),
        new("fd.ip", Address, Network, address(End::Either),
            "The address of either end. `!=` asks both."),
        new("fd.net", Address, Network, address(End::Either),
            "As `fd.ip`."),
        new("fd.port", Number, Network, port(End::Either),
            "The port of either end. `!=` asks both."),
        new("fd.proto", Text, Network, service(End::Either),
            "The service that a port of either end is registered for, such as `https`."),
        new("fd.cip", Address, Network, address(End::Client),
            "The address of the client: the end that began."),
        new("fd.cnet", Address, Network, address(End::Client),
            "As `fd.cip`."),
        new("fd.cport", Number, Network, port(End::Client),
            "The client's port."),
        new("fd.cproto", Text, Network, service(End::Client),
            "The service that the client's port is registered for."),
        new("fd.sip", Address, Network, address(End::Server),
            "The address of the server."),
        new("fd.snet", Address, Network, address(End::Server),
            "As `fd.sip`."),
        new("fd.sport", Number, Network, port(End::Server),
            "The server's port."),
        new("fd.sproto", Text, Network, service(End::Server),
            "The service that the server's port is registered for."),
        new("fd.lip", Address, Network, address(End::Local),
            "The address of this end."),
        new("fd.lnet", Address, Network, address(End::Local),
            "As `fd.lip`."),
        new("fd.lport", Number, Network, port(End::Local),
            "The port of this end."),
        new("fd.lproto", Text, Network, service(End::Local),
            "The service that this end's port is registered for."),
        new("fd.rip", Address, Network, address(End::Remote),
            "The address of the other end."),
        new("fd.rnet", Address, Network, address(End::Remote),
            "As `fd.rip`."),
        new("fd.rport", Number, Network, port(End::Remote),
            "The port of the other end."),
        new("fd.rproto", Text, Network, service(End::Remote),
            "The service that the other end's port is registered for."),
        new("fd.cip.name", Text, Dns, dns_name(End::Client),
            "The name by which an answer of the domain name system told this node the client's address."),
        new("fd.sip.name", Text, Dns, dns_name(End::Server),
            "The same of the server's address."),
        new("fd.rip.name", Text, Dns, dns_name(End::Remote),
            "The same of the other end's address."),
        new("fd.lip.name", Text, Dns, dns_name(End::Local),
            "Missing: nobody asks for this end's name."),
        // Files.
        new("fs.path.name", Text, File, file(F::OnlyPath),
            "The path of an act that has one."),
        new("fs.path.source", Text, File, file(F::Source),
            "Of an act that has two paths, the first: the old name of a rename or link, what a symbolic link points to, what is mounted."),
        new("fs.path.target", Text, File, file(F::Target),
            "The second: the new name, the symbolic link, where it is mounted."),
        never("fs.path.nameraw", Text,
            "`fs.path.name` as the caller wrote it."),
        never("fs.path.sourceraw", Text,
            "`fs.path.source` as the caller wrote it."),
        never("fs.path.targetraw", Text,
            "`fs.path.target` as the caller wrote it."),
        new("file.path", Text, File, file(F::Path),
            "The path, absolute in the process's view; of a rename or link the old one, of a symbolic link its own.").own(),
        new("file.other_path", Text, File, file(F::OtherPath),
            "The second path: the new name, what a symbolic link points to, what is mounted.").own(),
        new("file.host_path", Text, File, file(F::HostPath),
            "The path in the node's view, where it is another one and known.").own(),
        new("file.path_source", Text, File, file(F::PathSource),
            "`kernel`, or `caller` where a thread could have changed the path meanwhile.").own(),
        new("file.created", Boolean, Open, file(F::Created),
            "The open made the file.").own(),
        new("file.mode", Number, File, file(F::Mode),
            "The file's mode after the act, its type included.").own(),
        new("file.inode", Number, File, file(F::Inode),
            "Inode number.").own(),
        new("file.device", Number, File, file(F::Device),
            "Device number as the kernel holds it.").own(),
        new("file.attribute", Text, File, file(F::Attribute),
            "The name of the extended attribute; of a mount the type of its file system.").own(),
        // Flows and names.
        new("net.inbound", Boolean, Network, flow(FlowField::Inbound),
            "The other end began. Told of datagrams and of connections that end.").own(),
        new("net.bytes_sent", Number, Network, flow(FlowField::BytesSent),
            "Bytes sent, of datagrams and of connections that end.").own(),
        new("net.bytes_received", Number, Network, flow(FlowField::BytesReceived),
            "Bytes received.").own(),
        new("net.bytes", Number, Network, flow(FlowField::Bytes),
            "Bytes in both directions.").own(),
        new("net.duration", Duration, Network, flow(FlowField::Duration),
            "From the connection's beginning to its end.").own(),
        new("dns.question.name", Text, Dns, dns(DnsField::QuestionName),
            "The names that are asked for, in lower case: a list, `in` and `!=` ask each.").own(),
        new("dns.question.type", Text, Dns, dns(DnsField::QuestionType),
            "The record types that are asked for, such as `AAAA`: a list.").own(),
        new("dns.answer.name", Text, Dns, dns(DnsField::AnswerName),
            "The names that the answers are of: a list.").own(),
        new("dns.answer.type", Text, Dns, dns(DnsField::AnswerType),
            "The answers' types: a list.").own(),
        new("dns.answer", Text, Dns, dns(DnsField::AnswerData),
            "The answers' addresses, names or texts: a list.").own(),
        new("dns.response", Boolean, Dns, dns(DnsField::Response),
            "An answer; else a question.").own(),
        new("dns.code", Number, Dns, dns(DnsField::Code),
            "The response code of an answer: 0 is no error, 3 no such name.").own(),
        new("dns.server", Address, Dns, dns(DnsField::Server),
            "The server's address.").own(),
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
        new("proc.duration", Duration, Exec, itself(P::Duration),
            "From the start of the program to the act."),
        new("proc.env", Text, Exec, Access::Environment(Box::default()),
            "Of the start of a program: its environment, `NAME=value` separated by spaces, up to 4 KiB; `[NAME]` is the value of one variable. Read where a rule asks for it, and kept nowhere: alerts show the names alone, unless the output prints it.").with_optional_key(),
        never("proc.sname", Text,
            "The name of the session's leader."),
        never("proc.sid", Number,
            "The session's id."),
        new("proc.vpgid", Number, Exec, itself(P::ProcessGroup),
            "The process group's id in the process's own namespace, as the program began."),
        never("proc.vpgid.name", Text,
            "The name of the process group's leader."),
        never("proc.vpgid.exe", Text,
            "The first argument of the process group's leader."),
        new("proc.is_vpgid_leader", Boolean, Exec, itself(P::LeadsProcessGroup),
            "It led its process group as the program began, as commands typed at a prompt do."),
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
        new("proc.ppid.duration", Duration, ProcessTree, parent(P::Duration),
            "From the start of the parent's program to the act."),
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
        new("user.loginname", Text, Host, itself(P::LoginName),
            "The name of who logged in, by the host's users."),
        new("group.name", Text, Host, itself(P::GroupName),
            "The real group's name on the host; `root` for group id 0 in containers, missing for others there."),
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
        new("container.mounts", Text, ContainerRuntime, mount(MountPart::All),
            "All mounts, separated by spaces: `SOURCE:DESTINATION:MODE:true|false:PROPAGATION` each."),
        new("container.mount", Text, ContainerRuntime, mount(MountPart::Whole),
            "A mount by its number from 0, or its place in the container, which may be a pattern such as `/host*`; `N/A` where there is none.").with_key(),
        new("container.mount.source", Text, ContainerRuntime, mount(MountPart::Source),
            "What is mounted there.").with_key(),
        new("container.mount.dest", Text, ContainerRuntime, mount(MountPart::Destination),
            "The place of a mount, by its number or by what is mounted, such as `/proc*` of the node.").with_key(),
        new("container.mount.mode", Text, ContainerRuntime, mount(MountPart::Mode),
            "The mount's options.").with_key(),
        new("container.mount.rdwr", Text, ContainerRuntime, mount(MountPart::Writable),
            "`true` where it may be written to.").with_key(),
        new("container.mount.propagation", Text, ContainerRuntime, mount(MountPart::Propagation),
            "How mounts below it spread, such as `rprivate`.").with_key(),
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
}

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
