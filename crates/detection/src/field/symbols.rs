//! Numbers of the kernel's interface as the names that rules compare with.

use event_model::symbols::{Symbol, one, set, write_set};

/// `include/linux/socket.h`
const FAMILIES: &[Symbol] = &[
    (1, "AF_UNIX"),
    (2, "AF_INET"),
    (10, "AF_INET6"),
    (15, "AF_KEY"),
    (16, "AF_NETLINK"),
    (17, "AF_PACKET"),
    (21, "AF_RDS"),
    (29, "AF_CAN"),
    (31, "AF_BLUETOOTH"),
    (38, "AF_ALG"),
    (40, "AF_VSOCK"),
    (44, "AF_XDP"),
];

/// `include/linux/net.h`
const SOCKET_TYPES: &[Symbol] = &[
    (1, "SOCK_STREAM"),
    (2, "SOCK_DGRAM"),
    (3, "SOCK_RAW"),
    (4, "SOCK_RDM"),
    (5, "SOCK_SEQPACKET"),
    (10, "SOCK_PACKET"),
];

/// `include/uapi/linux/stat.h`
const MODE_BITS: &[Symbol] = &[
    (0o4000, "S_ISUID"),
    (0o2000, "S_ISGID"),
    (0o1000, "S_ISVTX"),
    (0o400, "S_IRUSR"),
    (0o200, "S_IWUSR"),
    (0o100, "S_IXUSR"),
    (0o40, "S_IRGRP"),
    (0o20, "S_IWGRP"),
    (0o10, "S_IXGRP"),
    (0o4, "S_IROTH"),
    (0o2, "S_IWOTH"),
    (0o1, "S_IXOTH"),
];

pub(super) fn family(number: u16) -> String {
    one(number.into(), FAMILIES)
}

pub(super) fn socket_type(number: u16) -> String {
    // SOCK_NONBLOCK and SOCK_CLOEXEC lie above.
    one((number & 0xf).into(), SOCKET_TYPES)
}

/// The permissions of a file mode; its type is left out.
pub(super) fn mode(mode: u32) -> String {
    set((mode & 0o7777).into(), MODE_BITS)
}

/// Appends them.
pub(super) fn write_mode(text: &mut String, mode: u32) {
    write_set(text, (mode & 0o7777).into(), MODE_BITS);
}

/// The transport's name, as rules write it.
pub(super) fn transport(family: u16, protocol: u16, socket_type: u16) -> Option<&'static str> {
    if !matches!(family, 2 | 10) {
        return None;
    }
    Some(match (protocol, socket_type & 0xf) {
        (6, _) | (0, 1) => "tcp",
        (17, _) | (0, 2) => "udp",
        (1 | 58, _) => "icmp",
        (_, 3) => "raw",
        _ => return None,
    })
}

/// The service that a port is registered for (IANA), for those that rules ask for.
pub(super) fn service(port: u16) -> Option<&'static str> {
    Some(match port {
        20 => "ftp-data",
        21 => "ftp",
        22 => "ssh",
        23 => "telnet",
        25 => "smtp",
        53 => "domain",
        80 => "http",
        110 => "pop3",
        123 => "ntp",
        143 => "imap",
        389 => "ldap",
        443 => "https",
        445 => "microsoft-ds",
        636 => "ldaps",
        993 => "imaps",
        2049 => "nfs",
        2375 => "docker",
        2379 => "etcd-client",
        3306 => "mysql",
        5432 => "postgresql",
        6379 => "redis",
        27017 => "mongodb",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_the_headers_name_them() {
        assert_eq!((family(17), family(3)), ("AF_PACKET".to_owned(), "3".to_owned()));
        assert_eq!(socket_type(3 | 0o4000), "SOCK_RAW");
        assert_eq!(
            mode(0o104_755),
            "S_ISUID|S_IRUSR|S_IWUSR|S_IXUSR|S_IRGRP|S_IXGRP|S_IROTH|S_IXOTH"
        );
        assert_eq!(transport(2, 0, 1), Some("tcp"));
        assert_eq!(transport(10, 17, 2), Some("udp"));
        assert_eq!(transport(1, 0, 1), None);
    }
}
