//! Expressions: read, and bound to the variables that they name.

use kube_cel::cel::IdedExpr;
use kube_cel::cel::common::ast::{
    CallExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr, operators,
};
use kube_cel::cel::parser::Parser;
use std::collections::BTreeSet;

/// An expression, with the syntax for optional fields (`.?` and `[?…]`), which Kubernetes has from 1.28 on.
///
/// # Errors
/// What is wrong with it, in one line.
pub(crate) fn parse(expression: &str) -> Result<IdedExpr, String> {
    let parser = Parser::default().enable_optional_syntax(true);
    let mut parsed =
        parser.parse(expression).map_err(|errors| errors.to_string().replace('\n', " "))?;
    without_optionals(&mut parsed)?;
    Ok(parsed)
}

/// Gives each `variables.NAME` the name that `rename` answers with, so that it is found without a map of all variables being made for each expression.
pub(crate) fn bind(expression: &mut IdedExpr, rename: &mut impl FnMut(&str) -> String) {
    if let Expr::Select(select) = &expression.expr
        && matches!(&select.operand.expr, Expr::Ident(name) if name == "variables")
    {
        expression.expr = Expr::Ident(rename(&select.field));
        return;
    }
    for part in parts(&mut expression.expr) {
        bind(part, rename);
    }
}

/// The fields that an expression names, and its texts, which may name fields too.
pub(crate) fn mentions(expression: &IdedExpr, mentioned: &mut BTreeSet<String>) {
    let mut rest = vec![expression.clone()];
    while let Some(mut expression) = rest.pop() {
        match &expression.expr {
            Expr::Select(select) => _ = mentioned.insert(select.field.clone()),
            Expr::Literal(LiteralValue::String(text)) => {
                mentioned.insert(text.inner().to_owned());
            }
            _ => {}
        }
        rest.extend(parts(&mut expression.expr).into_iter().map(std::mem::take));
    }
}

/// Says the same without optional values: `a.?b.orValue(c)` becomes `has(a.b) ? a.b : c`, and `a.?b.hasValue()` becomes `has(a.b)`.
/// The interpreter fails for a field that is absent, where Kubernetes takes the other value.
fn without_optionals(expression: &mut IdedExpr) -> Result<(), String> {
    for part in parts_but_optionals(expression)? {
        without_optionals(part)?;
    }
    let Expr::Call(call) = &mut expression.expr else { return Ok(()) };
    let Some(target) = call.target.as_deref_mut().filter(|target| is_optional(target)) else {
        return Ok(());
    };
    let (is_there, value) = there_and_value(std::mem::take(target));
    expression.expr = match call.args.pop() {
        Some(other) => global_call(operators::CONDITIONAL, vec![is_there, value, other]).expr,
        None => is_there.expr,
    };
    Ok(())
}

/// The expressions that one is made of. For the end of an optional chain, those that its links are made of.
fn parts_but_optionals(expression: &mut IdedExpr) -> Result<Vec<&mut IdedExpr>, String> {
    let is_end = match &expression.expr {
        Expr::Struct(_) | Expr::Unspecified => return Err("messages are not made here".to_owned()),
        Expr::Call(call) if is_optional_operator(call) => {
            return Err("end `.?` and `[?…]` by `.orValue(…)` or `.hasValue()`".to_owned());
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.len()) {
            ("orValue", 1) | ("hasValue", 0) => call.target.as_deref().is_some_and(is_optional),
            _ => false,
        },
        _ => false,
    };
    if !is_end {
        return Ok(parts(&mut expression.expr));
    }
    let Expr::Call(call) = &mut expression.expr else { return Ok(vec![]) };
    let mut links: Vec<_> = call.args.iter_mut().collect();
    let mut rest = call.target.as_deref_mut();
    while let Some(link) = rest.take() {
        if !is_optional(link) {
            links.push(link);
            break;
        }
        if let Expr::Call(CallExpr { args, .. }) = &mut link.expr {
            let mut args = args.iter_mut();
            rest = args.next();
            links.extend(args);
        }
    }
    Ok(links)
}

fn is_optional(expression: &IdedExpr) -> bool {
    matches!(&expression.expr, Expr::Call(call) if is_optional_operator(call))
}

fn is_optional_operator(call: &CallExpr) -> bool {
    [operators::OPT_SELECT, operators::OPT_INDEX].contains(&call.func_name.as_str())
}

