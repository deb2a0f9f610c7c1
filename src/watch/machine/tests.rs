//! The machine by hand: what happened, what it does, how long it waits.

mod failures;
mod lists;

use rstest::rstest;

use super::*;
use crate::api::Verb;

const MINUTE: Duration = Duration::from_secs(60);

const fn object(resource_version: u64) -> Input {
    Input::Object { op: Op::Modified, resource_version }
}

const fn deleted(resource_version: u64) -> Input {
    Input::Object { op: Op::Deleted, resource_version }
}

struct Rig {
    machine: Machine,
    now: Duration,
    out: Vec<Action>,
}

impl Rig {
    fn new(cached: bool) -> Self {
        Self::seeded(cached, 7)
    }

    fn seeded(cached: bool, seed: u64) -> Self {
        let options = Options { cached, timeout: 5 * MINUTE, page_size: 500 };
        let mut rig = Self {
            machine: Machine::new(options, Duration::ZERO, seed),
            now: Duration::ZERO,
            out: vec![],
        };
        rig.step(Input::Timer);
        rig
    }

    /// One that has synced by a streaming list at resourceVersion 100 and watches.
    fn watching(cached: bool) -> Self {
        let mut rig = Self::new(cached);
        rig.step(Input::Opened);
        rig.step(Input::Bookmark { resource_version: 100, initial_events_end: true });
        rig.out.clear();
        rig
    }

    fn step(&mut self, input: Input) -> &mut Self {
        self.machine.step(input, self.now, &mut self.out);
        self
    }

    fn fail(&mut self, kind: FailureKind) -> &mut Self {
        self.step(Input::Failed(Failure { kind, retry_after: None }))
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Waits until the machine wants to be called, and calls it.
    fn wait(&mut self) -> Duration {
        let waited = self.machine.deadline() - self.now;
        self.now = self.machine.deadline();
        self.step(Input::Timer);
        waited
    }

    /// What was opened last.
    fn request(&self) -> &Request {
        self.out
            .iter()
            .rev()
            .find_map(|action| match action {
                Action::Open(request) => Some(request),
                _ => None,
            })
            .expect("a request")
    }

    fn count(&self, wanted: &Action) -> usize {
        self.out.iter().filter(|action| *action == wanted).count()
    }

    fn relists(&self) -> Vec<RelistCause> {
        let cause = |action: &Action| match action {
            Action::Relist(cause) => Some(*cause),
            _ => None,
        };
        self.out.iter().filter_map(cause).collect()
    }

    fn resumes_at(&self) -> Option<u64> {
        match self.request() {
            Request::Watch { resource_version, .. } => Some(*resource_version),
            _ => None,
        }
    }
}

#[rstest]
#[case::by_event(true)]
#[case::by_status(false)]
fn expired_is_exactly_one_relist(#[case] event: bool) {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE);
    if !event {
        rig.step(Input::Ended(None)).wait();
    }
    rig.fail(FailureKind::Expired);
    assert_eq!(rig.count(&Action::Ended(EndCause::Expired)), 1);
    rig.wait();
    assert!(matches!(rig.request(), Request::Stream { .. }));
    rig.step(Input::Opened);
    rig.step(Input::Bookmark { resource_version: 900, initial_events_end: true });
    assert_eq!(rig.relists(), [RelistCause::Expired]);
}

#[test]
fn expired_after_every_relist_backs_off_to_the_cap() {
    let mut rig = Rig::watching(true);
    let mut waits = Vec::new();
    for _ in 0..8 {
        rig.fail(FailureKind::Expired);
        waits.push(rig.wait());
        rig.step(Input::Opened);
        rig.step(Input::Bookmark { resource_version: 1, initial_events_end: true });
    }
    assert!(waits.is_sorted_by(|a, b| *a <= *b * 2), "{waits:?}");
    assert!(waits[7] >= Duration::from_secs(30) && waits[7] < MINUTE, "{waits:?}");
}

#[test]
fn empty_closes_back_off_relist_by_the_second_and_are_few() {
    let mut rig = Rig::watching(true);
    let mut requests = 0;
    while rig.now <= Duration::from_secs(30) {
        rig.step(Input::Ended(None));
        rig.wait();
        requests += 1;
        rig.step(Input::Opened);
    }
    assert!(requests <= 5, "{requests} requests in 30 s");
    assert_eq!(rig.relists()[0], RelistCause::EmptyClose);
}

#[test]
fn a_clean_end_resumes_without_a_list() {
    let mut rig = Rig::watching(true);
    rig.after(5 * MINUTE - MINUTE).step(object(120));
    rig.after(MINUTE).step(Input::Ended(None));
    assert_eq!(rig.count(&Action::Ended(EndCause::ServerTimeout)), 1);
    assert!(rig.wait() <= RESUME_JITTER);
    assert_eq!(rig.resumes_at(), Some(120));
    assert_eq!(rig.relists(), []);
}

#[rstest]
#[case::among_them(&[object(120), deleted(130), deleted(130)], 120)]
#[case::after_another(&[object(120), deleted(125), deleted(130)], 125)]
#[case::with_something_newer(&[deleted(130), deleted(130), object(131)], 131)]
#[case::with_a_bookmark(
    &[deleted(130), Input::Bookmark { resource_version: 130, initial_events_end: false }],
    130
)]
#[case::from_the_list(&[deleted(130)], 100)]
#[case::replayed(&[object(120), deleted(130), object(120)], 120)]
fn a_watch_that_breaks_among_deletions_of_one_version_asks_for_all_of_them(
    #[case] inputs: &[Input],
    #[case] expected: u64,
) {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE);
    for input in inputs {
        rig.step(input.clone());
    }
    rig.step(Input::Ended(Some(TransportReason::Reset))).wait();
    assert_eq!(rig.resumes_at(), Some(expected));
}

