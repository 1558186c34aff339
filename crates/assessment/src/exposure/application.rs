use crate::checks::{self, Check};

/// An application that should not be reached from outside, and how it is known.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) title: &'static str,
    pub(crate) check: &'static Check,
    /// Names of its Services, and values of their labels for the application.
    pub(crate) names: &'static [&'static str],
    /// The ends of its images' paths, without tag.
    images: &'static [&'static str],
    /// Ports that are its alone.
    ports: &'static [u16],
}

const fn application(
    title: &'static str,
    check: &'static Check,
    names: &'static [&'static str],
    images: &'static [&'static str],
    ports: &'static [u16],
) -> Application {
    Application { title, check, names, images, ports }
}

const OTHER: &Check = &checks::EXPOSED_APPLICATION;

/// All of them. The first that fits counts.
pub(crate) const APPLICATIONS: &[Application] = &[
    application(
        "Kubernetes dashboard",
        &checks::EXPOSED_DASHBOARD,
        &[
            "kubernetes-dashboard",
            "dashboard",
            "headlamp",
            "k8dash",
            "kubernetes-dashboard-kong-proxy",
            "kubernetes-dashboard-web",
            "skooner",
        ],
        &[
            "kubernetesui/dashboard",
            "kubernetesui/dashboard-web",
            "headlamp-k8s/headlamp",
            "k8dash",
            "skooner",
        ],
        &[],
    ),
    application(
        "Kubeflow",
        &checks::EXPOSED_KUBEFLOW,
        &["centraldashboard", "ml-pipeline-ui", "jupyter-web-app-service", "kubeflow"],
        &["centraldashboard", "jupyter-web-app", "ml-pipeline/frontend"],
        &[],
    ),
    application(
        "Redis",
        &checks::EXPOSED_REDIS,
        &["redis", "redis-master", "redis-leader", "redis-headless", "valkey", "dragonfly"],
        &["redis", "redis-stack", "redis-stack-server", "valkey", "keydb", "dragonfly"],
        &[6379],
    ),
    application(
        "PostgreSQL",
        &checks::EXPOSED_POSTGRES,
        &["postgres", "postgresql", "postgres-primary", "postgresql-primary"],
        &["postgres", "postgresql", "postgis", "timescaledb", "spilo-15", "spilo-16", "spilo-17"],
        &[5432],
    ),
    application("Argo CD", OTHER, &["argocd-server"], &["argoproj/argocd"], &[]),
    application(
        "Argo Workflows",
        OTHER,
        &["argo-server", "argo-workflows-server"],
        &["argocli"],
        &[],
    ),
    application("Jenkins", OTHER, &["jenkins"], &["jenkins", "jenkins/jenkins"], &[]),
    application("Weave Scope", OTHER, &["weave-scope-app"], &["weaveworks/scope"], &[]),
    application(
        "Jupyter",
        OTHER,
        &["jupyter", "jupyterhub", "proxy-public", "notebook"],
        &[
            "minimal-notebook",
            "base-notebook",
            "scipy-notebook",
            "tensorflow-notebook",
            "datascience-notebook",
            "pyspark-notebook",
            "k8s-hub",
            "jupyterhub",
        ],
        &[],
    ),
    application("Airflow", OTHER, &["airflow-webserver", "airflow-api-server"], &["airflow"], &[]),
    application("Spark", OTHER, &["spark-master-svc"], &["spark"], &[]),
    application(
        "Prometheus",
        OTHER,
        &["prometheus-server", "prometheus-k8s", "alertmanager", "prometheus"],
        &[
            "prom/prometheus",
            "prometheus/prometheus",
            "prometheus/alertmanager",
            "prom/alertmanager",
        ],
        &[],
    ),
    application(
        "Grafana",
        OTHER,
        &["grafana"],
        &["grafana", "grafana-oss", "grafana-enterprise"],
        &[],
    ),
    application(
        "Kibana",
        OTHER,
        &["kibana", "opensearch-dashboards"],
        &["kibana", "opensearch-dashboards"],
        &[5601],
    ),
    application("etcd", OTHER, &["etcd"], &["etcd"], &[2379]),
    application(
        "Elasticsearch",
        OTHER,
        &["elasticsearch", "elasticsearch-master", "opensearch"],
        &["elasticsearch", "opensearch"],
        &[9200],
    ),
    application(
        "MongoDB",
        OTHER,
        &["mongodb", "mongo"],
        &["mongo", "mongodb", "mongodb-community-server"],
        &[27017],
    ),
    application(
        "MySQL",
        OTHER,
        &["mysql", "mariadb"],
        &["mysql", "mysql-server", "mariadb", "percona"],
        &[3306],
    ),
    application("Cassandra", OTHER, &["cassandra"], &["cassandra"], &[9042]),
    application("Memcached", OTHER, &["memcached"], &["memcached"], &[11211]),
    application("NiFi", OTHER, &["nifi", "apache-nifi"], &["nifi"], &[]),
    application("Zeppelin", OTHER, &["zeppelin-server"], &["zeppelin"], &[]),
    application("Rancher", OTHER, &["rancher"], &["rancher/rancher"], &[]),
    application(
        "Portainer",
        OTHER,
        &["portainer"],
        &["portainer", "portainer-ce", "portainer-ee"],
        &[],
    ),
    application("Kubernetes API server", OTHER, &["kube-apiserver"], &["kube-apiserver"], &[]),
    application("Docker daemon", OTHER, &["docker"], &["docker"], &[2375, 2376]),
    application(
        "Image registry",
        OTHER,
        &["docker-registry"],
        &["library/registry", "docker-registry"],
        &[],
    ),
    application(
        "Tekton dashboard",
        OTHER,
        &["tekton-dashboard"],
        &["tekton-dashboard", "tektoncd/dashboard/cmd/dashboard"],
        &[],
    ),
    application("Longhorn", OTHER, &["longhorn-frontend"], &["longhorn-ui"], &[]),
];

