use crate::wire;
use event_model as model;
use std::net::IpAddr;

impl From<&model::Inventory> for wire::Inventory {
    fn from(inventory: &model::Inventory) -> Self {
        let image = match &inventory.subject {
            model::InventorySubject::Node | model::InventorySubject::Cluster => None,
            model::InventorySubject::Image(key) => Some(key.clone()),
        };
        Self {
            image,
            kind: kind_to_wire(inventory.kind).into(),
            scanned_at: inventory.scanned_at.0,
            changed: inventory.changed.iter().map(Into::into).collect(),
            removed: inventory.removed.iter().map(|id| id.as_bytes().to_vec()).collect(),
            snapshot_items: inventory.snapshot_items,
            of_cluster: inventory.subject == model::InventorySubject::Cluster,
            census: None,
        }
    }
}

const fn kind_to_wire(kind: model::InventoryKind) -> wire::InventoryKind {
    match kind {
        model::InventoryKind::Packages => wire::InventoryKind::Packages,
        model::InventoryKind::Images => wire::InventoryKind::Images,
        model::InventoryKind::ListeningPorts => wire::InventoryKind::ListeningPorts,
        model::InventoryKind::Users => wire::InventoryKind::Users,
        model::InventoryKind::Findings => wire::InventoryKind::Findings,
        model::InventoryKind::Cluster => wire::InventoryKind::Cluster,
    }
}

impl From<&model::InventoryItem> for wire::InventoryItem {
    fn from(item: &model::InventoryItem) -> Self {
        use wire::inventory_item::Item;
        let item = match item {
            model::InventoryItem::Package(package) => Item::Package(package.into()),
            model::InventoryItem::Image(image) => Item::Image(image.into()),
            model::InventoryItem::ListeningPort(port) => Item::ListeningPort(port.into()),
            model::InventoryItem::User(user) => Item::User(user.into()),
            model::InventoryItem::Finding(finding) => Item::Finding(finding.as_ref().into()),
            model::InventoryItem::Cluster(facts) => Item::Cluster(facts.into()),
        };
        Self { item: Some(item) }
    }
}

impl From<&model::Package> for wire::Package {
    fn from(package: &model::Package) -> Self {
        let manager = match package.manager {
            model::PackageManager::Dpkg => wire::PackageManager::Dpkg,
            model::PackageManager::Apk => wire::PackageManager::Apk,
            model::PackageManager::Rpm => wire::PackageManager::Rpm,
            model::PackageManager::Npm => wire::PackageManager::Npm,
            model::PackageManager::Python => wire::PackageManager::Python,
        };
        Self {
            manager: manager.into(),
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
            source: package.source.clone(),
            path: package.path.clone(),
        }
    }
}

impl From<&model::Image> for wire::Image {
    fn from(image: &model::Image) -> Self {
        Self {
            key: image.key.clone(),
            digest: image.digest.clone(),
            reference: image.reference.clone(),
            operating_system: image.operating_system.clone(),
            containers: image.containers.iter().map(ToString::to_string).collect(),
            container_count: image.container_count,
        }
    }
}

impl From<&model::ListeningPort> for wire::ListeningPort {
    fn from(port: &model::ListeningPort) -> Self {
        let protocol = match port.protocol {
            model::TransportProtocol::Tcp => wire::TransportProtocol::Tcp,
            model::TransportProtocol::Udp => wire::TransportProtocol::Udp,
        };
        let address = match port.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Self {
            protocol: protocol.into(),
            address,
            port: port.port.into(),
            network_namespace: port.network_namespace,
            uid: port.uid,
            process: port.process.as_ref().map(Into::into),
            process_name: port.process_name.clone(),
            executable: port.executable.clone(),
            container_id: port.container.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&model::UserAccount> for wire::UserAccount {
    fn from(user: &model::UserAccount) -> Self {
        let password = match user.password {
            model::PasswordState::Unknown => wire::PasswordState::Unknown,
            model::PasswordState::Empty => wire::PasswordState::Empty,
            model::PasswordState::Locked => wire::PasswordState::Locked,
            model::PasswordState::Set => wire::PasswordState::Set,
        };
        Self {
            name: user.name.clone(),
            uid: user.uid,
            gid: user.gid,
            home: user.home.clone(),
            shell: user.shell.clone(),
            groups: user.groups.clone(),
            password: password.into(),
        }
    }
}
