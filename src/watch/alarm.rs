//! A deadline that each object moves on, at the price of a timer that is hardly ever set.

use std::pin::Pin;

use tokio::time::{Instant, Sleep, sleep_until};

/// Goes off at a deadline that may be another whenever it is asked for.
#[derive(Debug)]
pub struct Alarm(Pin<Box<Sleep>>);

impl Default for Alarm {
    /// Not set yet.
    fn default() -> Self {
        Self(Box::pin(sleep_until(Instant::now())))
    }
}

impl Alarm {
    /// Waits until this deadline. Where it is later than the last one, the timer stays set for
    /// that, and is set anew only when it has gone off.
    pub async fn until(&mut self, deadline: Instant) {
        let timer = &mut self.0;
        loop {
            if timer.is_elapsed() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().await;
            if deadline <= Instant::now() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{select, time::sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn goes_off_at_the_deadline_it_was_asked_for_last() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        for (early, deadline) in [(1, 10), (2, 15), (3, 12), (12, 12), (12, 30), (29, 31), (31, 5)]
        {
            select! {
                () = alarm.until(start + SECOND * deadline) => {}
                () = sleep((start + SECOND * early).duration_since(Instant::now())) => continue,
            }
            assert!(Instant::now() >= start + SECOND * deadline);
        }
        alarm.until(start + SECOND * 40).await;
        assert_eq!(start.elapsed(), SECOND * 40);
        alarm.until(start + SECOND * 39).await;
        assert_eq!(start.elapsed(), SECOND * 40);
    }
}
