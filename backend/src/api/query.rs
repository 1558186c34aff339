use super::problem::Problem;
use axum::http::Uri;
use event_model::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Required, Schema};

/// Records of a page where the request does not say.
const USUAL_LIMIT: usize = 100;
/// The most records of a page.
pub(super) const MOST: usize = 1000;
/// No value of a parameter is longer.
const LONGEST_VALUE: usize = 4096;

/// A query parameter: what the documentation says of it is what is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: Kind,
}

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Whole,
}

impl Parameter {
    pub(super) const fn text(name: &'static str, description: &'static str) -> Self {
        Self { name, description, kind: Kind::Text }
    }

    pub(super) const fn time(name: &'static str, description: &'static str) -> Self {
        Self { name, description, kind: Kind::Time }
    }

    pub(super) const fn whole(name: &'static str, description: &'static str) -> Self {
        Self { name, description, kind: Kind::Whole }
    }

    /// As OpenAPI documents it.
    pub(super) fn document(&self) -> utoipa::openapi::path::Parameter {
        let (kind, format) = match self.kind {
            Kind::Text => (Type::String, None),
            Kind::Time => (Type::String, Some(KnownFormat::DateTime)),
            Kind::Whole => (Type::Integer, None),
        };
        let schema = ObjectBuilder::new()
            .schema_type(SchemaType::new(kind))
            .format(format.map(SchemaFormat::KnownFormat))
            .build();
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(self.description))
            .schema(Some(Schema::Object(schema)))
            .build()
    }
}

/// The parameters of a request's query, each known and given once.
#[derive(Debug)]
pub(super) struct Query {
    values: BTreeMap<&'static str, String>,
}

impl Query {
    /// Reads the query of a request that may have these parameters.
    pub(super) fn read(uri: &Uri, known: &[Parameter]) -> Result<Self, Problem> {
        let pairs =
            axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| {
                Problem::parameter("", format!("the query cannot be read: {error}"))
            })?;
        let mut values = BTreeMap::new();
        for (name, value) in pairs.0 {
            let parameter = known
                .iter()
                .find(|parameter| parameter.name == name)
                .ok_or_else(|| unknown(&name, known))?;
            check_value(parameter.name, &value)?;
            if values.insert(parameter.name, value).is_some() {
                return Err(Problem::parameter(name.clone(), format!("{name:?} is given twice")));
            }
        }
        Ok(Self { values })
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.values.remove(name) else { return Ok(None) };
        let parsed = value.parse().map_err(|_| bad_value(name, &value, expected))?;
        Ok(Some(parsed))
    }

    /// A moment in RFC 3339.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let expected = "a time like 2026-11-22T03:04:05Z";
        let Some(moment) = self.parsed::<jiff::Timestamp>(name, expected)? else { return Ok(None) };
        if moment < jiff::Timestamp::UNIX_EPOCH {
            return Err(bad_value(name, moment, "a time after 1970"));
        }
        // Beyond 2554 it is never, which the last moment stands for.
        Ok(Some(Timestamp(u64::try_from(moment.as_nanosecond()).unwrap_or(u64::MAX))))
    }

    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let expected = "a whole number from 1 to 1000";
        let limit = self.parsed("limit", expected)?.unwrap_or(USUAL_LIMIT);
        if (1..=MOST).contains(&limit) {
            Ok(limit)
        } else {
            Err(bad_value("limit", limit, expected))
        }
    }
}

fn check_value(name: &str, value: &str) -> Result<(), Problem> {
    if value.is_empty() {
        return Err(Problem::parameter(name, format!("{name:?} is empty: leave it out")));
    }
    if value.len() > LONGEST_VALUE {
        let detail =
            format!("{name:?} has {} bytes, at most {LONGEST_VALUE} are taken", value.len());
        return Err(Problem::parameter(name, detail));
    }
    Ok(())
}

/// A value that a parameter cannot have.
pub(super) fn bad_value(name: &str, value: impl Display, expected: &str) -> Problem {
    let value = value.to_string();
    Problem::parameter(name, format!("{name:?} is {value:?}, expected {expected}"))
}

fn unknown(name: &str, known: &[Parameter]) -> Problem {
    // A long name is no slip of the keyboard, and comparing it would take long.
    let nearest = known
        .iter()
        .map(|parameter| (strsim::damerau_levenshtein(parameter.name, short(name)), parameter.name))
        .min();
    let way_out = match nearest {
        Some((distance, nearest)) if distance <= 1 + nearest.len() / 3 => {
            format!("did you mean {nearest:?}?")
        }
        _ => {
            let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
            format!("known are {}", names.join(", "))
        }
    };
    Problem::parameter(short(name), format!("unknown parameter {:?}: {way_out}", short(name)))
}

fn short(name: &str) -> &str {
    let end = name.char_indices().nth(64).map_or(name.len(), |(place, _)| place);
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [Parameter; 3] = [
        Parameter::text("rule", "…"),
        Parameter::time("since", "…"),
        Parameter::whole("limit", "…"),
    ];

    fn read(query: &str) -> Result<Query, Problem> {
        Query::read(&format!("/x?{query}").parse().unwrap(), &KNOWN)
    }

    #[test]
    fn a_misspelt_parameter_is_answered_with_the_nearest() {
        let problem = read("rul=x").unwrap_err();
        assert_eq!(problem.detail(), "unknown parameter \"rul\": did you mean \"rule\"?");
        let problem = read("entirely-different=x").unwrap_err();
        assert!(problem.detail().contains("known are rule, since, limit"), "{problem:?}");
    }

    #[test]
    fn empty_repeated_and_wrong_values_are_refused() {
        assert!(read("rule=").unwrap_err().detail().contains("empty"));
        assert!(read("rule=a&rule=b").unwrap_err().detail().contains("twice"));
        for query in ["limit=0", "limit=1001", "limit=ten", "limit=-1"] {
            let problem = read(query).unwrap().limit().unwrap_err();
            assert!(problem.detail().contains("1 to 1000"), "{problem:?}");
        }
        for query in ["since=yesterday", "since=1969-12-31T23:59:59Z", "since=2026-13-01T00:00:00Z"]
        {
            assert!(read(query).unwrap().time("since").is_err(), "{query}");
        }
    }

    #[test]
    fn values_are_decoded() {
        let mut query =
            read("rule=Shell%20in+a%20container&since=2026-11-22T03:04:05%2B01:00").unwrap();
        assert_eq!(query.text("rule").as_deref(), Some("Shell in a container"));
        assert_eq!(query.time("since").unwrap(), Some(Timestamp(1_795_313_045_000_000_000)));
        assert_eq!(query.limit().unwrap(), 100);
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic(query in "[ -~&&[^#]]{0,200}") {
            if let Ok(uri) = format!("/x?{}", query.replace(' ', "+")).parse()
                && let Ok(mut query) = Query::read(&uri, &KNOWN)
            {
                let _ = (query.text("rule"), query.time("since"), query.limit());
            }
        }
    }
}
