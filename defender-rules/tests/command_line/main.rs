//! The program as an author of rules runs it.

mod captures;
mod cases;
mod files;
mod program;
mod why;