#[rstest]
#[case(TransportReason::Reset, EndCause::Io)]
#[case(TransportReason::Eof, EndCause::Io)]
#[case(TransportReason::PingTimeout, EndCause::PingTimeout)]
#[case(TransportReason::Goaway, EndCause::Goaway)]
fn a_broken_watch_resumes_without_a_list(#[case] reason: TransportReason, #[case] cause: EndCause) {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Bookmark { resource_version: 130, initial_events_end: false });
    rig.step(Input::Ended(Some(reason)));
    assert_eq!(rig.count(&Action::Ended(cause)), 1);
    assert!(rig.wait() <= RESUME_JITTER);
    assert_eq!(rig.resumes_at(), Some(130));
}

#[test]
fn watches_that_are_brief_again_and_again_are_opened_at_a_slower_pace() {
    let mut rig = Rig::watching(true);
    let mut waits = Vec::new();
    for version in 101..110 {
        rig.after(Duration::from_secs(2)).step(object(version)).step(Input::Ended(None));
        waits.push(rig.wait());
        assert_eq!(rig.resumes_at(), Some(version));
        rig.step(Input::Opened);
    }
    assert!(waits[0] < 2 * RESUME_JITTER, "{waits:?}");
    assert!(waits[8] >= Duration::from_secs(5) && waits[8] < BRIEF, "{waits:?}");
    // One that lasts is no part of it.
    rig.after(MINUTE).step(Input::Ended(None));
    assert!(rig.wait() <= RESUME_JITTER);
    rig.step(Input::Opened).after(Duration::from_secs(2)).step(Input::Ended(None));
    assert!(rig.wait() < 2 * RESUME_JITTER);
}

#[test]
fn refused_for_minutes_resumes_without_a_list() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(object(130)).step(Input::Ended(Some(TransportReason::Reset)));
    rig.wait();
    let mut tries = 0;
    while rig.now < 6 * MINUTE {
        rig.fail(FailureKind::Transport(TransportReason::Refused));
        assert!(rig.wait() <= MINUTE);
        tries += 1;
    }
    assert!((8..20).contains(&tries), "{tries} tries in 5 minutes");
    assert_eq!(rig.resumes_at(), Some(130));
    assert_eq!(rig.relists(), []);
    assert_eq!(rig.count(&Action::Retry(Verb::Watch)), tries);
}

#[test]
fn retry_after_is_a_floor() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    let retry_after = Some(Duration::from_secs(7));
    rig.step(Input::Failed(Failure { kind: FailureKind::Throttled, retry_after }));
    assert!(rig.wait() >= Duration::from_secs(7));
    assert_eq!(rig.resumes_at(), Some(100));
}

#[rstest]
#[case(FailureKind::Server, RelistCause::ServerError)]
#[case(FailureKind::TooLarge, RelistCause::ServerError)]
fn an_error_event_of_the_server_backs_off_and_relists(
    #[case] kind: FailureKind,
    #[case] cause: RelistCause,
) {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).fail(kind);
    assert_eq!(rig.relists(), [cause]);
    assert!(rig.wait() >= Duration::from_millis(800));
    assert!(matches!(rig.request(), Request::Stream { .. }));
}

