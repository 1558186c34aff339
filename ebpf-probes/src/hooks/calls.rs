//! System calls by name and number.

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// As rules name it.
    pub name: &'static str,
    /// Its number for programs of the machine's own width. None where the machine has no such call.
    pub native: Option<u16>,
    /// Its number for 32-bit programs on x86_64 (`arch/x86/entry/syscalls/syscall_32.tbl`).
    pub compat: Option<u16>,
}

/// A table of calls: the numbers on x86_64, on arm64 (`include/uapi/asm-generic/unistd.h`), and of 32-bit x86.
macro_rules! calls {
    ($($constant:ident $name:literal $x86_64:expr, $arm64:expr, $i386:expr;)*) => {
        $(
            #[allow(missing_docs)] // Named by the call.
            pub const $constant: Call = Call {
                name: $name,
                native: if cfg!(target_arch = "x86_64") { $x86_64 } else { $arm64 },
                compat: if cfg!(target_arch = "x86_64") { $i386 } else { None },
            };
        )*
        /// All calls of the table.
        #[cfg(test)]
        const ALL: &[Call] = &[$($constant),*];
    };
}

calls! {
    OPEN "open" Some(2), None, Some(5);
    CREAT "creat" Some(85), None, Some(8);
    OPENAT "openat" Some(257), Some(56), Some(295);
    OPENAT2 "openat2" Some(437), Some(437), Some(437);
    OPEN_BY_HANDLE_AT "open_by_handle_at" Some(304), Some(265), Some(342);
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_stands_for_two_calls() {
        let native: Vec<_> = ALL.iter().filter_map(|call| call.native).collect();
        let compat: Vec<_> = ALL.iter().filter_map(|call| call.compat).collect();
        for numbers in [native, compat] {
            let distinct: BTreeSet<_> = numbers.iter().collect();
            assert_eq!(distinct.len(), numbers.len());
            assert!(numbers.iter().all(|number| *number < 512));
        }
    }
}
