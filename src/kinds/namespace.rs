//! Namespaces: how many there are in which phase.

use crate::{
    config::settings::Caps,
    exposition::{Collect, Exposition, catalogue},
    label::label,
    store::{Context, Key, Kind, Tally},
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
    },
};

label! {
    /// Where a namespace is in its life (Kubernetes, "Namespaces").
    pub enum Phase {
        /// In use.
        Active = "Active",
        /// Being emptied, to be deleted.
        Terminating = "Terminating",
    }
}

/// Namespaces.
pub struct Namespaces;

message! {
    /// A namespace, as far as it is read.
    pub struct Namespace<'a> {
        1 "metadata" metadata: Meta<'a>,
        3 "status" status: Status<'a>,
    }
}

object!(Namespace);

message! {
    struct Status<'a> {
        1 "phase" phase: Text<'a>,
    }
}

/// Namespaces by phase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted([u64; Phase::ALL.len()]);

impl Kind for Namespaces {
    type Object<'a> = Namespace<'a>;
    type Facts = Phase;
    type Tally = Counted;

    fn fold(
        tally: &mut Counted,
        _: &Key,
        old: Option<&Phase>,
        namespace: &Namespace<'_>,
        _: &mut Context<'_>,
    ) -> Phase {
        let phase = phase(&namespace.status.phase);
        if let Some(old) = old {
            tally.0[*old as usize] -= 1;
        }
        tally.0[phase as usize] += 1;
        phase
    }

    fn forget(tally: &mut Counted, _: &Key, phase: &Phase, _: &Context<'_>) {
        tally.0[*phase as usize] -= 1;
    }
}

impl Tally for Counted {
    type Shown = Self;

    fn new(_: &Caps) -> Self {
        Self::default()
    }

    fn shown(&self) -> Self {
        *self
    }
}

impl Collect for Counted {
    fn collect(&self, out: &mut Exposition) {
        for (phase, n) in Phase::VALUES.iter().zip(self.0) {
            out.sample(&catalogue::NAMESPACES, &[phase], n);
        }
    }
}

/// A namespace without a phase is one that was just made.
fn phase(text: &str) -> Phase {
    Phase::ALL.iter().find(|phase| phase.as_str() == text).copied().unwrap_or(Phase::Active)
}
