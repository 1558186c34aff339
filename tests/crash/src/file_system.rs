//! The image as a file system: what the kernel asks, answered. No call is held back, so all that a program wrote
//! is in the image when write(2) returns, and none of it is durable before fsync(2) does.

use crate::disk::State;
use crate::image::{Content, Node};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The kernel asks anew each time: the image may have changed under it.
const KEPT: Duration = Duration::ZERO;

/// A sync takes up to as long, as on a disk: a crash comes while one is under way as often as not.
const LONGEST_SYNC_MICROSECONDS: u64 = 20_000;

const NO_HANDLE: FileHandle = FileHandle(0);

pub(crate) struct FileSystem {
    pub(crate) state: Arc<Mutex<State>>,
}

impl FileSystem {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image, to change it; an error where the disk takes nothing now.
    fn writable(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let state = self.state();
        match state.refusal {
            Some(number) => Err(Errno::from_i32(number)),
            None => Ok(state),
        }
    }
}

fn attributes(number: u64, node: &Node) -> FileAttr {
    let (kind, size) = match &node.content {
        Content::File { now, .. } => (FileType::RegularFile, now.len() as u64),
        Content::Folder { .. } => (FileType::Directory, 0),
    };
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: node.mode,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        flags: 0,
        blksize: 4096,
    }
}

/// Permission bits of a mode.
fn bits(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Filesystem for FileSystem {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let state = self.state();
        let found = state.image.find(parent.0, name);
        match found.and_then(|number| Some((number, state.image.node(number)?))) {
            Some((number, node)) => reply.entry(&KEPT, &attributes(number, node), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.state().image.node(number.0) {
            Some(node) => reply.attr(&KEPT, &attributes(number.0, node)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = match self.writable() {
            Ok(state) => state,
            Err(error) => return reply.error(error),
        };
        if let Some(size) = size {
            state.image.resize(number.0, place(size));
        }
        if let Some(mode) = mode {
            state.image.set_mode(number.0, bits(mode));
        }
        match state.image.node(number.0) {
            Some(node) => reply.attr(&KEPT, &attributes(number.0, node)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let mut state = match self.writable() {
            Ok(state) => state,
            Err(error) => return reply.error(error),
        };
        let number = state.image.make_folder(parent.0, name, bits(mode & !umask));
        match state.image.node(number) {
            Some(node) => reply.entry(&KEPT, &attributes(number, node), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        match self.writable() {
            Ok(mut state) => {
                state.image.remove(parent.0, name);
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        match self.writable() {
            Ok(mut state) => {
                if state.image.rename((parent.0, name), (new_parent.0, new_name)) {
                    reply.ok();
                } else {
                    reply.error(Errno::ENOENT);
                }
            }
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(NO_HANDLE, FopenFlags::empty());
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut state = match self.writable() {
            Ok(state) => state,
            Err(error) => return reply.error(error),
        };
        let number = state.image.make_file(parent.0, name, bits(mode & !umask));
        match state.image.node(number) {
            Some(node) => {
                let attributes = attributes(number, node);
                reply.created(&KEPT, &attributes, Generation(0), NO_HANDLE, FopenFlags::empty());
            }
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.state().image.node(number.0).map(|node| &node.content) {
            Some(Content::File { now, .. }) => {
                let start = place(offset).min(now.len());
                let end = start.saturating_add(size as usize).min(now.len());
                reply.data(&now[start..end]);
            }
            Some(Content::Folder { .. }) => reply.error(Errno::EISDIR),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.writable() {
            Ok(mut state) => {
                state.image.write(number.0, place(offset), data);
                reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX));
            }
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let cuts = self.state().cuts;
        thread::sleep(Duration::from_micros(fastrand::u64(..=LONGEST_SYNC_MICROSECONDS)));
        match self.writable() {
            Ok(mut state) => {
                // A disk that lost its power meanwhile finishes nothing.
                if state.cuts == cuts {
                    state.image.sync(number.0);
                }
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }

    fn fsyncdir(
        &self,
        request: &Request,
        number: INodeNo,
        handle: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.fsync(request, number, handle, datasync, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let state = self.state();
        let Some(Content::Folder { now, .. }) =
            state.image.node(number.0).map(|node| &node.content)
        else {
            return reply.error(Errno::ENOTDIR);
        };
        let kind = |number: u64| match state.image.node(number).map(|node| &node.content) {
            Some(Content::Folder { .. }) => FileType::Directory,
            _ => FileType::RegularFile,
        };
        for (index, (name, number)) in now.iter().enumerate().skip(place(offset)) {
            if reply.add(INodeNo(*number), index as u64 + 1, kind(*number), name) {
                break;
            }
        }
        reply.ok();
    }
}
