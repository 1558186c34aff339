use event_model::KubernetesObject;
use kube::Resource;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A kind of object that is watched: its type holds only the fields that we use, so that the rest
/// is skipped while it is parsed.
pub(crate) trait Watched:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static
{
    /// The kind's name, such as `Pod`.
    const KIND: &'static str;
    /// The API version, such as `v1`.
    const API_VERSION: &'static str;
    /// The kind's name in URLs, and in messages to people, such as `pods`.
    const PLURAL: &'static str;

    /// The object in the words of the event model.
    fn into_object(self) -> KubernetesObject;
}

/// Implements `kube::Resource` for a type of the core group that is [`Watched`].
macro_rules! core_resource {
    ($type:ty, $scope:ty) => {
        impl kube::Resource for $type {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                <Self as crate::watch::watched::Watched>::KIND.into()
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                "".into()
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                <Self as crate::watch::watched::Watched>::API_VERSION.into()
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                <Self as crate::watch::watched::Watched>::PLURAL.into()
            }

            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(
                &mut self,
            ) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(crate) use core_resource;
