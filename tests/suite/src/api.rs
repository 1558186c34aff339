//! The backend's API, as any client reads it.

use crate::deadline::wait_for;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;

/// A client of a backend on this machine.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
}

impl Api {
    /// The API at a port of the loopback interface.
    pub fn at(port: u16) -> Self {
        Self { base: format!("http://127.0.0.1:{port}") }
    }

    /// The page's address.
    pub fn page(&self) -> String {
        format!("{}/", self.base)
    }

    /// One GET of a JSON document. `path` begins with `/`.
    pub fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let text = ureq::get(&url)
            .call()
            .with_context(|| format!("GET {url}"))?
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string()?;
        serde_json::from_str(&text).with_context(|| format!("GET {url} gave no JSON: {text}"))
    }

    /// All items of a paged list. `path` has its query, without limit and cursor.
    pub fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut query = format!("{path}{joint}limit=1000");
        loop {
            let page = self.get(&query)?;
            items.extend(page["items"].as_array().context("a page has items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => query = format!("{path}{joint}limit=1000&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Waits for an alert for which `wanted` holds. On failure says which alerts came instead.
    pub fn wait_for_alert(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait_for(what, limit, || {
            let alerts = self.all("/api/v1/alerts")?;
            if let Some(found) = alerts.iter().find(|alert| wanted(alert)) {
                return Ok(found.clone());
            }
            let came: Vec<String> = alerts.iter().rev().take(8).map(summary).collect();
            bail!(
                "{} alerts came, none of them this; among them:\n{}",
                alerts.len(),
                came.join("\n")
            )
        })
    }
}

/// An alert in one line.
pub fn summary(alert: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{} {:<13} {} | {}",
        text(&alert["time"]),
        text(&alert["priority"]),
        text(&alert["rule"]),
        text(&alert["message"]),
    )
}
