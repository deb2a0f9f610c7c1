//! What watchers are told from outside while they run.

use tokio::sync::watch;

/// What one is told: each number grows when its time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// Connections should be made anew.
    pub rotated: u64,
    /// A right that was missing is there.
    pub granted: u64,
    /// The server's resourceVersions went back.
    pub rewound: u64,
}

/// All watchers, to be told.
#[derive(Debug, Default)]
pub struct Notices(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    resource: Box<str>,
    namespace: Option<String>,
    sender: watch::Sender<Notice>,
}

impl Notices {
    /// Adds a watcher, which is told by what comes back.
    pub fn add(&mut self, resource: &str, namespace: Option<String>) -> watch::Receiver<Notice> {
        let (sender, receiver) = watch::channel(Notice::default());
        self.0.push(Listener { resource: resource.into(), namespace, sender });
        receiver
    }

    /// The certificates are of this generation.
    pub fn rotate(&self, generation: u64) {
        for listener in &self.0 {
            listener.sender.send_if_modified(|notice| {
                std::mem::replace(&mut notice.rotated, generation) != generation
            });
        }
    }

    /// The server's resourceVersions went back: what a watch brings from ours on is not all.
    pub fn rewind(&self) {
        for listener in &self.0 {
            listener.sender.send_modify(|notice| notice.rewound += 1);
        }
    }

    /// There is a right to a resource that was missing.
    pub fn grant(&self, resource: &str, namespace: Option<&str>) {
        let about = |l: &&Listener| &*l.resource == resource && l.namespace.as_deref() == namespace;
        for listener in self.0.iter().filter(about) {
            listener.sender.send_modify(|notice| notice.granted += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_told_to_whom_it_is_for_and_certificates_to_all() {
        let mut notices = Notices::default();
        let mut told = [Some("shop"), Some("billing"), None]
            .map(|namespace| notices.add("pods", namespace.map(str::to_owned)));
        let mut changed = || {
            told.each_mut().map(|receiver| {
                let changed = receiver.has_changed().expect("it is there");
                receiver.mark_unchanged();
                changed
            })
        };
        notices.grant("pods", Some("shop"));
        notices.grant("events", Some("billing"));
        assert_eq!(changed(), [true, false, false]);
        notices.rotate(0);
        assert_eq!(changed(), [false; 3]);
        notices.rotate(1);
        assert_eq!(changed(), [true; 3]);
        notices.rotate(1);
        notices.grant("pods", None);
        assert_eq!(changed(), [false, false, true]);
        notices.rewind();
        assert_eq!(changed(), [true; 3]);
    }
}
