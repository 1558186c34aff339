use std::fmt::Write;

/// Characters of a text that the page shows; the API has it whole.
const MOST_SHOWN: usize = 2000;

/// A text with nothing invisible in it. Control characters could hide a part of a command line,
/// and bidirectional ones show it in another order than it runs.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars().take(MOST_SHOWN) {
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            hidden if is_hidden(hidden) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(hidden));
            }
            plain => shown.push(plain),
        }
    }
    if text.chars().nth(MOST_SHOWN).is_some() {
        shown.push_str(" …");
    }
    shown
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_hides_or_turns_text_around_is_shown() {
        assert_eq!(visible("rm -rf /\n\u{1b}[2K"), "rm -rf /\\n\\u{1b}[2K");
        assert_eq!(visible("safe\u{202e}hs.live"), "safe\\u{202e}hs.live");
        assert!(visible(&"x".repeat(5000)).len() < 2010);
        assert_eq!(visible("größe 漢字 🙂"), "größe 漢字 🙂");
    }
}
