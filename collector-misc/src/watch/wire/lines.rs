use super::{BEGINNING, LARGEST_OBJECT, Piece};

/// A line holds an object and a few words around it.
const LONGEST_LINE: usize = LARGEST_OBJECT + 1024;

/// The lines of a watch. What came is pushed; lines are taken while there are whole ones.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    begin: usize,
    /// Up to where there is no line break.
    searched: usize,
    /// Of a line that is too long: how much of it has come. Its beginning is in `bytes`.
    passed: usize,
}

impl Lines {
    /// More of the body.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        self.bytes.extend_from_slice(chunk);
    }

    /// The next whole line.
    pub(crate) fn next(&mut self) -> Option<Piece<'_>> {
        let Some(end) = memchr::memchr(b'\n', &self.bytes[self.searched..]) else {
            self.searched = self.bytes.len();
            self.pass();
            return None;
        };
        let (begin, end) = (self.begin, self.searched + end);
        (self.begin, self.searched) = (end + 1, end + 1);
        let passed = std::mem::take(&mut self.passed);
        let line = &self.bytes[begin..end];
        if passed == 0 && line.len() <= LONGEST_LINE {
            return Some(Piece::Whole(line));
        }
        let beginning = &line[..line.len().min(BEGINNING)];
        Some(Piece::TooLarge { beginning, bytes: passed + line.len() - beginning_held(passed) })
    }

    /// Lets go of what came of a line that is too long, but for its beginning.
    fn pass(&mut self) {
        let held = self.bytes.len() - self.begin;
        if held <= LONGEST_LINE && self.passed == 0 {
            return;
        }
        if held > BEGINNING {
            self.passed += held - beginning_held(self.passed);
            self.bytes.truncate(self.begin + BEGINNING);
            self.bytes.shrink_to(LONGEST_LINE);
            self.searched = self.bytes.len();
        }
    }
}

/// How many of the bytes that are held were counted as passed before.
const fn beginning_held(passed: usize) -> usize {
    if passed == 0 { 0 } else { BEGINNING }
}

#[cfg(test)]
mod tests {
    use super::super::{BEGINNING, LARGEST_OBJECT, Piece};
    use super::{LONGEST_LINE, Lines};
    use proptest::prelude::*;

    /// A whole line, or the beginning of one and its length.
    type Taken = Result<Vec<u8>, (Vec<u8>, usize)>;

    fn taken(lines: &mut Lines) -> Vec<Taken> {
        let mut taken = Vec::new();
        while let Some(piece) = lines.next() {
            taken.push(match piece {
                Piece::Whole(line) => Ok(line.to_vec()),
                Piece::TooLarge { beginning, bytes } => Err((beginning.to_vec(), bytes)),
            });
        }
        taken
    }

    proptest! {
        #[test]
        fn lines_come_whole_however_the_body_is_cut(
            lines in prop::collection::vec("[a-z]{0,20}", 0..20),
            cuts in prop::collection::vec(1_usize..30, 1..50),
        ) {
            let body = lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
            let (mut rest, mut read, mut came) = (body.as_bytes(), Lines::default(), Vec::new());
            for cut in cuts.iter().cycle() {
                let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
                read.push(chunk);
                came.extend(taken(&mut read));
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            let expected: Vec<_> = lines.into_iter().map(|line| Ok(line.into_bytes())).collect();
            prop_assert_eq!(came, expected);
        }
    }

    #[test]
    fn a_line_beyond_measure_is_passed_over_and_its_beginning_kept() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; 1 << 20];
        lines.push(b"before\nbeginning ");
        assert_eq!(taken(&mut lines), [Ok(b"before".to_vec())]);
        for _ in 0..100 {
            lines.push(&chunk);
            assert_eq!(taken(&mut lines), []);
            assert!(lines.bytes.capacity() <= 2 * (LONGEST_LINE + chunk.len()));
        }
        lines.push(b"end\nafter\n");
        let came = taken(&mut lines);
        let Err((beginning, bytes)) = &came[0] else { panic!("{:?}", came.len()) };
        assert_eq!(*bytes, (100 << 20) + "beginning end".len());
        assert!(beginning.starts_with(b"beginning xxx") && beginning.len() == BEGINNING);
        assert_eq!(came[1..], [Ok(b"after".to_vec())]);
    }

    #[test]
    fn the_longest_line_that_is_read_comes_whole() {
        let line = vec![b'x'; LARGEST_OBJECT];
        let mut lines = Lines::default();
        lines.push(&line);
        assert_eq!(lines.next(), None);
        lines.push(b"\n");
        assert_eq!(lines.next(), Some(Piece::Whole(&line)));
    }
}