#[test]
fn a_server_error_at_the_opening_is_tried_again_and_relists_in_the_end() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    for _ in 0..2 {
        rig.fail(FailureKind::Server).wait();
        assert_eq!(rig.resumes_at(), Some(100));
    }
    rig.fail(FailureKind::Server).wait();
    assert_eq!(rig.relists(), [RelistCause::ServerError]);
}

#[test]
fn what_cannot_be_decoded_relists_and_does_not_advance() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Undecodable).step(object(200));
    assert_eq!(rig.relists(), [RelistCause::Decode]);
    assert_eq!(rig.count(&Action::Close), 1);
    assert!(rig.wait() >= Duration::from_millis(800));
    assert!(matches!(rig.request(), Request::Stream { .. }));
}

#[test]
fn a_silent_cached_watch_is_listed_again() {
    let mut rig = Rig::watching(true);
    assert_eq!(rig.wait(), SILENCE);
    assert_eq!(rig.relists(), [RelistCause::Watchdog]);
    rig.wait();
    assert!(matches!(rig.request(), Request::Stream { .. }));
}

/// A server whose versions went back (a restored etcd) is silent on every watch, however short.
#[test]
fn silence_adds_up_over_watches_and_over_nothing_else() {
    let mut rig = Rig::watching(true);
    for _ in 0..4 {
        rig.after(Duration::from_secs(40)).step(Input::Ended(None)).wait();
        // An outage in between is no silence of a watch.
        rig.after(MINUTE).fail(FailureKind::Transport(TransportReason::Refused)).wait();
        rig.step(Input::Opened);
    }
    assert_eq!(rig.relists(), []);
    assert_eq!(rig.wait(), Duration::from_secs(20));
    assert_eq!(rig.relists(), [RelistCause::Watchdog]);
    rig.wait();
    rig.step(Input::Opened);
    rig.step(Input::Bookmark { resource_version: 7, initial_events_end: true });
    assert_eq!(rig.wait(), SILENCE);
}

#[rstest]
#[case::watching(&[], true)]
#[case::about_to_watch(&[Input::Ended(None), Input::Timer], true)]
#[case::waiting(&[Input::Ended(None)], false)]
fn versions_that_went_back_are_listed_at_once(#[case] inputs: &[Input], #[case] closes: bool) {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE);
    for input in inputs {
        rig.step(input.clone()).after(RESUME_JITTER);
    }
    rig.out.clear();
    rig.step(Input::Rewound);
    assert_eq!(rig.count(&Action::Close), usize::from(closes));
    assert_eq!(rig.relists(), [RelistCause::Rewound]);
    rig.after(RESUME_JITTER).step(Input::Timer);
    assert!(matches!(rig.request(), Request::Stream { .. }));
    // What is listed now is the truth.
    rig.step(Input::Rewound).step(Input::Opened).step(Input::Rewound);
    rig.step(Input::Bookmark { resource_version: 50, initial_events_end: true });
    assert_eq!(rig.relists(), [RelistCause::Rewound]);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    assert_eq!(rig.resumes_at(), Some(50));
}

#[test]
fn a_bookmark_ends_the_silence_of_short_watches() {
    let mut rig = Rig::watching(true);
    for _ in 0..30 {
        rig.after(Duration::from_secs(28));
        rig.step(Input::Bookmark { resource_version: 101, initial_events_end: false });
        rig.after(Duration::from_secs(2)).step(Input::Ended(None)).wait();
        rig.step(Input::Opened);
    }
    assert_eq!(rig.relists(), []);
}

#[test]
fn bookmarks_keep_a_quiet_watch_until_its_own_deadline() {
    let mut rig = Rig::watching(true);
    while rig.count(&Action::Close) == 0 {
        let next = MINUTE.min(rig.machine.deadline() - rig.now);
        rig.after(next).step(Input::Timer);
        rig.step(Input::Bookmark { resource_version: 101, initial_events_end: false });
    }
    assert!((5 * MINUTE..11 * MINUTE).contains(&rig.now), "{:?}", rig.now);
    assert_eq!(rig.count(&Action::Ended(EndCause::IdleTimeout)), 1);
    assert_eq!(rig.relists(), []);
    rig.wait();
    assert_eq!(rig.resumes_at(), Some(101));
}

#[test]
fn a_quiet_uncached_watch_is_listed_again_at_its_end() {
    let mut rig = Rig::watching(false);
    rig.after(7 * MINUTE).step(Input::Ended(None)).wait();
    assert_eq!(rig.relists(), [RelistCause::Watchdog]);
    assert!(matches!(rig.request(), Request::Stream { .. }));
}

