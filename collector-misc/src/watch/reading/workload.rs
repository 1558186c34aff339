use super::configuration::configure;
use super::containers::PodSpec;
use super::metadata::Metadata;
use event_model::KubernetesObject;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Workload<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    replicas: Option<u64>,
    suspend: Option<bool>,
    schedule: Option<String>,
    template: Option<Template>,
    job_template: Option<JobTemplate>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: Option<PodSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: Option<JobSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    template: Option<Template>,
}

impl Spec {
    /// Of a `CronJob` it lies one deeper.
    fn template(&mut self) -> PodSpec {
        let of_job = self.job_template.take().and_then(|job| job.spec).and_then(|job| job.template);
        self.template.take().or(of_job).and_then(|template| template.spec).unwrap_or_default()
    }

    fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        let attributes = [
            ("replicas", self.replicas.map(|replicas| replicas.to_string())),
            ("suspend", self.suspend.filter(|flag| *flag).map(|flag| flag.to_string())),
            ("schedule", self.schedule.clone()),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

/// What another object controls has its `spec` from there: it is not told twice.
pub(super) fn read(object: &str) -> Result<(Metadata, KubernetesObject), serde_json::Error> {
    let workload: Workload<'_> = serde_json::from_str(object)?;
    let text = workload.spec.map_or("{}", RawValue::get);
    let mut spec: Spec = serde_json::from_str(text)?;
    let template = spec.template();
    let attributes = template.attributes().chain(spec.attributes()).collect();
    let mut object = KubernetesObject {
        service_account: template.service_account_name.clone(),
        containers: template.into_containers([]),
        attributes,
        ..KubernetesObject::default()
    };
    if !workload.metadata.has_controller() {
        let parts: Vec<_> = workload.spec.map(|spec| ("spec", spec)).into_iter().collect();
        configure(&parts, &mut object)?;
    }
    Ok((workload.metadata, object))
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn a_workload_tells_its_template_without_the_values_of_its_environment() {
        let container = json!({"name": "web", "image": "nginx:1", "args": ["-v"],
            "env": [{"name": "PASSWORD", "value": "hunter2"}, {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "db"}}}]});
        let object = json!({"metadata": {"name": "shop"}, "spec": {"replicas": 3, "template":
            {"spec": {"serviceAccountName": "shopkeeper", "hostPID": true, "containers": [container]}}}});
        let (_, object) = read(&object.to_string()).unwrap();
        assert_eq!(object.containers[0].image, "nginx:1");
        assert_eq!(object.service_account.as_deref(), Some("shopkeeper"));
        assert_eq!(
            (&*object.attributes["replicas"], &*object.attributes["hostPID"]),
            ("3", "true")
        );
        let configuration = object.configuration.unwrap();
        assert!(!configuration.contains("hunter2"), "{configuration}");
        assert!(configuration.contains("PASSWORD") && configuration.contains("secretKeyRef"));
    }

    #[test]
    fn a_cron_job_tells_the_template_of_its_jobs() {
        let object = json!({"metadata": {}, "spec": {"schedule": "@daily", "jobTemplate": {"spec":
            {"template": {"spec": {"containers": [{"name": "backup", "image": "tar"}]}}}}}});
        let (_, object) = read(&object.to_string()).unwrap();
        assert_eq!(
            (&*object.containers[0].name, &*object.attributes["schedule"]),
            ("backup", "@daily")
        );
    }

    #[test]
    fn what_another_controls_does_not_tell_its_spec_again() {
        let object = json!({"metadata": {"ownerReferences": [{"kind": "Deployment", "name": "shop", "uid": "1", "controller": true}]},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}}});
        let (metadata, object) = read(&object.to_string()).unwrap();
        assert!(metadata.has_controller());
        assert_eq!((object.configuration, object.containers.len()), (None, 1));
    }
}
