use crate::{ClusterFacts, ContainerId, Finding, ProcessKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use uuid::Uuid;

/// A change of what is there on a node, in an image or in the cluster, such as packages or findings.
///
/// A snapshot is a row of records of one `scanned_at` that change and remove nothing but [`Inventory::changed`]; the last
/// of them has [`Inventory::snapshot_items`]. Whoever has taken as many items of that scan knows that it has all,
/// and that what was not among them is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Of what.
    pub subject: InventorySubject,
    /// Which part of it.
    pub kind: InventoryKind,
    /// When the scan began that found it.
    pub scanned_at: Timestamp,
    /// Items that are new, or other than they were.
    pub changed: Vec<InventoryItem>,
    /// Items that are gone, by their [`InventoryItem::id`].
    pub removed: Vec<Uuid>,
    /// The snapshot ends here and has that many items.
    pub snapshot_items: Option<u64>,
}

impl Inventory {
    /// A change of what there is in the cluster.
    pub fn of_cluster(
        kind: InventoryKind,
        scanned_at: Timestamp,
        changed: Vec<InventoryItem>,
        removed: Vec<Uuid>,
        snapshot_items: Option<u64>,
    ) -> Self {
        let subject = InventorySubject::Cluster;
        Self { subject, kind, scanned_at, changed, removed, snapshot_items }
    }
}

/// What the inventory is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventorySubject {
    /// The node itself.
    #[default]
    Node,
    /// An image that runs there, by its [`Image::key`].
    Image(String),
    /// The cluster, whichever node tells of it.
    Cluster,
}

/// The parts of an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryKind {
    /// Packages of the system and of languages.
    Packages,
    /// Images, with their running containers.
    Images,
    /// Sockets that wait for whoever calls.
    ListeningPorts,
    /// Users who can log in.
    Users,
    /// What should not be so in the cluster.
    Findings,
    /// What the cluster is.
    Cluster,
}

impl InventoryKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Packages,
        Self::Images,
        Self::ListeningPorts,
        Self::Users,
        Self::Findings,
        Self::Cluster,
    ];

    /// The name used in the store and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Images => "images",
            Self::ListeningPorts => "listening_ports",
            Self::Users => "users",
            Self::Findings => "findings",
            Self::Cluster => "cluster",
        }
    }
}

/// One thing that is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
#[allow(missing_docs)] // Each variant is named by the type that it holds.
pub enum InventoryItem {
    Package(Package),
    Image(Image),
    ListeningPort(ListeningPort),
    User(UserAccount),
    Finding(Box<Finding>),
    Cluster(ClusterFacts),
}

impl InventoryItem {
    /// The part that it is of.
    pub const fn kind(&self) -> InventoryKind {
        match self {
            Self::Package(_) => InventoryKind::Packages,
            Self::Image(_) => InventoryKind::Images,
            Self::ListeningPort(_) => InventoryKind::ListeningPorts,
            Self::User(_) => InventoryKind::Users,
            Self::Finding(_) => InventoryKind::Findings,
            Self::Cluster(_) => InventoryKind::Cluster,
        }
    }

    /// Names the item within its subject: the same thing has the same id in each scan, by each sensor. A package of
    /// another version is another item; an image that runs in other containers is the same. A finding stays the same while
    /// its message or its evidence change.
    pub fn id(&self) -> Uuid {
        let kind = self.kind().name();
        let name = match self {
            Self::Package(package) => format!(
                "{kind}\0{}\0{}\0{}\0{}\0{}",
                package.manager.name(),
                package.name,
                package.version,
                package.architecture.as_deref().unwrap_or_default(),
                package.path.as_deref().unwrap_or_default(),
            ),
            Self::Image(image) => format!("{kind}\0{}", image.key),
            Self::ListeningPort(port) => format!(
                "{kind}\0{}\0{}\0{}\0{}",
                port.protocol.name(),
                port.address,
                port.port,
                port.network_namespace
            ),
            Self::User(user) => format!("{kind}\0{}\0{}", user.uid, user.name),
            Self::Finding(finding) => {
                let object = &finding.object;
                format!(
                    "{kind}\0{}\0{}\0{}\0{}\0{}\0{}\0{}",
                    finding.source.name(),
                    finding.policy,
                    object.api_version,
                    object.kind,
                    object.namespace.as_deref().unwrap_or_default(),
                    object.name,
                    finding.part,
                )
            }
            // There is one.
            Self::Cluster(_) => kind.to_owned(),
        };
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Who installed it.
    pub manager: PackageManager,
    /// Name.
    pub name: String,
    /// Version, as its manager writes it: for rpm `epoch:version-release`, without an epoch of 0.
    pub version: String,
    /// Such as `amd64`; None where the package says none.
    pub architecture: Option<String>,
    /// The source package, which security advisories name, where it is another: `name`, or `name (version)`.
    pub source: Option<String>,
    /// Where a language's package lies, below the root.
    pub path: Option<String>,
}

/// What installs packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Each is named as its command or ecosystem is.
pub enum PackageManager {
    Dpkg,
    Apk,
    Rpm,
    Npm,
    Python,
}

impl PackageManager {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dpkg, Self::Apk, Self::Rpm, Self::Npm, Self::Python];

