use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_mins(1);

/// Looks until something is found. On failure tells what was there instead.
pub async fn poll<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if began.elapsed() > DEADLINE => panic!("no {what}, but {instead}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
