//! Objects of the Kubernetes API, what became of them, what should not be so about them, and what their clusters are.

use super::cursor::Cursor;
use super::filters::{
    self, ChangeParameters, KubernetesEventParameters, ObjectDetailParameters, ObjectParameters,
    PodImageParameters, PostureParameters,
};
use super::problem::Problem;
use super::schema::{
    Clusters, FindingPage, KubernetesChangePage, KubernetesEventPage, KubernetesObjectDetail,
    KubernetesObjectPage, PodImagePage,
};
use super::state::ApiState;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};

type Answer<T> = Result<Json<T>, Problem>;

/// Lists objects of the Kubernetes API, by kind, namespace and name.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/objects", tag = "kubernetes", params(ObjectParameters),
    responses(
        (status = 200, description = "A page of objects", body = KubernetesObjectPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn objects(
    State(state): State<ApiState>,
    uri: Uri,
) -> Answer<KubernetesObjectPage> {
    let request = filters::objects(&uri)?;
    let page = state.reader.objects(request.filter, request.cursor, request.limit).await?;
    Ok(Json(KubernetesObjectPage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Lists what became of objects of the Kubernetes API, the latest observed first.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/changes", tag = "kubernetes", params(ChangeParameters),
    responses(
        (status = 200, description = "A page of changes", body = KubernetesChangePage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn changes(
    State(state): State<ApiState>,
    uri: Uri,
) -> Answer<KubernetesChangePage> {
    let request = filters::changes(&uri)?;
    let page = state.reader.changes(request.filter, request.cursor, request.limit).await?;
    Ok(Json(KubernetesChangePage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Lists the images that pods have, with the workloads that they belong to.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/images", tag = "kubernetes", params(PodImageParameters),
    responses(
        (status = 200, description = "A page of images", body = PodImagePage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn images(State(state): State<ApiState>, uri: Uri) -> Answer<PodImagePage> {
    let request = filters::pod_images(&uri)?;
    let page = state.reader.images_of_pods(request.filter, request.cursor, request.limit).await?;
    Ok(Json(PodImagePage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Lists what parts of Kubernetes noted about objects, the newest first.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/events", tag = "kubernetes", params(KubernetesEventParameters),
    responses(
        (status = 200, description = "A page of events", body = KubernetesEventPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn events(State(state): State<ApiState>, uri: Uri) -> Answer<KubernetesEventPage> {
    let request = filters::kubernetes_events(&uri)?;
    let page =
        state.reader.kubernetes_events(request.filter, request.cursor, request.limit).await?;
    Ok(Json(KubernetesEventPage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Lists what should not be so in clusters, the worst first.
#[utoipa::path(
    get, path = "/api/v1/findings", tag = "findings", params(PostureParameters),
    responses(
        (status = 200, description = "A page of findings", body = FindingPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn findings(State(state): State<ApiState>, uri: Uri) -> Answer<FindingPage> {
    let request = filters::posture(&uri)?;
    let page = state.reader.findings(request.filter, request.cursor, request.limit).await?;
    Ok(Json(FindingPage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}

/// Tells one object, with what it belongs to, its changes and its findings.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/objects/{uid}", tag = "kubernetes", params(("uid" = String, Path, description = "The API server's uid."), ObjectDetailParameters),
    responses(
        (status = 200, description = "The object", body = KubernetesObjectDetail),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such object", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn object(
    State(state): State<ApiState>,
    Path(uid): Path<String>,
    uri: Uri,
) -> Answer<KubernetesObjectDetail> {
    let cluster = filters::object(&uri)?;
    let found = state.reader.object(cluster, uid).await?;
    let detail = found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "there is no such object: it may have been removed")
    })?;
    Ok(Json(detail.into()))
}

/// Tells what clusters are, and how many findings are open in each.
#[utoipa::path(
    get, path = "/api/v1/kubernetes/clusters", tag = "kubernetes",
    responses(
        (status = 200, description = "All clusters that told what they are", body = Clusters),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn clusters(State(state): State<ApiState>) -> Answer<Clusters> {
    let clusters = state.reader.clusters().await?;
    Ok(Json(Clusters { items: clusters.into_iter().map(Into::into).collect() }))
}
