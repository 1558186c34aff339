//! What a server shows and asks for, from files that it follows while it runs: its certificate and key, the authorities of
//! its clients' certificates, a bearer token. While a file can't be used, what was read last stays.

mod files;
mod following;
mod renewal;
mod token;

pub use files::{Clients, TlsError, TlsFiles, first_certificate};
pub use following::follow;
pub use renewal::Renewal;
pub use token::{Token, TokenError};
