//! The whole pure path against a naive API server: whatever the history of objects, frames, cuts,
//! errors, ends and clock ticks, the store is what the server has as soon as all has arrived, and
//! every occurrence of an event that arrived counts once.
//!
//! What can be known, precisely:
//! - Once a watch is open and everything sent has arrived, the store equals the server. One thing
//!   the protocol hides: a server set back to a backup whose resourceVersions have passed ours
//!   again accepts our watch and never sends what differs. Nobody can tell before the next list. What
//!   it writes then of an object at the very resourceVersion that we have of it looks like what we
//!   have, and is not written here.
//! - Of a name that came in the first list, growth counts; of one that came later, all, or once
//!   where it began before we did. What comes again of a time that has passed counts nothing, though
//!   it may be of a name that came and went before we looked. What an event counted between its last
//!   delivery and its expiry was never sent. So occurrences counted equal the highest count that
//!   arrived of each name less what that rule leaves out; they never exceed what really happened.

mod client;
mod server;
mod simulation;

use std::time::Duration;

use client::{Client, Met};
use kubetally::{
    api::TransportReason,
    watch::machine::{FailureKind, Input},
};
use proptest::prelude::*;
use server::{NAMES, Server};

const PHASES: [&str; 3] = ["Pending", "Running", "Failed"];

#[derive(Clone, Debug)]
enum Step {
    Write {
        name: usize,
        phase: usize,
        times: u32,
    },
    Delete(Vec<usize>),
    Compact,
    BackUp,
    Restore,
    Receive(usize),
    ReceiveAll,
    Bookmark,
    Replay(u64),
    End(Option<TransportReason>),
    Garbage,
    /// An ERROR event of this status.
    Error(u16),
    /// What the next attempt meets.
    Trouble(Met),
    /// What every attempt meets for so many seconds.
    Spell(Met, u64),
    /// Our certificate is another one.
    Rotate,
    /// A right that was missing is there.
    Grant,
    /// A probe has noticed that the server went back.
    Rewind,
    Tick(u64),
}

/// What an attempt may meet.
fn met() -> impl Strategy<Value = Met> {
    let kind = prop::sample::select(&[
        FailureKind::Expired,
        FailureKind::TooLarge,
        FailureKind::Unauthorized,
        FailureKind::Forbidden,
        FailureKind::NotFound,
        FailureKind::Throttled,
        FailureKind::Unsupported,
        FailureKind::Server,
        FailureKind::Transport(TransportReason::Refused),
        FailureKind::Transport(TransportReason::Tls),
    ]);
    let wait = prop::option::weighted(0.3, (20_u64..40).prop_map(Duration::from_secs));
    prop_oneof![
        10 => (kind, wait).prop_map(|(kind, wait)| Met::Failure(kind, wait)),
        1 => Just(Met::Close),
        1 => Just(Met::Nothing),
    ]
}

/// What may happen next.
fn step() -> impl Strategy<Value = Step> {
    let names = || 0..NAMES;
    let reason = prop::option::of(prop::sample::select(&[
        TransportReason::Reset,
        TransportReason::Eof,
        TransportReason::PingTimeout,
        TransportReason::Goaway,
        TransportReason::ReadTimeout,
    ]));
    prop_oneof![
        12 => (names(), 0..PHASES.len(), 1_u32..4)
            .prop_map(|(name, phase, times)| Step::Write { name, phase, times }),
        4 => prop::collection::vec(names(), 1..4).prop_map(Step::Delete),
        1 => Just(Step::Compact),
        1 => Just(Step::BackUp),
        1 => Just(Step::Restore),
        9 => (1_usize..600).prop_map(Step::Receive),
        8 => Just(Step::ReceiveAll),
        3 => Just(Step::Bookmark),
        2 => (1_u64..20).prop_map(Step::Replay),
        4 => reason.prop_map(Step::End),
        1 => Just(Step::Garbage),
        1 => prop::sample::select(&[410_u16, 429, 500, 503]).prop_map(Step::Error),
        4 => met().prop_map(Step::Trouble),
        1 => (met(), 10_u64..600).prop_map(|(met, seconds)| Step::Spell(met, seconds)),
        1 => Just(Step::Rotate),
        1 => Just(Step::Grant),
        10 => (0_u64..90).prop_map(Step::Tick),
    ]
}

struct World {
    server: Server,
    client: Client,
    events: bool,
}

impl World {
    fn new(resource: &str, seed: u64, before: usize) -> Self {
        let mut server = Server::new();
        for name in 0..before {
            server.write(name, PHASES[0], 3, Duration::ZERO);
        }
        Self { server, client: Client::new(resource, seed), events: resource == "events" }
    }

