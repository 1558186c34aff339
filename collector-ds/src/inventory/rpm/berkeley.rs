//! rpm's database in a hash table of Berkeley DB, as RHEL up to 8, CentOS 7 and Amazon Linux 2 have it.
//!
//! The file consists of pages (`dbinc/db_page.h` of Berkeley DB 5.3). Pages of the table hold pairs of keys and values; a
//! value that is longer than some hundred bytes lies in a chain of overflow pages. Which package a key stands for, and in
//! which bucket it is, doesn't matter here: all pages are gone through in their order. Numbers are in the order of the
//! machine that wrote them, which the first page tells.

use std::ops::ControlFlow;

/// Why a file can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BerkeleyError {
    /// Not a hash table, or an older one.
    #[error("not a hash table of Berkeley DB")]
    Format,
    /// Something that rpm never asked for.
    #[error("pages with checksums or encryption are not supported")]
    Protected,
    /// Not all of it.
    #[error("the file ends before its last page: packages may be missing")]
    Short,
}

/// `DB_HASHMAGIC`
const MAGIC: u32 = 0x06_1561;
/// The first page tells all others' size, a power of two from 512 to 65536.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 512..=65_536;
/// Of the first page: where these fields are.
const MAGIC_AT: usize = 12;
const PAGE_SIZE_AT: usize = 20;
const ENCRYPTION_AT: usize = 24;
const FLAGS_AT: usize = 26;
const LAST_PAGE_AT: usize = 32;
/// `DBMETA_CHKSUM`
const CHECKSUMS: u8 = 1;

/// `SIZEOF_PAGE`: the header of every other page.
const HEADER: usize = 26;
const NEXT_AT: usize = 16;
const ENTRIES_AT: usize = 20;
/// Of an overflow page: how many bytes of the value it holds.
const LENGTH_AT: usize = 22;
const TYPE_AT: usize = 25;

/// Types of pages: `P_HASH_UNSORTED`, `P_OVERFLOW`, `P_HASH`.
const UNSORTED_TABLE: u8 = 2;
const OVERFLOW: u8 = 7;
const TABLE: u8 = 13;

/// Types of items: `H_KEYDATA`, `H_OFFPAGE`.
const IN_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;

/// Under one key rpm keeps the last number that it gave to a package: four bytes, after the item's type.
const COUNTER_BYTES: usize = 5;

/// Gives away each value until `take` has enough; returns how many could not be read.
pub fn values(
    file: &[u8],
    mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<u64, BerkeleyError> {
    let database = Database::of(file)?;
    // Each overflow page is of one value alone: chains that meet or turn round would cost more than the file's size.
    let mut unread = vec![true; database.pages()];
    let mut value = vec![];
    let mut unreadable = 0;
    for item in (1..database.pages()).flat_map(|page| database.values_of(page)) {
        if item.is_some_and(|item| item.len() == COUNTER_BYTES) {
            continue;
        }
        match item.and_then(|item| database.read(item, &mut value, &mut unread)) {
            Some(bytes) if take(bytes).is_break() => return Ok(unreadable),
            Some(_) => {}
            None => unreadable += 1,
        }
    }
    if database.is_whole() { Ok(unreadable) } else { Err(BerkeleyError::Short) }
}

struct Database<'file> {
    file: &'file [u8],
    page_size: usize,
    little_endian: bool,
}

impl<'file> Database<'file> {
    fn of(file: &'file [u8]) -> Result<Self, BerkeleyError> {
        let mut database = Self { file, page_size: 0, little_endian: true };
        if database.u32(file, MAGIC_AT) != Some(MAGIC) {
            database.little_endian = false;
        }
        if database.u32(file, MAGIC_AT) != Some(MAGIC) {
            return Err(BerkeleyError::Format);
        }
        database.page_size = database
            .number(file, PAGE_SIZE_AT)
            .filter(|size| PAGE_SIZES.contains(size) && size.is_power_of_two())
            .ok_or(BerkeleyError::Format)?;
        match (file.get(ENCRYPTION_AT), file.get(FLAGS_AT)) {
            (Some(0), Some(flags)) if flags & CHECKSUMS == 0 => Ok(database),
            _ => Err(BerkeleyError::Protected),
        }
    }

    /// How many whole pages there are.
    const fn pages(&self) -> usize {
        self.file.len() / self.page_size
    }

    fn is_whole(&self) -> bool {
        self.number(self.file, LAST_PAGE_AT).is_some_and(|last| last < self.pages())
    }

    fn page(&self, number: usize) -> Option<&'file [u8]> {
        let begin = number.checked_mul(self.page_size)?;
        self.file.get(begin..begin.checked_add(self.page_size)?)
    }

    /// The items of a page of the table that are values: every second, after its key. None: the page is not as it should
    /// be, and this is the last of it.
    fn values_of(&self, page: usize) -> impl Iterator<Item = Option<&'file [u8]>> {
        let page = self.page(page).filter(|page| matches!(page[TYPE_AT], UNSORTED_TABLE | TABLE));
        let entries = page.and_then(|page| self.u16(page, ENTRIES_AT)).unwrap_or(0);
        // Items lie from the end of the page downwards, each at the offset that its entry tells.
        let items = (0..entries).scan(Some(self.page_size), move |end, entry| {
            let begin = self.u16(page?, HEADER + 2 * entry);
            let item = begin.and_then(|begin| page?.get(begin..(*end)?));
            (*end).is_some().then(|| {
                *end = item.and(begin);
                (entry, item)
            })
        });
        items.filter(|(entry, item)| entry % 2 == 1 || item.is_none()).map(|(_, item)| item)
    }

    /// The value of an item, put together in `value` where it lies on other pages.
    fn read<'a>(
        &self,
        item: &'a [u8],
        value: &'a mut Vec<u8>,
        unread: &mut [bool],
    ) -> Option<&'a [u8]> {
        match *item.first()? {
            IN_PAGE => item.get(1..),
            OFF_PAGE => {
                let first = self.number(item, 4)?;
                let length = self.number(item, 8)?;
                self.follow(first, length, value, unread)?;
                Some(value)
            }
            _ => None,
        }
    }

    fn follow(
        &self,
        first: usize,
        length: usize,
        value: &mut Vec<u8>,
        unread: &mut [bool],
    ) -> Option<()> {
        value.clear();
        let mut next = first;
        while next != 0 {
            if !std::mem::replace(unread.get_mut(next)?, false) {
                return None;
            }
            let page = self.page(next).filter(|page| page[TYPE_AT] == OVERFLOW)?;
            let held = self.u16(page, LENGTH_AT)?;
            value.extend_from_slice(page.get(HEADER..HEADER + held)?);
            next = self.number(page, NEXT_AT)?;
        }
        (value.len() == length).then_some(())
    }

    fn number(&self, bytes: &[u8], at: usize) -> Option<usize> {
        self.u32(bytes, at).and_then(|number| usize::try_from(number).ok())
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn u16(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        let number =
            if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
        Some(usize::from(number))
    }
}
