use super::*;
use proptest::prelude::*;

/// An item beyond the bound.
const TOO_LARGE: &str = "(too large)";

/// What is given away of a list that comes in pieces of that size.
fn split(body: &[u8], piece: usize, most: usize) -> Result<Vec<String>, ListError> {
    let mut list = EventList::new(most);
    let mut items = vec![];
    for mut piece in body.chunks(piece) {
        while !piece.is_empty() {
            let (taken, item) = list.push(piece)?;
            assert!(taken > 0 || item.is_some(), "it goes on");
            items.extend(item.map(|item| match item {
                Item::Whole(json) => String::from_utf8_lossy(json).into_owned(),
                Item::TooLarge => TOO_LARGE.to_owned(),
            }));
            piece = &piece[taken..];
        }
        assert!(list.held_bytes() <= most);
    }
    list.end().map(|()| items)
}

fn items(body: &str) -> Vec<String> {
    split(body.as_bytes(), usize::MAX, 100).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn error(body: &str) -> String {
    split(body.as_bytes(), usize::MAX, 100).expect_err(body).to_string()
}

const HEAD: &str = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":"#;

#[test]
fn the_events_of_a_list_are_given_away_as_they_stand() {
    let body = format!(r#"{HEAD}[{{"a":"]}}\""}}, {{"b":[{{}},[]]}} ,{{}}]}}"#);
    assert_eq!(items(&body), [r#"{"a":"]}\""}"#, r#"{"b":[{},[]]}"#, "{}"]);
}

#[test]
fn fields_may_come_in_any_order_and_others_are_passed_over() {
    let body = "\n{ \"items\" : [ {\"a\":1} ] , \"x\": [\"}\", {\"items\":[1]}], \"y\": -1.5e3,\"z\":null,\
                \"kind\":\"EventList\", \"apiVersion\" : \"audit.k8s.io/v1\" } \n";
    assert_eq!(items(body), ["{\"a\":1}"]);
}

#[test]
fn an_empty_list_has_no_events() {
    for list in ["[]", "[ ]", "null"] {
        assert_eq!(items(&format!("{HEAD}{list}}}")), [] as [&str; 0]);
    }
}

#[test]
fn what_is_no_object_is_an_item_too_which_is_no_event() {
    let body = format!("{HEAD}[1,\"x\",null , true]}}");
    assert_eq!(items(&body), ["1", "\"x\"", "null", "true"]);
}

#[test]
fn of_an_event_beyond_the_bound_nothing_is_kept() {
    let long = "x".repeat(101);
    let body = format!("{HEAD}[{{}},\"{long}\",{{\"a\":2}}]}}");
    assert_eq!(items(&body), ["{}", TOO_LARGE, "{\"a\":2}"]);
}

#[test]
fn depth_costs_nothing() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let body = format!("{HEAD}[{deep}]}}");
    assert_eq!(split(body.as_bytes(), 7, 20_000).expect("a list"), [deep]);
}

#[test]
fn what_is_no_list_of_audit_events_is_told_why() {
    for (body, expected) in [
        ("", "the body ends at byte 0"),
        ("[]", "`{` was expected at byte 0"),
        ("hello", "`{` was expected at byte 0"),
        ("{}", "`kind` is missing"),
        (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}"#, "`items` is missing"),
        (r#"{"kind":"PodList""#, r#"`kind` is "PodList" and must be "EventList""#),
        (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1"}"#, "audit.k8s.io/v1beta1"),
        (r#"{"kind":["EventList"]}"#, "a text was expected at byte 8"),
        (r#"{"items":{}}"#, "a list was expected at byte 9"),
        (r#"{"items":[],"items":[]}"#, "the list has `items` twice"),
        (r#"{"items":[,]}"#, "an event or `]` was expected at byte 10"),
        (r#"{"items":[{},]}"#, "an event was expected at byte 13"),
        (r#"{"items":[{}{}]}"#, "`,` or `]` was expected at byte 12"),
        (r#"{"items":[{"#, "the body ends at byte 11"),
        (r#"{"a":1 "b":2}"#, "`,` or `}` was expected at byte 7"),
        (r#"{"a" 1}"#, "`:` was expected at byte 5"),
        (r#"{"a":x}"#, "a value was expected at byte 5"),
        (r#"{"\u0069tems":[{}]}"#, "has an escape"),
        (r#"{"a":1,}"#, "the name of a field was expected at byte 7"),
    ] {
        let error = error(body);
        assert!(error.contains(expected), "{body}: {error}");
    }
    let twice = format!("{HEAD}[]}}{HEAD}[]}}");
    assert!(error(&twice).contains("the end of the body was expected"), "{}", error(&twice));
}

#[test]
fn a_hostile_kind_is_told_in_bounds() {
    let error = error(&format!(r#"{{"kind":"{}"}}"#, "é".repeat(100_000)));
    assert!(error.len() < 1000, "{}", error.len());
}

/// Anything as JSON has it.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[\\PC\"\\\\{}\\[\\],]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\]{0,3}", inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn the_items_are_those_that_a_parser_finds_however_the_body_comes(
        values in prop::collection::vec(json(), 0..5),
        other in json(),
        piece in 1_usize..40,
        pretty in any::<bool>(),
    ) {
        let list = serde_json::json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": other, "items": values});
        let body = if pretty { serde_json::to_vec_pretty(&list) } else { serde_json::to_vec(&list) }.expect("JSON");
        let found = split(&body, piece, 1 << 20).expect("a list");
        let found: Vec<serde_json::Value> =
            found.into_iter().map(|item| serde_json::from_str(&item).expect("JSON")).collect();
        prop_assert_eq!(found, values);
    }

    #[test]
    fn how_anything_comes_in_pieces_changes_nothing(
        body in "[{}\\[\\],:\" \\\\aeikmnst1]{0,60}",
        piece in 1_usize..20,
        most in 0_usize..12,
    ) {
        let body = format!("{{\"items\":[{body}");
        prop_assert_eq!(split(body.as_bytes(), piece, most), split(body.as_bytes(), usize::MAX, most));
    }
}
