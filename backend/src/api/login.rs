//! The login form: it trades the token for a cookie, so that a browser can show the page.

use super::access::COOKIE;
use super::problem::Problem;
use super::state::ApiState;
use crate::console::LoginPage;
use axum::Form;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A working day: then the token is asked for again.
const COOKIE_SECONDS: u32 = 12 * 3600;
/// What a wrong token costs.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);
/// Wrong tokens that are being waited for. Beyond, who guesses is turned away at once.
static WRONG_TOKENS: Semaphore = Semaphore::const_new(8);

/// The fields of the form.
#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
}

/// The form itself.
pub(super) async fn form(State(state): State<ApiState>) -> Response {
    if state.access.token.is_none() {
        return Redirect::to("/").into_response();
    }
    LoginPage { wrong: false }.into_response()
}

/// What the form sends.
pub(super) async fn submit(State(state): State<ApiState>, Form(login): Form<Login>) -> Response {
    let Some(token) = &state.access.token else { return Redirect::to("/").into_response() };
    let presented = login.token.trim();
    if token.is(presented) {
        let secure = if state.access.tls { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE}={presented}; HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_SECONDS}{secure}"
        );
        return ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response();
    }
    let Ok(_place) = WRONG_TOKENS.try_acquire() else {
        let detail = "too many wrong tokens at once: wait a little";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    };
    tokio::time::sleep(WRONG_TOKEN_DELAY).await;
    (StatusCode::UNAUTHORIZED, LoginPage { wrong: true }).into_response()
}

/// Takes the cookie away.
pub(super) async fn leave() -> Response {
    let cookie = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}
