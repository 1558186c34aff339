//! Names as a cluster gives them.

/// A uid that no other pod has.
pub fn pod_uid() -> String {
    uuid::Uuid::now_v7().to_string()
}
