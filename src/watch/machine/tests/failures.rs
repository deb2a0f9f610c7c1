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

#[test]
fn headers_that_never_come_are_not_waited_for() {
    let mut rig = Rig::new(true);
    assert_eq!(rig.wait(), HEADERS);
    assert_eq!(rig.count(&Action::Close), 1);
}
