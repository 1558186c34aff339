//! Patterns of STIX 2.1, section 9, as far as a list can hold them: comparisons for equality, of which any one is enough.
//!
//! ```text
//! pattern     = observation { "OR" observation }
//! observation = "[" comparison { "OR" comparison } "]"
//! comparison  = PATH ( "=" TEXT | "IN" "(" TEXT { "," TEXT } ")" )
//! ```
//!
//! What asks for more at once (`AND`, `FOLLOWEDBY`, `NOT`, a time) would say more in a list than its author did: it is refused.

/// A path of an object, such as `domain-name:value`, and a value that is enough.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub path: String,
    pub value: String,
}

/// Longer patterns are not read.
const LONGEST: usize = 1 << 20;

/// The comparisons of a pattern, or why it can't be used.
pub(super) fn parse(text: &str) -> Result<Vec<Comparison>, String> {
    if text.len() > LONGEST {
        return Err("its pattern is too long".to_owned());
    }
    let mut reader = Reader { rest: text };
    let mut comparisons = vec![];
    loop {
        reader.expect("[")?;
        loop {
            reader.comparison(&mut comparisons)?;
            if !reader.or()? {
                break;
            }
        }
        reader.expect("]")?;
        if !reader.or()? {
            break;
        }
    }
    match reader.rest.trim_start() {
        "" => Ok(comparisons),
        more => Err(format!("`{}` in its pattern can't be expressed by a list", word(more))),
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn comparison(&mut self, comparisons: &mut Vec<Comparison>) -> Result<(), String> {
        let path = self.path()?;
        self.rest = self.rest.trim_start();
        if self.take("=") {
            let value = self.text()?;
            comparisons.push(Comparison { path, value });
            return Ok(());
        }
        if !self.take_word("IN") {
            return Err(format!(
                "`{}` in its pattern can't be expressed by a list",
                word(self.rest)
            ));
        }
        self.expect("(")?;
        loop {
            let value = self.text()?;
            comparisons.push(Comparison { path: path.clone(), value });
            self.rest = self.rest.trim_start();
            if !self.take(",") {
                break;
            }
        }
        self.expect(")")
    }

    /// An object's type and a property of it; quotation marks around a part of it are left out.
    fn path(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let mut path = String::new();
        let mut quoted = false;
        let mut end = self.rest.len();
        for (at, character) in self.rest.char_indices() {
            match character {
                '\'' => quoted = !quoted,
                _ if quoted => path.push(character),
                ':' | '.' | '-' | '_' | '[' | ']' | '*' => path.push(character),
                _ if character.is_ascii_alphanumeric() => path.push(character),
                _ => {
                    end = at;
                    break;
                }
            }
        }
        let begin = word(self.rest);
        self.rest = &self.rest[end..];
        if path.contains(':') && !quoted {
            return Ok(path);
        }
        Err(format!("its pattern has `{begin}` where the path of an object is expected"))
    }

    /// A text in single quotation marks.
    fn text(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        if !self.take("'") {
            return Err(format!(
                "its pattern has `{}` where a text in ' is expected",
                word(self.rest)
            ));
        }
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\'' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        Err("its pattern has a ' that is never closed".to_owned())
    }

    /// Whether `OR` follows. `AND` and `FOLLOWEDBY` are refused.
    fn or(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        if self.take_word("OR") {
            return Ok(true);
        }
        match word(self.rest) {
            "" | "]" => Ok(false),
            other => Err(format!("`{other}` in its pattern can't be expressed by a list")),
        }
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        self.rest = self.rest.trim_start();
        if self.take(wanted) {
            return Ok(());
        }
        Err(format!("its pattern has `{}` where `{wanted}` is expected", word(self.rest)))
    }

    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        let rest = rest.filter(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// What a reader would call the next word.
fn word(text: &str) -> &str {
    let text = text.trim_start();
    let ends = |character: char| character.is_whitespace() || "[]()',".contains(character);
    let end = text.find(ends).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    let longest = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end.max(first).min(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let comparisons = parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        comparisons.into_iter().map(|one| (one.path, one.value)).collect()
    }

    fn pair(path: &str, value: &str) -> (String, String) {
        (path.to_owned(), value.to_owned())
    }

    #[test]
    fn equality_and_alternatives_are_read() {
        assert_eq!(
            parsed("[domain-name:value = 'evil.example']"),
            [pair("domain-name:value", "evil.example")]
        );
        assert_eq!(
            parsed(
                "[ipv4-addr:value='192.0.2.7' OR ipv4-addr:value IN ('198.51.100.0/24' , '203.0.113.1')] OR [url:value = 'a\\'b']"
            ),
            [
                pair("ipv4-addr:value", "192.0.2.7"),
                pair("ipv4-addr:value", "198.51.100.0/24"),
                pair("ipv4-addr:value", "203.0.113.1"),
                pair("url:value", "a'b"),
            ]
        );
        assert_eq!(parsed("[file:hashes.'SHA-256' = 'aa']"), [pair("file:hashes.SHA-256", "aa")]);
    }

    #[test]
    fn what_a_list_can_t_express_is_refused_with_its_word() {
        for (pattern, reason) in [
            ("[domain-name:value = 'a' AND url:value = 'b']", "`AND`"),
            ("[domain-name:value = 'a'] FOLLOWEDBY [url:value = 'b']", "`FOLLOWEDBY`"),
            ("[domain-name:value LIKE '%a']", "`LIKE`"),
            ("[domain-name:value != 'a']", "`!=`"),
            ("[domain-name:value = 'a'] WITHIN 5 SECONDS", "`WITHIN`"),
            ("[domain-name:value = 'a", "never closed"),
            ("[domain-name:value = 7]", "`7`"),
            ("domain-name:value = 'a'", "`[`"),
            ("[]", "path of an object"),
            ("", "`[`"),
            ("[NOT domain-name:value = 'a']", "`NOT`"),
        ] {
            let refused = parse(pattern).expect_err(pattern);
            assert!(refused.contains(reason), "{pattern}: {refused}");
        }
    }
}
