use super::{ConversionError, Result, convert_all, required, unknown, uuid};
use crate::wire;
use event_model as model;
use std::net::IpAddr;

impl TryFrom<wire::Inventory> for model::Inventory {
    type Error = ConversionError;

    fn try_from(raw: wire::Inventory) -> Result<Self> {
        let kind = kind_from_wire(raw.kind)?;
        let changed: Vec<model::InventoryItem> = convert_all(raw.changed)?;
        if changed.iter().any(|item| item.kind() != kind) {
            return Err(unknown("inventory.kind", raw.kind));
        }
        let removed = raw.removed.iter().map(|id| uuid(id, "inventory.removed"));
        Ok(Self {
            subject: subject(raw.image, raw.of_cluster),
            kind,
            scanned_at: model::Timestamp(raw.scanned_at),
            changed,
            removed: removed.collect::<Result<_>>()?,
            snapshot_items: raw.snapshot_items,
        })
    }
}

fn subject(image: Option<String>, of_cluster: bool) -> model::InventorySubject {
    match (image, of_cluster) {
        (Some(image), _) => model::InventorySubject::Image(image),
        (None, true) => model::InventorySubject::Cluster,
        (None, false) => model::InventorySubject::Node,
    }
}

fn kind_from_wire(kind: i32) -> Result<model::InventoryKind> {
    use wire::InventoryKind as Wire;
    match Wire::try_from(kind) {
        Ok(Wire::Packages) => Ok(model::InventoryKind::Packages),
        Ok(Wire::Images) => Ok(model::InventoryKind::Images),
        Ok(Wire::ListeningPorts) => Ok(model::InventoryKind::ListeningPorts),
        Ok(Wire::Users) => Ok(model::InventoryKind::Users),
        Ok(Wire::Findings) => Ok(model::InventoryKind::Findings),
        Ok(Wire::Cluster) => Ok(model::InventoryKind::Cluster),
        Ok(Wire::Unspecified) | Err(_) => Err(unknown("inventory.kind", kind)),
    }
}

impl TryFrom<wire::InventoryItem> for model::InventoryItem {
    type Error = ConversionError;

    fn try_from(raw: wire::InventoryItem) -> Result<Self> {
        use wire::inventory_item::Item;
        Ok(match required(raw.item, "inventory.item")? {
            Item::Package(package) => Self::Package(package.try_into()?),
            Item::Image(image) => Self::Image(image.into()),
            Item::ListeningPort(port) => Self::ListeningPort(port.try_into()?),
            Item::User(user) => Self::User(user.try_into()?),
            Item::Finding(finding) => Self::Finding(Box::new(finding.try_into()?)),
            Item::Cluster(facts) => Self::Cluster(facts.into()),
        })
    }
}

impl TryFrom<wire::Package> for model::Package {
    type Error = ConversionError;

    fn try_from(raw: wire::Package) -> Result<Self> {
        use wire::PackageManager as Wire;
        let manager = match raw.manager() {
            Wire::Dpkg => model::PackageManager::Dpkg,
            Wire::Apk => model::PackageManager::Apk,
            Wire::Rpm => model::PackageManager::Rpm,
            Wire::Npm => model::PackageManager::Npm,
            Wire::Python => model::PackageManager::Python,
            Wire::Unspecified => return Err(unknown("package.manager", raw.manager)),
        };
        Ok(Self {
            manager,
            name: raw.name,
            version: raw.version,
            architecture: raw.architecture,
            source: raw.source,
            path: raw.path,
        })
    }
}

impl From<wire::Image> for model::Image {
    fn from(raw: wire::Image) -> Self {
        Self {
            key: raw.key,
            digest: raw.digest,
            reference: raw.reference,
            operating_system: raw.operating_system,
            containers: raw.containers.iter().map(|id| id.as_str().into()).collect(),
            container_count: raw.container_count,
        }
    }
}

impl TryFrom<wire::ListeningPort> for model::ListeningPort {
    type Error = ConversionError;

    fn try_from(raw: wire::ListeningPort) -> Result<Self> {
        let protocol = match raw.protocol() {
            wire::TransportProtocol::Tcp => model::TransportProtocol::Tcp,
            wire::TransportProtocol::Udp => model::TransportProtocol::Udp,
            wire::TransportProtocol::Unspecified => {
                return Err(unknown("listening_port.protocol", raw.protocol));
            }
        };
        Ok(Self {
            protocol,
            address: address(&raw.address)?,
            port: u16::try_from(raw.port).map_err(|_| unknown("listening_port.port", raw.port))?,
            network_namespace: raw.network_namespace,
            uid: raw.uid,
            process: raw.process.map(Into::into),
            process_name: raw.process_name,
            executable: raw.executable,
            container: raw.container_id.as_deref().map(Into::into),
        })
    }
}

fn address(bytes: &[u8]) -> Result<IpAddr> {
    let wrong = |_| ConversionError::Address { length: bytes.len() };
    if bytes.len() == 4 {
        return <[u8; 4]>::try_from(bytes).map(IpAddr::from).map_err(wrong);
    }
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).map_err(wrong)
}

impl TryFrom<wire::UserAccount> for model::UserAccount {
    type Error = ConversionError;

    fn try_from(raw: wire::UserAccount) -> Result<Self> {
        let password = match raw.password() {
            wire::PasswordState::Unknown => model::PasswordState::Unknown,
            wire::PasswordState::Empty => model::PasswordState::Empty,
            wire::PasswordState::Locked => model::PasswordState::Locked,
            wire::PasswordState::Set => model::PasswordState::Set,
            wire::PasswordState::Unspecified => {
                return Err(unknown("user.password", raw.password));
            }
        };
        Ok(Self {
            name: raw.name,
            uid: raw.uid,
            gid: raw.gid,
            home: raw.home,
            shell: raw.shell,
            groups: raw.groups,
            password,
        })
    }
}
