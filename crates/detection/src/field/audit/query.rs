//! The query of a request's URI.

use std::borrow::Cow;

/// The values of a parameter, in their order: `command=sh&command=-c` has two.
pub(super) fn parameters<'a>(uri: &'a str, wanted: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(move |part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (!part.is_empty() && decoded(name) == wanted).then(|| decoded(value))
    })
}

/// As `application/x-www-form-urlencoded` is read. What is no encoding stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match digits(*high, *low) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = after;
                }
                None => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn digits(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_may_stand_there_more_than_once_and_encoded() {
        let uri = "/exec?command=sh&command=-c&command=cat+%2Fetc%2Fshadow&stdin=true&tty";
        let values = |name| parameters(uri, name).collect::<Vec<_>>();
        assert_eq!(values("command"), ["sh", "-c", "cat /etc/shadow"]);
        assert_eq!(values("tty"), [""]);
        assert_eq!(values("container"), [""; 0]);
        assert_eq!(parameters("/exec", "command").count(), 0);
        assert_eq!(parameters("?a=%zz%f&&", "a").collect::<Vec<_>>(), ["%zz%f"]);
    }
}