/// Of a chain of optional links: whether all are there, and the value of the last.
fn there_and_value(chain: IdedExpr) -> (IdedExpr, IdedExpr) {
    let Expr::Call(CallExpr { func_name, mut args, .. }) = chain.expr else {
        return (literal(true), chain);
    };
    let (Some(link), Some(operand)) = (args.pop(), args.pop()) else {
        return (literal(true), literal(true));
    };
    let (before, operand) = if is_optional(&operand) {
        let (before, value) = there_and_value(operand);
        (Some(before), value)
    } else {
        (None, operand)
    };
    let (is_there, value) = match &link.expr {
        Expr::Literal(LiteralValue::String(field)) if func_name == operators::OPT_SELECT => {
            (select(operand.clone(), field.inner(), true), select(operand, field.inner(), false))
        }
        _ => (
            global_call(operators::IN, vec![link.clone(), operand.clone()]),
            global_call(operators::INDEX, vec![operand, link]),
        ),
    };
    let is_there = match before {
        Some(before) => global_call(operators::LOGICAL_AND, vec![before, is_there]),
        None => is_there,
    };
    (is_there, value)
}

fn select(operand: IdedExpr, field: &str, test: bool) -> IdedExpr {
    let field = field.to_owned();
    IdedExpr { id: 0, expr: Expr::Select(SelectExpr { operand: Box::new(operand), field, test }) }
}

fn global_call(function: &str, args: Vec<IdedExpr>) -> IdedExpr {
    let func_name = function.to_owned();
    IdedExpr { id: 0, expr: Expr::Call(CallExpr { func_name, target: None, args }) }
}

fn literal(value: bool) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Boolean(value.into())) }
}

/// The expressions that one is made of.
fn parts(expression: &mut Expr) -> Vec<&mut IdedExpr> {
    match expression {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => vec![],
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(comprehension) => vec![
            &mut comprehension.iter_range,
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ],
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(entry_parts).collect(),
        Expr::Struct(structure) => structure.entries.iter_mut().flat_map(entry_parts).collect(),
        Expr::Select(select) => vec![&mut select.operand],
    }
}

fn entry_parts(entry: &mut IdedEntryExpr) -> Vec<&mut IdedExpr> {
    match &mut entry.expr {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_json, functions};
    use kube_cel::cel::Value;
    use serde_json::json;

    fn value(expression: &str) -> String {
        let mut context = functions::context();
        let object =
            json!({"a": {"b": {"c": 1}, "list": [{"k": 2}, {}], "x/y": "z", "none": null}});
        context.add_variable_from_value("object", from_json(&object));
        let answer = Value::resolve(&parse(expression).unwrap(), &context);
        answer.map_or_else(|error| format!("error: {error}"), |value| format!("{value:?}"))
    }

    #[test]
    fn fields_that_may_be_absent_are_read_as_kubernetes_reads_them() {
        for (expression, wanted) in [
            ("object.a.?b.?c.orValue(7)", "Int(1)"),
            ("object.a.?b.?d.orValue(7)", "Int(7)"),
            ("object.?z.?b.?c.orValue(7)", "Int(7)"),
            ("object.?a.?b.?c.hasValue()", "Bool(true)"),
            ("object.?a.?z.?c.hasValue()", "Bool(false)"),
            ("object.a[?('x' + '/y')].orValue('')", "String(\"z\")"),
            ("object.a[?'q'].orValue('')", "String(\"\")"),
            (
                "object.a.list.map(l, l.?k.orValue(object.a.?q.orValue(3)))",
                "List([Int(2), Int(3)])",
            ),
            ("object.a.?list.orValue([]).exists(l, !l.?k.hasValue())", "Bool(true)"),
            ("object.a.?none.hasValue()", "Bool(true)"),
        ] {
            assert_eq!(value(expression), wanted, "{expression}");
        }
    }

    #[test]
    fn what_the_interpreter_can_not_evaluate_is_refused() {
        for (expression, part) in [
            ("object.?a == object.?b", "by `.orValue(…)` or `.hasValue()`"),
            ("object.?a.or(object.?b).orValue(1)", "by `.orValue(…)`"),
            ("Message{field: 1}", "messages are not made here"),
            ("object.a +", "Syntax error"),
        ] {
            let error = parse(expression).unwrap_err();
            assert!(error.contains(part), "{expression}: {error}");
        }
    }
}
