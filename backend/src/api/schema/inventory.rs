use crate::store::InventoryRecord;
use event_model as model;
use model::{InventoryItem, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Where an item is, and since when.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Whereabouts {
    /// The cluster, as the publisher's certificate says.
    pub cluster: String,
    /// The node, as the publisher's certificate says.
    pub node: String,
    /// The image that it is in, by its digest, else its reference. Null: it is of the node itself.
    pub image: Option<String>,
    /// When it was first told.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When it was last told to be so.
    #[schema(value_type = String, format = DateTime)]
    pub last_changed: Timestamp,
}

impl Whereabouts {
    fn of(record: InventoryRecord) -> (Self, InventoryItem) {
        let whereabouts = Self {
            cluster: record.publisher.cluster.to_string(),
            node: record.publisher.node.to_string(),
            image: record.image,
            first_seen: record.first_seen,
            last_changed: record.last_changed,
        };
        (whereabouts, record.item)
    }
}

/// An installed package.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Package {
    /// Where it is.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
    /// `dpkg`, `apk`, `rpm`, `npm` or `python`.
    pub manager: &'static str,
    /// Name.
    pub name: String,
    /// Version, as its manager writes it.
    pub version: String,
    /// Such as `amd64`.
    pub architecture: Option<String>,
    /// The source package, where it is another.
    pub source: Option<String>,
    /// Where a language's package lies.
    pub path: Option<String>,
}

/// An image of which containers run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Image {
    /// Where it is.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
    /// What packages and users name it by: the digest, else the reference, else `container/` and a container's id.
    pub key: String,
    /// Its digest.
    pub digest: Option<String>,
    /// As it was asked for.
    #[schema(example = "docker.io/library/nginx:1.27")]
    pub reference: Option<String>,
    /// PRETTY_NAME of its os-release.
    pub operating_system: Option<String>,
    /// The containers that run it, 256 at most.
    pub containers: Vec<String>,
    /// How many run it.
    pub container_count: u32,
}

/// A socket that waits for whoever calls.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListeningPort {
    /// Where it is.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The local address; `0.0.0.0` or `::` where it listens on all.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The inode number of its network namespace.
    pub network_namespace: u64,
    /// The user who made the socket.
    pub uid: u32,
    /// The id of the process that holds it, in the host's pid namespace.
    pub pid: Option<u32>,
    /// The name of that process.
    pub process: Option<String>,
    /// Its executable.
    pub executable: Option<String>,
    /// The id of its container.
    pub container: Option<String>,
}

/// A user with a shell to log in to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserAccount {
    /// Where it is.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
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
    /// Other groups.
    pub groups: Vec<String>,
    /// `set`, `locked`, `empty`, or `unknown` where the shadow file could not be read.
    pub password: &'static str,
}

/// An item of a list, where the record is of its kind.
pub(crate) trait Listed: Sized {
    fn listed(record: InventoryRecord) -> Option<Self>;
}

impl Listed for Package {
    fn listed(record: InventoryRecord) -> Option<Self> {
        let (whereabouts, InventoryItem::Package(package)) = Whereabouts::of(record) else {
            return None;
        };
        Some(Self {
            whereabouts,
            manager: package.manager.name(),
            name: package.name,
            version: package.version,
            architecture: package.architecture,
            source: package.source,
            path: package.path,
        })
    }
}

impl Listed for Image {
    fn listed(record: InventoryRecord) -> Option<Self> {
        let (whereabouts, InventoryItem::Image(image)) = Whereabouts::of(record) else {
            return None;
        };
        Some(Self {
            whereabouts,
            key: image.key,
            digest: image.digest,
            reference: image.reference,
            operating_system: image.operating_system,
            containers: image.containers.iter().map(ToString::to_string).collect(),
            container_count: image.container_count,
        })
    }
}

impl Listed for ListeningPort {
    fn listed(record: InventoryRecord) -> Option<Self> {
        let (whereabouts, InventoryItem::ListeningPort(port)) = Whereabouts::of(record) else {
            return None;
        };
        Some(Self {
            whereabouts,
            protocol: port.protocol.name(),
            address: port.address.to_string(),
            port: port.port,
            network_namespace: port.network_namespace,
            uid: port.uid,
            pid: port.process.map(|process| process.pid),
            process: port.process_name,
            executable: port.executable,
            container: port.container.map(|id| id.to_string()),
        })
    }
}

impl Listed for UserAccount {
    fn listed(record: InventoryRecord) -> Option<Self> {
        let (whereabouts, InventoryItem::User(user)) = Whereabouts::of(record) else {
            return None;
        };
        Some(Self {
            whereabouts,
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            home: user.home,
            shell: user.shell,
            groups: user.groups,
            password: user.password.name(),
        })
    }
}