    /// As in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Npm => "npm",
            Self::Python => "python",
        }
    }
}

/// An image of which a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// Tells images of a node apart: the digest, else the reference, else `container/` and the id of a container of
    /// which no runtime told more.
    pub key: String,
    /// Its digest, such as `sha256:…`.
    pub digest: Option<String>,
    /// As it was asked for by the first container that runs it.
    pub reference: Option<String>,
    /// PRETTY_NAME of its os-release, where it has one.
    pub operating_system: Option<String>,
    /// The containers that run it, sorted, as far as they fit.
    pub containers: Vec<ContainerId>,
    /// How many run it.
    pub container_count: u32,
}

/// A socket that waits for whoever calls: a TCP socket that listens, or a UDP socket that takes datagrams from all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListeningPort {
    /// TCP or UDP.
    pub protocol: TransportProtocol,
    /// The local address; unspecified (`0.0.0.0`, `::`) where it listens on all.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// The inode number of the network namespace it is bound in.
    pub network_namespace: u64,
    /// The user who made the socket.
    pub uid: u32,
    /// A process that holds it; None where none was found: it is the kernel's own, or the process is gone.
    pub process: Option<ProcessKey>,
    /// The name of that process.
    pub process_name: Option<String>,
    /// Its executable.
    pub executable: Option<String>,
    /// Its container; None on the host itself.
    pub container: Option<ContainerId>,
}

/// Protocols with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Named as everywhere.
pub enum TransportProtocol {
    Tcp,
    Udp,
}

impl TransportProtocol {
    /// As in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A user with a shell to log in to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UserAccount {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Other groups that name the user as a member, sorted.
    pub groups: Vec<String>,
    /// How the password stands. The password's hash is never kept.
    pub password: PasswordState,
}

/// How a user's password stands, as `shadow(5)` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordState {
    /// The shadow file could not be read, or does not name the user.
    Unknown,
    /// No password is asked for.
    Empty,
    /// No password is right.
    Locked,
    /// There is one.
    Set,
}

impl PasswordState {
    /// As in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Empty => "empty",
            Self::Locked => "locked",
            Self::Set => "set",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> InventoryItem {
        InventoryItem::Package(Package {
            manager: PackageManager::Dpkg,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            path: None,
        })
    }

    #[test]
    fn an_item_has_the_same_id_for_ever() {
        // Backends know items of former sensors by their ids: a change of these would double everything.
        let id = package("bash", "5.2.15-2").id().to_string();
        assert_eq!(id, package("bash", "5.2.15-2").id().to_string());
        assert_eq!(id.as_bytes()[14], b'5', "{id}");
        assert_ne!(id, package("bash", "5.2.15-3").id().to_string());
        assert_ne!(id, package("bash5.2", ".15-2").id().to_string());
    }

    #[test]
    fn an_image_is_the_same_in_other_containers() {
        let image = |containers: &[&str]| {
            let containers: Vec<_> = containers.iter().map(|id| ContainerId::from(*id)).collect();
            InventoryItem::Image(Image { key: "sha256:a".into(), containers, ..Image::default() })
        };
        assert_eq!(image(&["a"]).id(), image(&["b", "c"]).id());
    }
}
