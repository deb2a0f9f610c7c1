//! Failures that last.

use super::*;

#[test]
fn a_resource_that_stays_gone_is_asked_for_rarely() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    let waits: Vec<_> = (0..20).map(|_| rig.fail(FailureKind::NotFound).wait()).collect();
    assert!(waits[0] >= Duration::from_secs(4), "{waits:?}");
    assert!(waits[3..].iter().all(|wait| (MINUTE / 2..=MINUTE).contains(wait)), "{waits:?}");
    assert_eq!(rig.relists(), []);
}

#[test]
fn a_permanent_401_is_no_hot_loop() {
    let mut rig = Rig::new(true);
    let mut tries = 0;
    while rig.now < 10 * MINUTE {
        rig.fail(FailureKind::Unauthorized).wait();
        tries += 1;
    }
    assert!(tries < 30, "{tries} tries in 10 minutes");
    assert_eq!(rig.count(&Action::Ended(EndCause::Unauthorized)), tries);
}

/// How long it waits before each of eight lists in a row, where the watch after each lasts so long.
fn waits_between_watches_of(lasts: Duration) -> Vec<Duration> {
    let mut rig = Rig::watching(true);
    let waits = (0..8).map(|_| {
        rig.after(lasts).fail(FailureKind::Expired);
        let waited = rig.wait();
        rig.step(Input::Opened);
        rig.after(MINUTE).step(Input::Bookmark { resource_version: 1, initial_events_end: true });
        waited
    });
    waits.collect()
}

#[test]
fn what_fails_after_a_watch_that_lasted_is_tried_again_at_once() {
    let waits = waits_between_watches_of(WELL);
    assert!(waits.iter().all(|wait| *wait < Duration::from_secs(2)), "{waits:?}");
}

#[test]
fn watches_that_follow_each_other_last_together() {
    let mut rig = Rig::watching(true);
    let mut waits = Vec::new();
    for _ in 0..8 {
        for _ in 0..3 {
            rig.after(WELL / 3).step(object(130)).step(Input::Ended(None)).wait();
            rig.step(Input::Opened);
        }
        rig.fail(FailureKind::Expired);
        waits.push(rig.wait());
        rig.step(Input::Opened);
        rig.step(Input::Bookmark { resource_version: 100, initial_events_end: true });
    }
    assert!(waits.iter().all(|wait| *wait < Duration::from_secs(2)), "{waits:?}");
}

#[test]
fn what_fails_sooner_waits_longer_each_time_however_long_its_list_took() {
    let waits = waits_between_watches_of(WELL - Duration::from_secs(1));
    assert!(waits[7] >= Duration::from_secs(30), "{waits:?}");
}

/// Waits that have grown do not keep it from watching: those at the cap leave, now and then, what it
/// takes for them to begin anew.
#[rstest]
fn what_fails_again_and_again_is_watched_most_of_the_time(
    #[values(25, 30, 45, 60, 75, 90, 120)] period: u64,
) {
    let period = Duration::from_secs(period);
    for seed in 0..100 {
        let mut rig = Rig::seeded(true, seed);
        for _ in 0..8 {
            rig.fail(FailureKind::Throttled).wait();
        }
        let (began, mut watched) = (rig.now, Duration::ZERO);
        while rig.now < began + 60 * MINUTE {
            rig.step(Input::Opened);
            rig.step(Input::Bookmark { resource_version: 1, initial_events_end: true });
            let lost = rig.now.div_duration_f64(period).floor() + 1.0;
            let left = period.mul_f64(lost).saturating_sub(rig.now);
            watched += left;
            rig.after(left).fail(FailureKind::Expired).wait();
        }
        let share = watched.div_duration_f64(rig.now - began);
        assert!(share > 0.75, "seed {seed}: watched for {share:.2} of the time");
    }
}

#[test]
fn a_list_that_breaks_off_is_tried_again_soon_where_all_was_well() {
    let mut rig = Rig::watching(true);
    for _ in 0..8 {
        rig.fail(FailureKind::Throttled).wait();
    }
    rig.step(Input::Opened);
    rig.step(Input::Bookmark { resource_version: 1, initial_events_end: true });
    rig.after(WELL).fail(FailureKind::Expired).wait();
    rig.step(Input::Opened).step(Input::Ended(Some(TransportReason::Eof)));
    assert!(!rig.machine.connected());
    let waited = rig.wait();
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert!(matches!(rig.request(), Request::Stream { .. }));
}

#[test]
fn a_list_of_minutes_that_breaks_off_is_no_health() {
    let mut rig = Rig::new(true);
    let waits = (0..8).map(|_| {
        rig.step(Input::Opened).after(5 * MINUTE).step(Input::Ended(None));
        rig.wait()
    });
    let waits: Vec<_> = waits.collect();
    assert!(waits[7] >= Duration::from_secs(30), "{waits:?}");
}

#[test]
fn a_right_that_comes_and_goes_is_asked_for_as_soon_as_at_first() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    for _ in 0..5 {
        rig.fail(FailureKind::Forbidden).wait();
    }
    rig.step(Input::Opened).after(WELL).step(Input::Ended(None)).wait();
    let waited = rig.fail(FailureKind::Forbidden).wait();
    assert!(waited < Duration::from_secs(8), "{waited:?}");
}

#[test]
fn headers_that_never_come_are_not_waited_for() {
    let mut rig = Rig::new(true);
    assert_eq!(rig.wait(), HEADERS);
    assert_eq!(rig.count(&Action::Close), 1);
}
