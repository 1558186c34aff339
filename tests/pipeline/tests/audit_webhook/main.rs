//! API servers tell a collector of requests by their webhook.

mod kills;
mod memory;
mod scene;
