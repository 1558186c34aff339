use super::access;
use super::problem::Problem;
use super::state::ApiState;
use super::{enrolment, handlers, inventory, kubernetes, login, ocsf, openapi, stream};
use crate::console;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

/// Requests with a body, the login form and those of enrolment, are small.
const LARGEST_BODY: usize = 8 << 10;

/// The paths of the API. Each is documented: see the test.
fn api() -> Vec<(&'static str, MethodRouter<ApiState>)> {
    vec![
        ("/api/v1/alerts", get(handlers::alerts)),
        ("/api/v1/alerts/stream", get(stream::alert_stream)),
        ("/api/v1/alerts/ocsf", get(ocsf::findings)),
        ("/api/v1/alerts/{id}", get(handlers::alert)),
        ("/api/v1/alerts/{id}/ocsf", get(ocsf::finding)),
        ("/api/v1/events", get(handlers::events)),
        ("/api/v1/sensors", get(handlers::sensors)),
        ("/api/v1/inventory/packages", get(inventory::packages)),
        ("/api/v1/inventory/images", get(inventory::images)),
        ("/api/v1/inventory/ports", get(inventory::ports)),
        ("/api/v1/inventory/users", get(inventory::users)),
        ("/api/v1/audit", get(inventory::audit)),
        ("/api/v1/kubernetes/objects", get(kubernetes::objects)),
        ("/api/v1/kubernetes/objects/{uid}", get(kubernetes::object)),
        ("/api/v1/kubernetes/changes", get(kubernetes::changes)),
        ("/api/v1/kubernetes/images", get(kubernetes::images)),
        ("/api/v1/kubernetes/events", get(kubernetes::events)),
        ("/api/v1/kubernetes/clusters", get(kubernetes::clusters)),
        ("/api/v1/findings", get(kubernetes::findings)),
        ("/api/v1/enrolments", get(enrolment::enrolments)),
        ("/api/v1/enrolment/tokens", get(enrolment::tokens).post(enrolment::create_token)),
        ("/api/v1/enrolment/tokens/{id}/revoke", post(enrolment::revoke_token)),
        ("/api/v1/enrolment/nodes/revoke", post(enrolment::revoke_node)),
        ("/api/v1/enrolment/nodes/allow", post(enrolment::allow_node)),
        ("/api/v1/openapi.json", get(openapi::document)),
    ]
}

/// All that is served.
pub(super) fn router(state: ApiState) -> Router {
    let router = api()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router
        .route("/", get(console::page))
        .route("/console/alerts", get(console::live_alerts))
        .route("/console/alerts/{id}", get(console::alert_card))
        .route("/console/status", get(console::status))
        .route("/login", get(login::form).post(login::submit))
        .route("/logout", post(login::leave))
        .route("/assets/{name}", get(console::asset))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        // Before any handler: who may not read learns nothing, not even which paths there are.
        .layer(middleware::from_fn_with_state(state.clone(), access::guard))
        // Outermost, so that refusals have them too.
        .layer(middleware::from_fn(add_headers))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path: see /api/v1/openapi.json")
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path is not for this method: see /api/v1/openapi.json",
    )
}

/// What each answer tells the browser: run and load nothing but our own files, show the page in
/// no frame, keep nothing.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With "no-referrer" browsers would send our own form with the origin "null", which is refused.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::{filters, openapi, query::Parameter};
    use std::collections::BTreeSet;

    #[test]
    fn every_path_is_documented_and_every_documented_path_is_served() {
        let served: BTreeSet<_> =
            super::api().into_iter().map(|(path, _)| path.to_owned()).collect();
        let documented: BTreeSet<_> = openapi::documentation().paths.paths.into_keys().collect();
        assert_eq!(served, documented);
    }

    #[test]
    fn every_parameter_that_is_read_is_documented() {
        let document = serde_json::to_value(openapi::documentation()).unwrap();
        let check = |path: &str, read: &[Parameter]| {
            let documented = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let documented: BTreeSet<_> = documented
                .iter()
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let read: BTreeSet<_> = read.iter().map(|parameter| parameter.name).collect();
            assert_eq!(read, documented, "{path}");
        };
        check("/api/v1/alerts", &filters::ALERTS);
        check("/api/v1/alerts/stream", &filters::STREAM);
        check("/api/v1/alerts/ocsf", &filters::FINDINGS);
        check("/api/v1/events", &filters::EVENTS);
        check("/api/v1/sensors", &filters::SENSORS);
        check("/api/v1/inventory/packages", &filters::PACKAGES);
        check("/api/v1/inventory/images", &filters::IMAGES);
        check("/api/v1/inventory/ports", &filters::PORTS);
        check("/api/v1/inventory/users", &filters::USERS);
        check("/api/v1/audit", &filters::AUDIT);
        check("/api/v1/kubernetes/objects", &filters::OBJECTS);
        check("/api/v1/kubernetes/objects/{uid}", &filters::OBJECT);
        check("/api/v1/kubernetes/changes", &filters::CHANGES);
        check("/api/v1/kubernetes/images", &filters::POD_IMAGES);
        check("/api/v1/kubernetes/events", &filters::KUBERNETES_EVENTS);
        check("/api/v1/findings", &filters::POSTURE);
        check("/api/v1/enrolments", &filters::ENROLMENTS);
    }
}
