use crate::config::{BackendSection, ProxySection};

/// What the configuration says of the way to the backend.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) backend: &'a BackendSection,
    pub(crate) proxy: &'a ProxySection,
}
