//! The lists of what is there, and of what Kubernetes API servers were asked.

use super::cursor::Cursor;
use super::filters::{
    self, AuditParameters, ImageParameters, PackageParameters, PortParameters, UserParameters,
};
use super::problem::Problem;
use super::schema::{
    AuditPage, Image, ImagePage, Listed, ListeningPort, Package, PackagePage, PortPage,
    UserAccount, UserPage,
};
use super::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;

type Answer<T> = Result<Json<T>, Problem>;

async fn list<T: Listed>(
    state: &ApiState,
    request: filters::InventoryRequest,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let filters::PageRequest { filter, cursor, limit } = request;
    let page = state.reader.inventory(filter, cursor, limit).await?;
    let items = page.items.into_iter().filter_map(T::listed).collect();
    Ok((items, page.next.as_ref().map(Cursor::to_text)))
}

/// Lists installed packages of nodes and of images that run, by their names.
#[utoipa::path(
    get, path = "/api/v1/inventory/packages", tag = "inventory", params(PackageParameters),
    responses(
        (status = 200, description = "A page of packages", body = PackagePage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn packages(State(state): State<ApiState>, uri: Uri) -> Answer<PackagePage> {
    let (items, next) = list::<Package>(&state, filters::packages(&uri)?).await?;
    Ok(Json(PackagePage { items, next }))
}

/// Lists images of which containers run, by their references.
#[utoipa::path(
    get, path = "/api/v1/inventory/images", tag = "inventory", params(ImageParameters),
    responses(
        (status = 200, description = "A page of images", body = ImagePage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn images(State(state): State<ApiState>, uri: Uri) -> Answer<ImagePage> {
    let (items, next) = list::<Image>(&state, filters::images(&uri)?).await?;
    Ok(Json(ImagePage { items, next }))
}

/// Lists listening ports, by the names of their processes.
#[utoipa::path(
    get, path = "/api/v1/inventory/ports", tag = "inventory", params(PortParameters),
    responses(
        (status = 200, description = "A page of ports", body = PortPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ports(State(state): State<ApiState>, uri: Uri) -> Answer<PortPage> {
    let (items, next) = list::<ListeningPort>(&state, filters::ports(&uri)?).await?;
    Ok(Json(PortPage { items, next }))
}

/// Lists users who can log in, of nodes and of images that run, by their names.
#[utoipa::path(
    get, path = "/api/v1/inventory/users", tag = "inventory", params(UserParameters),
    responses(
        (status = 200, description = "A page of users", body = UserPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn users(State(state): State<ApiState>, uri: Uri) -> Answer<UserPage> {
    let (items, next) = list::<UserAccount>(&state, filters::users(&uri)?).await?;
    Ok(Json(UserPage { items, next }))
}

/// Lists requests to Kubernetes API servers, the newest first.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(AuditParameters),
    responses(
        (status = 200, description = "A page of requests", body = AuditPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The query takes too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn audit(State(state): State<ApiState>, uri: Uri) -> Answer<AuditPage> {
    let request = filters::audit(&uri)?;
    let page = state.reader.audit(request.filter, request.cursor, request.limit).await?;
    Ok(Json(AuditPage {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(Cursor::to_text),
    }))
}
