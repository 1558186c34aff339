//! The handle of a server as HTTP routes, for programs that run it as one.

use crate::behaviour::Behaviour;
use crate::load::Churn;
use crate::server::ApiServer;
use crate::shared::lock;
use crate::store::Store;
use crate::trouble::Trouble;
use axum::Router;
use axum::extract::{Json, Path, State};
use axum::routing::{delete, get, post, put};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

struct Admin {
    server: tokio::sync::Mutex<ApiServer>,
    churn: Mutex<Option<Churn>>,
}

/// The admin routes of `server`:
///
/// | Route | Does |
/// |---|---|
/// | `POST /trouble`, `DELETE /trouble` | troubles requests, as `{"verb": "watch", "effect": {"cut": {"after_bytes": 100}}}`; ends that |
/// | `PUT /behaviour` | what [`Behaviour`] says |
/// | `POST /compact`, `/cut`, `/restart` | forgets the history; breaks all connections; both, and listens anew |
/// | `POST /objects` | creates the objects of a list |
/// | `PUT /churn/{changes}` | changes so many objects a second; none for 0 |
/// | `GET /requests`, `GET /accesses` | all requests so far; all accesses |
/// | `GET /version` | the version of the last change |
pub fn routes(server: ApiServer, churn: Option<Churn>) -> Router {
    let admin = Admin { server: tokio::sync::Mutex::new(server), churn: Mutex::new(churn) };
    Router::new()
        .route("/trouble", post(trouble).delete(calm))
        .route("/behaviour", put(behave))
        .route("/compact", post(compact))
        .route("/cut", post(cut))
        .route("/restart", post(restart))
        .route("/objects", post(create))
        .route("/churn/{changes}", put(churns))
        .route("/requests", get(requests))
        .route("/accesses", get(accesses).merge(delete(forget_accesses)))
        .route("/version", get(version))
        .with_state(Arc::new(admin))
}

async fn trouble(State(admin): State<Arc<Admin>>, Json(trouble): Json<Trouble>) {
    admin.server.lock().await.trouble(trouble);
}

async fn calm(State(admin): State<Arc<Admin>>) {
    admin.server.lock().await.calm();
}

async fn behave(State(admin): State<Arc<Admin>>, Json(behaviour): Json<Behaviour>) {
    admin.server.lock().await.behave(|present| *present = behaviour);
}

async fn compact(State(admin): State<Arc<Admin>>) {
    admin.server.lock().await.change(Store::compact);
}

async fn cut(State(admin): State<Arc<Admin>>) {
    admin.server.lock().await.cut_connections();
}

async fn restart(State(admin): State<Arc<Admin>>) {
    admin.server.lock().await.restart().await;
}

async fn create(State(admin): State<Arc<Admin>>, Json(objects): Json<Vec<Value>>) {
    admin.server.lock().await.change(|store| store.apply(objects));
}

async fn churns(State(admin): State<Arc<Admin>>, Path(changes): Path<u32>) {
    let churn = admin.server.lock().await.churn(changes);
    *lock(&admin.churn) = (changes > 0).then_some(churn);
}

async fn requests(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(json!(admin.server.lock().await.all_requests()))
}

async fn accesses(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(json!(admin.server.lock().await.accesses()))
}

async fn forget_accesses(State(admin): State<Arc<Admin>>) {
    admin.server.lock().await.forget_accesses();
}

async fn version(State(admin): State<Arc<Admin>>) -> Json<Value> {
    Json(json!(admin.server.lock().await.look(Store::version)))
}
