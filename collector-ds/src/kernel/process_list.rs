//! The processes that run, as the kernel's own iterator tells them: all of them, whatever `/proc` keeps from us.

use aya::programs::links::LinkError;
use aya::programs::{Iter, Program, ProgramError};
use ebpf_probes::{BootTime, DecodeError, ExecRecord, KernelRecord, decode_next, maps};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

/// More than the kernel hands out at once.
const READ_BYTES: usize = 64 << 10;

/// Why the kernel's list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProcessListError {
    /// The kernel refused to begin a list.
    #[error("the kernel's list of processes can't be begun: {0}")]
    Program(#[from] ProgramError),
    /// The same, one step later.
    #[error("the kernel's list of processes can't be begun: {0}")]
    Link(#[from] LinkError),
    /// It broke off.
    #[error("the kernel's list of processes can't be read: {0}")]
    Read(#[from] io::Error),
    /// It is not as our program writes it.
    #[error("the kernel's list of processes can't be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// It ends within a record, or a record is larger than any.
    #[error("the kernel's list of processes holds {0} bytes that are not a whole record")]
    Partial(usize),
}

/// The loaded program that lists processes.
pub struct ProcessList(Iter);

impl ProcessList {
    /// Takes a handle of its own of the loaded program.
    pub fn of(program: &Program) -> Result<Self, ProgramError> {
        let name = Cow::Borrowed(maps::PROCESS_LIST.0);
        Iter::from_program_info(program.info()?, name).map(Self)
    }

    /// The processes that run now and have memory of their own, in our pid namespace and those below it, by the ids
    /// that the node knows them by. Without their arguments, and with the time at which each began.
    pub fn read(&mut self) -> Result<Vec<ExecRecord>, ProcessListError> {
        let link = self.0.attach()?;
        let mut list: File = self.0.take_link(link)?.into_file()?;
        read_records(&mut list)
    }
}

fn read_records(list: &mut impl Read) -> Result<Vec<ExecRecord>, ProcessListError> {
    let mut processes = vec![];
    let mut chunk = vec![0; READ_BYTES];
    let mut waiting: Vec<u8> = vec![];
    loop {
        let length = match list.read(&mut chunk) {
            Ok(length) => length,
            // The kernel lets others run in between.
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        waiting.extend_from_slice(&chunk[..length]);
        let mut rest = &waiting[..];
        while let Some(record) = decode_next(&mut rest)? {
            if let KernelRecord::Exec(exec) = record {
                processes.push(as_begun(*exec));
            }
        }
        let taken = waiting.len() - rest.len();
        waiting.drain(..taken);
        if waiting.len() > READ_BYTES || (length == 0 && !waiting.is_empty()) {
            return Err(ProcessListError::Partial(waiting.len()));
        }
        if length == 0 {
            return Ok(processes);
        }
    }
}

/// The record bears the time of the list.
fn as_begun(process: ExecRecord) -> ExecRecord {
    ExecRecord { time: BootTime(process.process.start_time), ..process }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_ends_within_a_record_is_an_error() {
        let error = read_records(&mut &[1_u8, 0, 0][..]).unwrap_err();
        assert!(matches!(error, ProcessListError::Partial(3)), "{error}");
        assert!(read_records(&mut &[][..]).unwrap().is_empty());
    }

    #[test]
    fn a_list_of_other_bytes_is_an_error() {
        let error = read_records(&mut &[0xff_u8; 400][..]).unwrap_err();
        assert!(matches!(error, ProcessListError::Decode(_)), "{error}");
    }

    #[test]
    fn a_record_without_an_end_is_not_waited_for() {
        // struct record_header of an exec that claims 1 GiB.
        let mut head = vec![1_u8, 0, 0, 0];
        head.extend((1_u32 << 30).to_ne_bytes());
        let mut list = io::Cursor::new(head).chain(io::repeat(0));
        let error = read_records(&mut list).unwrap_err();
        assert!(matches!(error, ProcessListError::Partial(_)), "{error}");
    }
}
