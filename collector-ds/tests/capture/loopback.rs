//! The loopback interface, which a test machine may not have raised.

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

/// An address as the kernel takes it.
#[derive(Clone, Copy)]
#[repr(C)]
pub union RawAddress {
    pub v4: libc::sockaddr_in,
    pub v6: libc::sockaddr_in6,
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self {
                v4: libc::sockaddr_in {
                    sin_family: libc::sa_family_t::try_from(libc::AF_INET).unwrap(),
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                    sin_zero: [0; 8],
                },
            },
            SocketAddr::V6(address) => Self {
                v6: libc::sockaddr_in6 {
                    sin6_family: libc::sa_family_t::try_from(libc::AF_INET6).unwrap(),
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                },
            },
        }
    }
}

/// What `call`, which is bind or connect, returns for a socket and an address.
pub fn with_address(
    socket: &impl AsRawFd,
    address: SocketAddr,
    call: unsafe extern "C" fn(libc::c_int, *const libc::sockaddr, libc::socklen_t) -> libc::c_int,
) -> std::io::Result<()> {
    let raw = RawAddress::from(address);
    let length = libc::socklen_t::try_from(size_of::<RawAddress>()).unwrap();
    // SAFETY: the address is as large as its length says, and lives until the call returns.
    match unsafe { call(socket.as_raw_fd(), (&raw const raw).cast(), length) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A port of 127.0.0.1.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Sets the interface up, with its addresses, unless it is.
pub fn raise_loopback() {
    let any =
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).unwrap();
    // SAFETY: all zeros are a request without a name and without flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = byte.cast_signed();
    }
    let ask = |what, request: &mut libc::ifreq| {
        // SAFETY: both calls read and write one ifreq.
        let result = unsafe { libc::ioctl(any.as_raw_fd(), what, &raw mut *request) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    };
    ask(libc::SIOCGIFFLAGS, &mut request);
    // SAFETY: the kernel has just written the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::c_short::try_from(libc::IFF_UP).unwrap();
    if flags & up == 0 {
        request.ifr_ifru.ifru_flags = flags | up;
        ask(libc::SIOCSIFFLAGS, &mut request);
    }
}
