//! The real binary: real TLS, real HTTP, real files, real signals.

mod access;
mod api;
mod authority;
mod browser;
mod console;
mod damage;
mod disk;
mod exactly_once;
mod ingest;
mod page;
mod publisher;
mod records;
mod running;
mod stream;