    fn step(&mut self, step: &Step) {
        let Self { server, client, .. } = self;
        match step {
            Step::Write { name, phase, times } => {
                server.write(*name, PHASES[*phase], *times, client.now);
            }
            Step::Delete(names) => server.delete(names),
            Step::Compact => {
                client.follow(server);
                server.compact();
            }
            Step::BackUp => server.back_up(),
            Step::Restore => {
                client.end(Some(TransportReason::Reset), server);
                server.restore();
            }
            Step::Receive(bytes) => client.receive(*bytes, server),
            Step::ReceiveAll => client.receive(usize::MAX, server),
            Step::Bookmark => client.bookmark(server),
            Step::Replay(versions) => client.replay(*versions, server),
            Step::End(reason) => client.end(*reason, server),
            Step::Garbage => client.garbage(server),
            Step::Error(code) => client.error(*code, server),
            Step::Trouble(met) => client.trouble = Some(*met),
            Step::Spell(met, seconds) => {
                client.spell = Some((client.now + Duration::from_secs(*seconds), *met));
            }
            Step::Rotate => client.told(Input::Rotated, server),
            Step::Grant => client.told(Input::Granted, server),
            Step::Rewind => client.told(Input::Rewound, server),
            Step::Tick(seconds) => client.tick(Duration::from_secs(*seconds), server),
        }
    }

    /// Whether all has arrived, and nothing is hidden by a backup that was restored.
    fn settled(&self) -> bool {
        self.client.quiet(&self.server) && self.client.epoch == Some(self.server.epoch)
    }

    /// Nothing goes wrong any more: a little later all has arrived.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.client.heal();
        for minute in 0..60 {
            // A page a round.
            for _ in 0..NAMES {
                self.step(&Step::ReceiveAll);
            }
            if self.settled() {
                return Ok(());
            }
            if minute == 40 && self.client.epoch != Some(self.server.epoch) {
                // A restored server that has passed our resourceVersion; the next list tells.
                self.step(&Step::Compact);
                self.step(&Step::End(None));
            }
            self.step(&Step::Bookmark);
            self.step(&Step::Tick(60));
        }
        Err(TestCaseError::fail("nothing settles within an hour"))
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let text = self.client.text();
        if self.client.machine.synced() && self.events {
            let counted = value(&text, SERIES).unwrap_or(0);
            prop_assert_eq!(counted, self.client.seen.counted(), "{}", text);
            let happened = self.server.happened.iter().map(|(n, _)| u64::from(*n)).sum();
            prop_assert!(counted <= happened);
        }
        if !self.settled() {
            return Ok(());
        }
        prop_assert_eq!(self.client.held(), self.server.objects.len());
        for name in 0..NAMES {
            let stored = self.server.objects.get(&name);
            match self.events {
                true => {
                    let held = namespace_objects(&text, name, "events");
                    prop_assert_eq!(held, u64::from(stored.is_some()), "{}\n{}", name, text);
                    let count = stored.map_or(0, |stored| u64::from(stored.count));
                    prop_assert!(self.client.seen.most(name) >= count);
                }
                false => {
                    for phase in PHASES {
                        let series =
                            format!("kubetally_pods{{namespace=\"n{name}\",phase=\"{phase}\"}}");
                        let expected = stored.is_some_and(|stored| stored.phase == phase);
                        let shown = value(&text, &series).unwrap_or(0);
                        prop_assert_eq!(shown, u64::from(expected), "{}\n{}", series, text);
                    }
                }
            }
        }
        Ok(())
    }
}

const SERIES: &str =
    r#"kubetally_event_occurrences_total{type="Warning",kind="Pod",reason="Tested"}"#;

fn value(text: &str, series: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn namespace_objects(text: &str, name: usize, resource: &str) -> u64 {
    let labels = format!("namespace=\"n{name}\",resource=\"{resource}\"");
    value(text, &format!("kubetally_namespace_objects{{{labels}}}")).unwrap_or(0)
}

fn run(resource: &str, seed: u64, before: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new(resource, seed, before);
    world.step(&Step::Tick(0));
    for step in steps {
        world.step(step);
        world.check()?;
    }
    world.settle()?;
    world.check()
}

proptest! {
    #[test]
    fn pods_are_what_the_server_has(
        seed in any::<u64>(),
        before in 0..NAMES,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        run("pods", seed, before, &steps)?;
    }

    #[test]
    fn events_count_once_each(
        seed in any::<u64>(),
        before in 0..NAMES,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        run("events", seed, before, &steps)?;
    }
}
