//! The documentation at /api/v1/openapi.json.

use super::{enrolment, handlers, inventory, kubernetes, ocsf, stream};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Defender",
        description = "Alerts, events and the sensors' health. Lists are paged: give a page's `next` back as `cursor`. \
            Errors are RFC 9457 problems.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        handlers::alerts, handlers::alert, ocsf::finding, ocsf::findings, stream::alert_stream, handlers::events, handlers::sensors,
        inventory::packages, inventory::images, inventory::ports, inventory::users, inventory::audit,
        kubernetes::objects, kubernetes::object, kubernetes::changes, kubernetes::images, kubernetes::events,
        kubernetes::clusters, kubernetes::findings,
        enrolment::enrolments, enrolment::tokens, enrolment::create_token, enrolment::revoke_token, enrolment::revoke_node,
        enrolment::allow_node, document,
    ),
    modifiers(&Bearer),
    security(("token" = [])),
)]
struct Documentation;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token of api.token_file, where one is configured."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The documentation of all paths.
pub(super) fn documentation() -> utoipa::openapi::OpenApi {
    Documentation::openapi()
}

/// Tells this document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "documentation",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) async fn document() -> axum::Json<utoipa::openapi::OpenApi> {
    axum::Json(documentation())
}
