//! How everything is listed: streamed, by pages, given up.

use super::*;

#[test]
fn starts_with_a_streaming_list_which_goes_on_as_a_watch() {
    let mut rig = Rig::new(true);
    assert!(matches!(rig.request(), Request::Stream { .. }));
    assert_eq!(rig.out[0], Action::BeginList);
    rig.step(Input::Opened).step(object(700)).step(object(3));
    assert!(!rig.machine.synced());
    rig.step(Input::Bookmark { resource_version: 650, initial_events_end: true });
    assert_eq!(rig.count(&Action::EndList(SyncMode::Stream)), 1);
    assert!(rig.machine.synced() && rig.machine.connected());
    rig.after(MINUTE).step(object(651)).step(Input::Ended(None));
    rig.wait();
    assert_eq!(rig.resumes_at(), Some(651));
}

#[test]
fn asks_for_a_deadline_between_its_timeout_and_twice_that() {
    for seed in 0..50 {
        let options = Options { cached: true, timeout: 5 * MINUTE, page_size: 500 };
        let mut machine = Machine::new(options, Duration::ZERO, seed);
        let mut out = Vec::new();
        machine.step(Input::Timer, Duration::ZERO, &mut out);
        let Action::Open(Request::Stream { timeout }) = out[1] else { panic!("{out:?}") };
        assert!((5 * MINUTE..10 * MINUTE).contains(&timeout), "{timeout:?}");
    }
}

#[test]
fn a_server_without_streaming_lists_is_listed_by_pages_at_once() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported);
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
    rig.step(Input::Opened);
    rig.step(Input::Page { resource_version: 9, next: Some("a".into()) });
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: Some("a".into()) });
    rig.step(Input::Opened);
    rig.step(Input::Page { resource_version: 9, next: Some("b".into()) });
    rig.step(Input::Opened);
    assert!(!rig.machine.synced());
    rig.step(Input::Page { resource_version: 9, next: None });
    assert_eq!(rig.count(&Action::EndList(SyncMode::List)), 1);
    assert_eq!(rig.count(&Action::BeginList), 2, "one for the stream, one for the pages");
    assert_eq!(rig.resumes_at(), Some(9));
    // And it stays so.
    rig.step(Input::Opened).fail(FailureKind::Expired).wait();
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
}

#[test]
fn a_streaming_list_that_ends_early_three_times_gives_way_to_pages() {
    let mut rig = Rig::new(true);
    for _ in 0..3 {
        assert!(matches!(rig.request(), Request::Stream { .. }));
        rig.step(Input::Opened).step(object(5)).step(Input::Ended(None));
        rig.wait();
    }
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
    assert_eq!(rig.count(&Action::EndList(SyncMode::Stream)), 0);
}

#[test]
fn a_streaming_list_without_its_marker_gives_way_to_pages() {
    let mut rig = Rig::new(true);
    rig.step(Input::Opened).after(10 * Duration::from_secs(1)).step(Input::Bytes);
    assert_eq!(rig.wait(), LIST_IDLE);
    assert_eq!(rig.count(&Action::Close), 1);
    rig.wait();
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
}

#[test]
fn a_list_that_drips_for_ever_is_given_up() {
    let mut rig = Rig::new(true);
    rig.step(Input::Opened);
    while rig.count(&Action::Close) == 0 {
        rig.after(LIST_IDLE / 2).step(Input::Timer).step(Input::Bytes);
        assert!(rig.now <= LIST_TOTAL, "still listing");
    }
}

#[test]
fn a_repeated_continue_token_is_a_loop() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported);
    for _ in 0..2 {
        rig.step(Input::Opened);
        rig.step(Input::Page { resource_version: 9, next: Some("same".into()) });
    }
    assert_eq!(rig.relists(), [RelistCause::Incomplete]);
    assert!(rig.wait() >= Duration::from_millis(800));
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
}

#[rstest]
#[case::one(&["a", "a"])]
#[case::two(&["a", "b", "a", "b", "a", "b"])]
#[case::later(&["a", "b", "c", "d", "e", "c", "d", "e", "c", "d", "e", "c", "d", "e"])]
fn continue_tokens_that_go_round_are_a_loop(#[case] tokens: &[&str]) {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported);
    for token in tokens {
        rig.step(Input::Opened);
        rig.step(Input::Page { resource_version: 9, next: Some((*token).into()) });
    }
    assert_eq!(rig.relists(), [RelistCause::Incomplete]);
}

#[test]
fn many_pages_are_no_loop_and_an_empty_one_goes_on() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported);
    for page in 0..1000 {
        rig.step(Input::Opened);
        rig.step(Input::Page { resource_version: 9 + page, next: Some(page.to_string()) });
    }
    rig.step(Input::Opened).step(Input::Page { resource_version: 7, next: None });
    assert_eq!(rig.relists(), []);
    assert_eq!(rig.resumes_at(), Some(7), "the oldest state that a page was of");
}

#[test]
fn an_expired_page_starts_the_list_afresh() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported).step(Input::Opened);
    rig.step(Input::Page { resource_version: 9, next: Some("a".into()) });
    rig.fail(FailureKind::Expired).wait();
    // What is taken at once cannot expire on the way.
    assert_eq!(rig.request(), &Request::Page { limit: 0, next: None });
    assert!(!rig.machine.synced());
    rig.step(Input::Opened).step(Input::Page { resource_version: 12, next: None });
    assert_eq!(rig.relists(), [RelistCause::Expired]);
    rig.step(Input::Opened).fail(FailureKind::Expired).wait();
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
}

#[test]
fn a_list_cut_off_sweeps_nothing() {
    let mut rig = Rig::new(true);
    rig.fail(FailureKind::Unsupported).step(Input::Opened);
    rig.step(object(5)).step(Input::Ended(Some(TransportReason::Reset))).wait();
    assert_eq!(rig.count(&Action::EndList(SyncMode::List)), 0);
    assert_eq!(rig.request(), &Request::Page { limit: 500, next: None });
    assert_eq!(rig.count(&Action::BeginList), 3);
}

#[test]
fn a_list_that_is_silent_and_one_that_takes_too_long_are_told_apart() {
    let mut silent = Rig::new(true);
    silent.step(Input::Opened);
    let given_up = silent.machine.deadline();
    assert!(!silent.machine.list_is_silent(given_up - Duration::from_millis(1)));
    assert!(silent.machine.list_is_silent(given_up));

    let mut slow = Rig::new(true);
    slow.step(Input::Opened);
    for _ in 0..29 {
        slow.after(Duration::from_secs(20)).step(Input::Bytes);
    }
    slow.after(Duration::from_secs(15)).step(Input::Bytes);
    let given_up = slow.machine.deadline();
    assert_eq!(given_up, 10 * MINUTE);
    assert!(!slow.machine.list_is_silent(given_up));
    slow.wait();
    assert!(!slow.machine.listing());
}
