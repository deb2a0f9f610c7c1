//! Waiting for what comes about by itself: the only place where tests wait.

use std::time::Duration;

use tokio::time::{Instant, interval};

/// How long anything may take; generous, as it is no measurement.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// How often it is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Looks again and again until there is a value; until then the probe tells how things stand.
///
/// # Panics
/// Where there is none within the deadline: what was waited for, and how things stood last.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + DEADLINE;
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        match probe().await {
            Ok(value) => return value,
            Err(stands) if Instant::now() > end => {
                panic!("{what}: not within {DEADLINE:?}: {stands}")
            }
            Err(_) => {}
        }
    }
}
