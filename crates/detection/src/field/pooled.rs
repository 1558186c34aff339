//! Texts that are put together for one act and thrown away after it: their memory serves the next one.

use std::cell::RefCell;
use std::ops::Deref;

/// So many are kept for each thread: no act needs more of them.
const MOST_KEPT: usize = 16;

/// A longer one is not kept.
const LONGEST_KEPT: usize = 64 << 10;

thread_local! {
    static KEPT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A text in memory that is used again.
#[derive(Debug)]
pub(super) struct Pooled(String);

impl Pooled {
    /// What `write` appends to an empty text.
    pub fn written(write: impl FnOnce(&mut String)) -> Self {
        let mut text = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
        write(&mut text);
        Self(text)
    }
}

impl Deref for Pooled {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        if text.capacity() > LONGEST_KEPT {
            return;
        }
        text.clear();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < MOST_KEPT {
                kept.push(text);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_holds_nothing_of_before() {
        let first = Pooled::written(|text| text.push_str("something long enough to need memory"));
        let memory = first.as_ptr();
        drop(first);
        let second = Pooled::written(|text| text.push('x'));
        assert_eq!((&*second, second.as_ptr()), ("x", memory));
    }
}
