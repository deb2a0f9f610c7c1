//! A watcher's machine on a clock of its own, against a server that answers as a test says: what
//! takes minutes or hours, and how much is asked in them.

use std::{collections::VecDeque, time::Duration};

use kubetally::watch::machine::{Action, Input, Machine, Options, Request};

/// How long an answer is on its way.
pub const WAY: Duration = Duration::from_millis(10);

/// A request and when it was sent, from the start.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Duration,
    /// What.
    pub request: Request,
}

/// Plays a machine of this seed for so long. `answer` says what a request is answered with: inputs,
/// each so long after the request; it is given the request and how many came before.
pub fn play(
    (seed, cached): (u64, bool),
    lasts: Duration,
    mut answer: impl FnMut(&Request, usize) -> Vec<(Duration, Input)>,
) -> Vec<Sent> {
    let options = Options { cached, timeout: Duration::from_secs(300), page_size: 500 };
    let mut machine = Machine::new(options, Duration::ZERO, seed);
    let (mut sent, mut coming) = (Vec::new(), VecDeque::new());
    loop {
        let timer = (machine.deadline(), Input::Timer);
        let next = coming.front().is_some_and(|(at, _)| *at <= timer.0);
        let (now, input) = next.then(|| coming.pop_front()).flatten().unwrap_or(timer);
        if now > lasts {
            return sent;
        }
        let mut actions = Vec::new();
        machine.step(input, now, &mut actions);
        for action in actions {
            match action {
                Action::Close => coming.clear(),
                Action::Open(request) => {
                    let answer = answer(&request, sent.len());
                    coming =
                        answer.into_iter().map(|(after, input)| (now + after, input)).collect();
                    sent.push(Sent { at: now, request });
                }
                _ => {}
            }
        }
    }
}

/// A list that ends well, at this resourceVersion: streamed or of one page.
pub fn listed(request: &Request, resource_version: u64) -> Vec<(Duration, Input)> {
    let end = match request {
        Request::Page { .. } => Input::Page { resource_version, next: None },
        _ => Input::Bookmark { resource_version, initial_events_end: true },
    };
    vec![(WAY, Input::Opened), (2 * WAY, end)]
}

/// How many of these were sent within any time as long as this, at most.
pub fn most_within(sent: &[Sent], time: Duration) -> usize {
    let within = |from: Duration| {
        let sent = sent.iter().map(|sent| sent.at);
        sent.filter(|at| (from..from + time).contains(at)).count()
    };
    sent.iter().map(|sent| within(sent.at)).max().unwrap_or(0)
}