#[test]
fn an_uncached_watch_that_was_quiet_for_a_moment_resumes() {
    let mut rig = Rig::watching(false);
    for input in [Input::Ended(Some(TransportReason::Reset)), Input::Rotated, Input::Ended(None)] {
        rig.after(Duration::from_secs(50)).step(input).wait();
        assert_eq!(rig.resumes_at(), Some(100));
        rig.step(Input::Opened);
    }
    // In all it was quiet for long.
    rig.after(Duration::from_secs(50)).step(Input::Ended(None));
    assert_eq!(rig.relists(), [RelistCause::Watchdog]);
}

#[test]
fn an_uncached_watch_that_spoke_resumes() {
    let mut rig = Rig::watching(false);
    rig.after(MINUTE).step(object(140)).after(MINUTE).step(Input::Ended(None)).wait();
    assert_eq!(rig.resumes_at(), Some(140));
}

#[test]
fn forbidden_waits_long_shows_and_recovers_where_it_was() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    let mut waits = Vec::new();
    for _ in 0..6 {
        rig.fail(FailureKind::Forbidden);
        assert_eq!(rig.machine.denied(), Some(Denial::Forbidden));
        assert!(rig.machine.complete());
        waits.push(rig.wait());
    }
    assert!(waits[0] >= Duration::from_secs(4), "{waits:?}");
    assert!(waits[5] >= MINUTE / 2 && waits[5] <= MINUTE, "{waits:?}");
    assert_eq!(rig.resumes_at(), Some(100));
    rig.step(Input::Opened);
    assert!(rig.machine.denied().is_none() && rig.machine.connected());
}

#[test]
fn a_right_that_is_granted_ends_the_waiting_for_it_at_once() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(object(140)).step(Input::Ended(None)).wait();
    rig.fail(FailureKind::Forbidden).wait();
    rig.fail(FailureKind::Forbidden).step(Input::Granted);
    assert!(rig.wait() <= RESUME_JITTER);
    assert_eq!(rig.resumes_at(), Some(140));
    // It waits for nothing now, and next time as if for the first time.
    rig.step(Input::Opened).step(Input::Granted);
    assert!(rig.machine.connected());
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    rig.fail(FailureKind::Forbidden);
    assert!(rig.wait() < Duration::from_secs(8));
}

#[test]
fn a_right_that_is_granted_ends_no_other_waiting() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::NotFound).step(Input::Granted);
    assert!(rig.wait() >= Duration::from_secs(4));
}

#[test]
fn a_rotated_certificate_reconnects_where_it_was() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(object(140)).step(Input::Rotated);
    assert_eq!(rig.count(&Action::Close), 1);
    assert!(rig.wait() <= RESUME_JITTER);
    assert_eq!(rig.resumes_at(), Some(140));
}

#[test]
fn a_resource_that_is_gone_is_listed_when_it_is_back() {
    let mut rig = Rig::watching(true);
    rig.after(MINUTE).step(Input::Ended(None)).wait();
    rig.fail(FailureKind::NotFound);
    assert_eq!(rig.machine.denied(), Some(Denial::Absent));
    assert!(!rig.machine.complete());
    assert!(rig.wait() >= Duration::from_secs(4));
    assert!(matches!(rig.request(), Request::Stream { .. }));
    rig.fail(FailureKind::Transport(TransportReason::Refused)).wait();
    assert_eq!(rig.machine.denied(), Some(Denial::Absent));
    rig.fail(FailureKind::Unauthorized).wait();
    assert_eq!(rig.machine.denied(), None);
}

#[test]
fn machines_that_end_together_do_not_return_together() {
    let waits: std::collections::BTreeSet<Duration> = (0..20)
        .map(|seed| {
            let options = Options { cached: true, timeout: 5 * MINUTE, page_size: 500 };
            let mut machine = Machine::new(options, Duration::ZERO, seed);
            let mut out = Vec::new();
            for input in [
                Input::Timer,
                Input::Opened,
                Input::Bookmark { resource_version: 1, initial_events_end: true },
            ] {
                machine.step(input, Duration::ZERO, &mut out);
            }
            machine.step(Input::Ended(None), MINUTE, &mut out);
            machine.deadline()
        })
        .collect();
    assert!(waits.len() > 15, "{waits:?}");
}

#[test]
fn of_the_newest_version_more_may_come() {
    let mut rig = Rig::watching(true);
    assert_eq!(rig.machine.passed(), 99);
    for (input, passed) in [(object(105), 104), (object(105), 104), (deleted(107), 106)] {
        assert_eq!(rig.step(input).machine.passed(), passed);
    }
    rig.step(Input::Bookmark { resource_version: 120, initial_events_end: false });
    assert_eq!(rig.machine.passed(), 119);
}
