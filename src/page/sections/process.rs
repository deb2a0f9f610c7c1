//! The daemon itself, in one line.

use crate::{
    exposition::catalogue::{
        BUILD_INFO, PROCESS_RESIDENT_MEMORY_BYTES, PROCESS_START_TIME_SECONDS,
    },
    page::{Moment, html::Html},
    words::{date, megabytes, span},
};

/// The daemon.
#[derive(Debug)]
pub struct Process {
    version: String,
    revision: String,
    /// For how many seconds it has run.
    up: Option<f64>,
    memory: Option<f64>,
    now: f64,
}

impl Process {
    /// That of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let Moment { now, readings, .. } = *moment;
        let build = readings.of(&BUILD_INFO).first();
        let label = |at| build.map_or("", |build| build.label(at)).to_owned();
        Self {
            version: label(0),
            revision: label(1),
            up: readings.value(&PROCESS_START_TIME_SECONDS).map(|began| now - began),
            memory: readings.value(&PROCESS_RESIDENT_MEMORY_BYTES),
            now,
        }
    }

    /// What is shown of it.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = Html::default();
        out.put("<p>Kubetally {} <small>({})</small>", &[&self.version, &self.revision]);
        if let Some(up) = self.up {
            out.put(", up for {}", &[&span(up)]);
        }
        if let Some(memory) = self.memory {
            out.put(", {} of memory", &[&megabytes(memory)]);
        }
        out.put(". As of <time>{}</time>.</p>", &[&date(self.now)]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, Scene, has};

    #[test]
    fn it_says_what_it_is() {
        let mut scene = Scene::default();
        scene.sample(&BUILD_INFO, &["0.1.0", "abc"], 1_u64);
        scene.sample(&PROCESS_START_TIME_SECONDS, &[], NOW - 7_200.0);
        scene.sample(&PROCESS_RESIDENT_MEMORY_BYTES, &[], 12_300_000.0);
        let html = scene.at(|moment| Process::at(moment).html());
        has(&html, &["Kubetally 0.1.0 <small>(abc)</small>, up for 2 h, 12.3 MB of memory"]);
    }
}
