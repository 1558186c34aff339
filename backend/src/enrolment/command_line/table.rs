use crate::api::schema::{BootstrapToken, EnrolledCertificate, TokenState};
use event_model::Timestamp;
use std::fmt::Write;

pub(super) fn of_tokens(tokens: &[BootstrapToken]) -> String {
    let head = ["ID", "CLUSTER", "STATE", "USES", "EXPIRES", "NOTE"].map(str::to_owned);
    let row = |token: &BootstrapToken| {
        let state = match token.state {
            TokenState::Valid => "valid",
            TokenState::Expired => "expired",
            TokenState::UsedUp => "used up",
            TokenState::Revoked => "revoked",
        };
        let maximum = token.maximum_uses.map(|maximum| format!(" of {maximum}"));
        let uses = format!("{}{}", token.uses, maximum.unwrap_or_default());
        let expires = second(token.expires_at);
        [
            token.id.clone(),
            token.cluster.clone(),
            state.to_owned(),
            uses,
            expires,
            token.note.clone(),
        ]
    };
    table(head, tokens.iter().map(row))
}

pub(super) fn of_certificates(certificates: &[EnrolledCertificate]) -> String {
    let head = ["SERIAL", "CLUSTER", "NODE", "KIND", "TOKEN", "FROM", "ISSUED", "UNTIL", "DENIED"];
    let row = |one: &EnrolledCertificate| {
        [
            one.serial.clone(),
            one.cluster.clone(),
            one.node.clone(),
            one.kind.clone(),
            one.token.clone(),
            one.address.clone(),
            second(one.issued_at),
            second(one.not_after),
            one.denied_because.clone().unwrap_or_default(),
        ]
    };
    table(head.map(str::to_owned), certificates.iter().map(row))
}

/// A moment without the fraction of its second.
fn second(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split_once('.').map_or(text.clone(), |(second, _)| format!("{second}Z"))
}

fn table<const N: usize>(head: [String; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["abc".to_owned(), String::new()]];
        let text = table(["ID".to_owned(), "NOTE".to_owned()], rows.into_iter());
        assert_eq!(text, "ID   NOTE\na    long cell\nabc\n");
        assert_eq!(second(Timestamp(1_500_000_000)), "1970-01-01T00:00:01Z");
    }
}
