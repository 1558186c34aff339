//! The classes of the schema that records become, and what all their events have.

use crate::VERSION;
use crate::finding::product;
use crate::object::{Choice, Object, milliseconds};
use event_model::Timestamp;

/// A class of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its number.
    pub uid: u32,
    /// Its caption.
    pub name: &'static str,
    category: Choice,
}

const SYSTEM: Choice = (1, "System Activity");
const FINDINGS: Choice = (2, "Findings");
const IDENTITY: Choice = (3, "Identity & Access Management");
const NETWORK: Choice = (4, "Network Activity");
const DISCOVERY: Choice = (5, "Discovery");
const APPLICATION: Choice = (6, "Application Activity");

#[rustfmt::skip]
#[allow(missing_docs)] // Named as the schema names them.
mod classes {
    use super::{APPLICATION, Class, DISCOVERY, FINDINGS, IDENTITY, NETWORK, SYSTEM, class};
    pub const FILE_ACTIVITY: Class = class(1001, "File System Activity", SYSTEM);
    pub const KERNEL_EXTENSION: Class = class(1002, "Kernel Extension Activity", SYSTEM);
    pub const KERNEL_ACTIVITY: Class = class(1003, "Kernel Activity", SYSTEM);
    pub const MEMORY_ACTIVITY: Class = class(1004, "Memory Activity", SYSTEM);
    pub const PROCESS_ACTIVITY: Class = class(1007, "Process Activity", SYSTEM);
    pub const COMPLIANCE_FINDING: Class = class(2003, "Compliance Finding", FINDINGS);
    pub const DETECTION_FINDING: Class = class(2004, "Detection Finding", FINDINGS);
    pub const ENTITY_MANAGEMENT: Class = class(3004, "Entity Management", IDENTITY);
    pub const NETWORK_ACTIVITY: Class = class(4001, "Network Activity", NETWORK);
    pub const DNS_ACTIVITY: Class = class(4003, "DNS Activity", NETWORK);
    pub const DEVICE_INVENTORY: Class = class(5001, "Device Inventory Info", DISCOVERY);
    pub const USER_INVENTORY: Class = class(5003, "User Inventory Info", DISCOVERY);
    pub const SOFTWARE_INVENTORY: Class = class(5020, "Software Inventory Info", DISCOVERY);
    pub const RESOURCES_INVENTORY: Class = class(5023, "Cloud Resources Inventory Info", DISCOVERY);
    pub const LIVE_EVIDENCE: Class = class(5040, "Live Evidence Info", DISCOVERY);
    pub const APPLICATION_LIFECYCLE: Class = class(6002, "Application Lifecycle", APPLICATION);
    pub const API_ACTIVITY: Class = class(6003, "API Activity", APPLICATION);
    pub const APPLICATION_ERROR: Class = class(6008, "Application Error", APPLICATION);
}
pub use classes::*;

const fn class(uid: u32, name: &'static str, category: Choice) -> Class {
    Class { uid, name, category }
}

/// What was done: a number of the class, and its caption. 99 stands for a word of our own.
pub type Activity<'a> = (u32, &'a str);

/// The activity Other, with a word of our own.
pub const OTHER: u32 = 99;

/// An act of a snapshot or of a change in what is there.
pub const COLLECT: Activity<'static> = (2, "Collect");

impl Class {
    /// An event of this class, without what only the class has.
    pub fn event(self, activity: Activity<'_>, time: Timestamp, severity: Choice) -> Object {
        let (number, caption) = activity;
        Object::new()
            .with("category_uid", self.category.0)
            .with("category_name", self.category.1)
            .with("class_uid", self.uid)
            .with("class_name", self.name)
            .with("activity_id", number)
            .with("activity_name", caption)
            .with("type_uid", self.uid * 100 + number)
            .with("type_name", format!("{}: {caption}", self.name))
            .with("time", milliseconds(time))
            .with_choice("severity", severity)
    }
}

/// Where an event comes from: the schema's `metadata`.
pub fn metadata(version: &str, code: &str, log: &str, time: Timestamp, contained: bool) -> Object {
    let profiles: &[&str] = if contained { &["host", "container"] } else { &["host"] };
    Object::new()
        .with("version", VERSION)
        .with("product", product(version))
        .with("profiles", profiles.to_vec())
        .with("event_code", code)
        .with("log_name", log)
        .with("original_time", time.to_string())
}
