//! Faults to inject: which requests they befall, how often, and what happens then.

use bytes::Bytes;
use tokio::sync::watch as channel;

use super::body::BodyFault;

/// A fault for some requests.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `list`, `watch`, `get`, `create` or `patch`; `None` for each of them.
    pub verb: Option<&'static str>,
    /// The plural, or a path that is no resource, such as `/readyz`; `None` for every one.
    pub resource: Option<&'static str>,
    /// How many matching requests are spared first.
    pub skip: usize,
    /// How many are befallen then.
    pub times: usize,
    /// What happens.
    pub fault: Fault,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this.
    Answer {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`.
        content_type: &'static str,
        /// Further headers.
        headers: Vec<(&'static str, &'static str)>,
        /// The body.
        body: Bytes,
    },
    /// It is answered as ever, with these headers beside.
    Headers(Vec<(&'static str, &'static str)>),
    /// It is never answered.
    Silence,
    /// It waits at this gate, and is answered then.
    Wait(Gate),
    /// Its body is faulty.
    Body(BodyFault),
    /// It is a watch, and tells another story than was asked for.
    Watch(WatchFault),
}

/// A fault of a watch.
#[derive(Clone, Debug)]
pub enum WatchFault {
    /// It starts after this resourceVersion, whatever was asked for: what came since comes again.
    From(u64),
    /// The marker of a streaming list waits at this gate; what changes until then comes before it.
    Marker(Gate),
    /// It goes on beyond the time that was asked for.
    Endless,
}

/// Where something waits until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(channel::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(channel::Sender::new(false))
    }
}

impl Gate {
    /// Lets through who waits, and who comes later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.receiver_count()
    }

    /// Waits until it is open.
    pub(super) async fn pass(&self) {
        let mut waiting = self.0.subscribe();
        // It cannot go away while we hold it.
        let _open = waiting.wait_for(|open| *open).await;
    }
}

impl Fault {
    /// Too many requests are under way, as the server says it.
    #[must_use]
    pub fn too_many_requests() -> Self {
        Self::Answer {
            status: 429,
            content_type: "text/plain; charset=utf-8",
            headers: vec![("Retry-After", "1"), ("X-Content-Type-Options", "nosniff")],
            body: Bytes::from_static(b"Too many requests, please try again later.\n"),
        }
    }
}

impl Rule {
    /// A fault for the next request of this verb and resource.
    #[must_use]
    pub const fn once(verb: &'static str, resource: &'static str, fault: Fault) -> Self {
        Self { verb: Some(verb), resource: Some(resource), skip: 0, times: 1, fault }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults(Vec<Rule>);

impl Faults {
    /// Adds a rule, behind those that there are.
    pub fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    /// Takes all rules back.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What befalls a request: the fault of the first rule that matches and is not used up.
    pub fn befall(&mut self, verb: &str, resource: &str) -> Option<Fault> {
        self.0.retain(|rule| rule.times > 0);
        let rule = self.0.iter_mut().find(|rule| {
            rule.verb.is_none_or(|wanted| wanted == verb)
                && rule.resource.is_none_or(|wanted| wanted == resource)
        })?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_holds_until_it_is_opened() {
        use std::{future::Future, pin::pin, task::Poll};
        let gate = Gate::default();
        let mut passing = pin!(gate.pass());
        let held = std::future::poll_fn(|context| {
            Poll::Ready(passing.as_mut().poll(context).is_pending())
        });
        assert!(held.await);
        assert_eq!(gate.waiting(), 1);
        gate.open();
        passing.await;
        gate.pass().await;
    }

    #[test]
    fn a_rule_spares_befalls_and_is_used_up() {
        let mut faults = Faults::default();
        let rule = Rule::once("watch", "pods", Fault::Silence);
        faults.add(Rule { skip: 1, times: 2, ..rule });
        let befallen = |faults: &mut Faults, verb| faults.befall(verb, "pods").is_some();
        assert!(!befallen(&mut faults, "list"));
        let watches: Vec<bool> = (0..4).map(|_| befallen(&mut faults, "watch")).collect();
        assert_eq!(watches, [false, true, true, false]);
    }
}
