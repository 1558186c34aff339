/// A line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line.
    Whole(&'a [u8]),
    /// A line beyond the bound, of which nothing is kept.
    TooLong,
    /// The beginning of a line, of which the rest was taken away.
    Cut,
}

/// Puts lines together from pieces of a file.
///
/// Invariant: `pending` is how many bytes of the unfinished line were pushed, `kept` holds them all unless they are more
/// than `most`.
#[derive(Debug)]
pub struct Lines {
    kept: Vec<u8>,
    pending: u64,
    most: usize,
}

impl Lines {
    /// Of lines of at most so many bytes.
    pub const fn new(most: usize) -> Self {
        Self { kept: vec![], pending: 0, most }
    }

    /// Bytes of the line that has not ended.
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// Takes a piece, and gives away each line that ends in it.
    pub fn push(&mut self, piece: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                // The common case: nothing is copied.
                Some(line) if self.pending == 0 && line.len() <= self.most => {
                    take(Line::Whole(line));
                }
                Some(end) => {
                    self.keep(end);
                    self.give(take);
                }
                None => self.keep(part),
            }
        }
    }

    /// Gives away the last line of a file that ends without an end of line.
    pub fn end(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if self.pending > 0 {
            self.give(take);
        }
    }

    /// Drops the unfinished line: its file was cut.
    pub fn cut(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if self.pending > 0 {
            take(Line::Cut);
        }
        self.reset();
    }

    fn keep(&mut self, part: &[u8]) {
        self.pending += part.len() as u64;
        if self.pending <= self.most as u64 {
            self.kept.extend_from_slice(part);
        } else {
            self.kept = vec![];
        }
    }

    fn give(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if self.pending > self.most as u64 {
            take(Line::TooLong);
        } else {
            take(Line::Whole(&self.kept));
        }
        self.reset();
    }

    fn reset(&mut self) {
        self.pending = 0;
        // A long line's room is not kept for the short ones that follow.
        if self.kept.capacity() > LARGEST_IDLE {
            self.kept = vec![];
        }
        self.kept.clear();
    }
}

/// Room that is kept between lines.
const LARGEST_IDLE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]], most: usize) -> Vec<String> {
        let mut lines = Lines::new(most);
        let mut taken = vec![];
        let mut take = |line: Line<'_>| {
            taken.push(match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                other => format!("{other:?}"),
            });
        };
        for piece in pieces {
            lines.push(piece, &mut take);
        }
        lines.end(&mut take);
        taken
    }

    #[test]
    fn lines_that_come_in_pieces_are_put_together() {
        assert_eq!(lines(&[b"a\nb", b"c", b"\n\nd"], 10), ["a", "bc", "", "d"]);
    }

    #[test]
    fn of_a_line_beyond_the_bound_nothing_is_kept() {
        assert_eq!(
            lines(&[b"12345\n123456\n1", b"23456", b"78\nx\n"], 5),
            ["12345", "TooLong", "TooLong", "x"]
        );
    }

    proptest! {
        #[test]
        fn how_a_file_is_cut_into_pieces_changes_nothing(
            file in proptest::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n')], 0..200),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
            most in 0_usize..6,
        ) {
            let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
            places.extend([0, file.len()]);
            places.sort_unstable();
            let pieces: Vec<_> = places.windows(2).map(|pair| &file[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces, most), lines(&[&file], most));
        }
    }
}