/// What answers behind a Service.
pub(crate) struct Signs<'s> {
    pub(crate) namespace: &'s str,
    pub(crate) name: &'s str,
    pub(crate) labels: Vec<&'s str>,
    pub(crate) ports: Vec<u16>,
    pub(crate) images: Vec<&'s str>,
    /// There is a namespace of Kubeflow with something in it.
    pub(crate) has_kubeflow: bool,
}

impl Signs<'_> {
    /// Which application it is, and by what it is known.
    pub(crate) fn application(&self) -> Option<(&'static Application, String)> {
        // Kubeflow's own way in is Istio's.
        if self.has_kubeflow
            && self.namespace == "istio-system"
            && self.name == "istio-ingressgateway"
        {
            let kubeflow = APPLICATIONS.iter().find(|one| one.title == "Kubeflow")?;
            return Some((kubeflow, "the gateway of a cluster with Kubeflow".to_owned()));
        }
        APPLICATIONS.iter().find_map(|one| Some((one, self.sign_of(one)?)))
    }

    fn sign_of(&self, application: &Application) -> Option<String> {
        if let Some(image) = self
            .images
            .iter()
            .find(|image| application.images.iter().any(|end| is_image(image, end)))
        {
            return Some(format!("image {image}"));
        }
        if application.names.contains(&self.name) {
            return Some(format!("name {}", self.name));
        }
        if let Some(label) = self.labels.iter().find(|label| application.names.contains(label)) {
            return Some(format!("label {label}"));
        }
        let port = self.ports.iter().find(|port| application.ports.contains(port))?;
        Some(format!("port {port}"))
    }
}

/// Whether an image's path, without tag and digest, ends so.
fn is_image(image: &str, end: &str) -> bool {
    let path = image.split('@').next().unwrap_or_default();
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let path = match path[name..].find(':') {
        Some(colon) => &path[..name + colon],
        None => path,
    };
    path == end
        || path.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'))
        // Docker's own images are named without the registry's folder for them.
        || end.strip_prefix("library/") == Some(path)
}
