//! Bundles of STIX 2.1 (OASIS, 10 June 2021): their indicators.

use super::indicator::{Indicator, Kind};
use super::notes::Notes;
use super::pattern::{self, Comparison};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Bundle<'b> {
    r#type: String,
    #[serde(default, borrow)]
    objects: Vec<&'b RawValue>,
}

/// As much of any object as tells an indicator from others.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    id: String,
}

/// An indicator, section 4.7.
#[derive(Deserialize)]
struct StixIndicator {
    pattern: String,
    #[serde(default = "stix")]
    pattern_type: String,
    valid_until: Option<Timestamp>,
    valid_from: Option<Timestamp>,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    indicator_types: Vec<String>,
}

fn stix() -> String {
    "stix".to_owned()
}

/// Hands the values of the bundle's indicators to `take`. Indicators that are revoked, no longer or not yet valid, or about what is benign are passed over; what can't
/// be used is noted with the object's id. As an error: why the text is no bundle.
pub(super) fn bundle(
    text: &str,
    now: Timestamp,
    notes: &mut Notes,
    mut take: impl FnMut(Indicator),
) -> Result<(), String> {
    let bundle: Bundle<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if bundle.r#type != "bundle" {
        return Err(format!("its type is `{}`, not `bundle`", bundle.r#type));
    }
    for raw in bundle.objects {
        let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
            notes.of_object("an object", || "it is no object with a type and an id".to_owned());
            continue;
        };
        if object.r#type == "indicator" {
            read(&object.id, raw.get(), now, notes, &mut take);
        }
    }
    Ok(())
}

fn read(id: &str, text: &str, now: Timestamp, notes: &mut Notes, take: &mut impl FnMut(Indicator)) {
    let indicator: StixIndicator = match serde_json::from_str(text) {
        Ok(indicator) => indicator,
        Err(error) => return notes.of_object(id, || format!("it can't be read: {error}")),
    };
    if !indicator.is_in_force(now) {
        return;
    }
    match indicator.comparisons() {
        Err(reason) => notes.of_object(id, || reason),
        Ok(comparisons) => {
            for comparison in comparisons {
                match indicator.value(comparison) {
                    Ok(value) => take(value),
                    Err(reason) => notes.of_object(id, || reason),
                }
            }
        }
    }
}

impl StixIndicator {
    fn is_in_force(&self, now: Timestamp) -> bool {
        let is_of = |kind: &str| self.indicator_types.iter().any(|known| known == kind);
        !self.revoked
            && self.valid_until.is_none_or(|until| now < until)
            && self.valid_from.is_none_or(|from| from <= now)
            && !is_of("benign")
    }

    fn comparisons(&self) -> Result<Vec<Comparison>, String> {
        if self.pattern_type != "stix" {
            return Err(format!("patterns of the type `{}` are not read", self.pattern_type));
        }
        pattern::parse(&self.pattern)
    }

    fn value(&self, Comparison { path, value }: Comparison) -> Result<Indicator, String> {
        let hides = self.indicator_types.iter().any(|kind| kind == "anonymization");
        let list = match path.as_str() {
            "domain-name:value" => "malicious_domains",
            "ipv4-addr:value" | "ipv6-addr:value" if hides => "anonymising_addresses",
            "ipv4-addr:value"
            | "ipv6-addr:value"
            | "network-traffic:dst_ref.value"
            | "network-traffic:src_ref.value" => "malicious_addresses",
            // Of a URL more is known than its host: it is looked for as it stands.
            "url:value" | "process:command_line" => "malicious_command_lines",
            _ if path.starts_with("file:hashes.") => "malicious_hashes",
            _ => return Err(format!("nothing here looks at `{path}`")),
        };
        match Kind::of_list(list).objection(&value) {
            Some(objection) => {
                Err(format!("`{}` {objection}", value.chars().take(80).collect::<String>()))
            }
            None => Ok(Indicator { list: list.to_owned(), value }),
        }
    }
}
