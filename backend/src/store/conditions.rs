use rusqlite::types::Value;

/// The WHERE clause of a query, put together from what its caller asked for. Values are always
/// bound, never written into the text.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    clauses: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a clause with a `?` for each value.
    pub(crate) fn add(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        self.clauses.push(format!("({clause})"));
        self.values.extend(values);
    }

    /// Adds a clause with one `?`, where there is a value.
    pub(crate) fn add_some(&mut self, clause: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.add(clause, [value.into()]);
        }
    }

    /// Adds `column IN (…)`, where there are values.
    pub(crate) fn add_any_of(
        &mut self,
        column: &str,
        values: impl ExactSizeIterator<Item = Value>,
    ) {
        if values.len() > 0 {
            let places = vec!["?"; values.len()].join(", ");
            self.add(&format!("{column} IN ({places})"), values);
        }
    }

    /// `WHERE …`, or nothing.
    pub(crate) fn sql(&self) -> String {
        if self.clauses.is_empty() {
            return String::new();
        }
        format!("WHERE {}", self.clauses.join(" AND "))
    }

    /// The values, followed by those of the rest of the query.
    pub(crate) fn values(
        self,
        rest: impl IntoIterator<Item = Value>,
    ) -> impl Iterator<Item = Value> {
        self.values.into_iter().chain(rest)
    }
}
