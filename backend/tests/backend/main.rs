//! The real binary: real TLS, real HTTP, real files, real signals.

mod access;
mod api;
mod authority;
mod console;
mod damage;
mod disk;
mod exactly_once;
mod ingest;
mod publisher;
mod records;
mod running;
mod stream;
