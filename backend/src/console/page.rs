use super::card::AlertCard;
use super::live::{self, Count};
use super::posture_card::{ClusterCard, FindingCard, PostureCards};
use super::sensor_card::{SensorCard, SensorCards};
use crate::alerts::complete;
use crate::api::{ApiState, Cursor, Problem, alerts_request};
use crate::store::{AlertCursor, AlertFilter};
use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use event_model::Priority;

/// Alerts of one page.
const ALERTS_A_PAGE: usize = 50;

/// The console.
#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage {
    /// What the form shows.
    filter: FilterForm,
    /// The filter as a query, for links; begins with `&` where there is any.
    query: String,
    /// The same for the stream, which knows no bounds in time.
    stream_query: String,
    /// The reader looks at older alerts: new ones are not shown.
    older: bool,
    /// Link to the next older page.
    next: Option<String>,
    cards: Vec<AlertCard>,
    /// The newest alert that the page knows: the stream begins after it.
    newest: i64,
    /// Alerts of the last 24 hours, by priority.
    today: Vec<Count>,
    sensors: SensorCards,
    posture: PostureCards,
    /// A wrong filter, in words.
    problem: String,
    /// The reader can log out.
    guarded: bool,
    blank: AlertCard,
    blank_sensor: SensorCard,
    blank_cluster: ClusterCard,
    blank_finding: FindingCard,
    priorities: [&'static str; 8],
}

/// The fields of the filter.
#[derive(Default)]
struct FilterForm {
    minimum_priority: String,
    rule: String,
    namespace: String,
    pod: String,
    container: String,
    node: String,
}

/// The form that asks for the token.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    /// The token that was given was wrong.
    pub(crate) wrong: bool,
}

/// Shows the console.
pub(crate) async fn page(State(state): State<ApiState>, uri: Uri) -> Response {
    match build(&state, &uri).await {
        Ok(page) => page.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn build(state: &ApiState, uri: &Uri) -> Result<ConsolePage, Problem> {
    let (form, query) = read_form(uri);
    let (filter, cursor, problem) = match read_query(&query) {
        Ok((filter, cursor)) => (filter, cursor, String::new()),
        Err(problem) => (AlertFilter::default(), None, problem.detail().to_owned()),
    };
    // What was not applied here must not be asked of the stream or of the next page either.
    let applied = if problem.is_empty() { query } else { Vec::new() };
    // Before the list is read: an alert that arrives between is told twice rather than never, and
    // the script knows which it has.
    let newest = *state.reader.newest_alert().borrow();
    let page = state.reader.alerts(filter, cursor, ALERTS_A_PAGE).await?;
    let status = live::read_status(state).await?;
    let filters = without(&applied, &["cursor"]);
    Ok(ConsolePage {
        filter: form,
        older: cursor.is_some(),
        next: page.next.map(|next| format!("/?cursor={}{}", next.to_text(), and(&filters))),
        query: and(&filters),
        stream_query: and(&without(&filters, &["since", "until", "limit"])),
        cards: page.items.into_iter().map(complete).map(AlertCard::from).collect(),
        newest,
        today: status.today,
        sensors: status.sensors,
        posture: status.posture,
        problem,
        guarded: state.access.token.is_some(),
        blank: AlertCard::blank(),
        blank_sensor: SensorCard::blank(),
        blank_cluster: ClusterCard::blank(),
        blank_finding: FindingCard::blank(),
        priorities: Priority::ALL.map(Priority::name),
    })
}

/// The filter as the form has it, and as a query without the fields that were left empty.
fn read_form(uri: &Uri) -> (FilterForm, Vec<(String, String)>) {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    let mut pairs = pairs.map(|pairs| pairs.0).unwrap_or_default();
    pairs.retain(|(_, value)| !value.trim().is_empty());
    let mut form = FilterForm::default();
    for (name, value) in &pairs {
        let field = match name.as_str() {
            "minimum_priority" => &mut form.minimum_priority,
            "rule" => &mut form.rule,
            "namespace" => &mut form.namespace,
            "pod" => &mut form.pod,
            "container" => &mut form.container,
            "node" => &mut form.node,
            _ => continue,
        };
        field.clone_from(value);
    }
    (form, pairs)
}

fn read_query(pairs: &[(String, String)]) -> Result<(AlertFilter, Option<AlertCursor>), Problem> {
    let uri: Uri = format!("/?{}", encode(pairs))
        .parse()
        .map_err(|_| Problem::parameter("", "the filter cannot be read"))?;
    let request = alerts_request(&uri)?;
    Ok((request.filter, request.cursor))
}

fn without(pairs: &[(String, String)], names: &[&str]) -> Vec<(String, String)> {
    pairs.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
}

fn and(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() { String::new() } else { format!("&{}", encode(pairs)) }
}

/// Percent-encodes a query: all but unreserved characters (RFC 3986).
fn encode(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

impl IntoResponse for ConsolePage {
    fn into_response(self) -> Response {
        show(&self)
    }
}

impl IntoResponse for LoginPage {
    fn into_response(self) -> Response {
        show(&self)
    }
}

fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be shown")
                .into_response()
        }
    }
}
