//! The latest warnings by reason, and how often each happens.

use super::{is_listed, more, nothing, titled};
use crate::{
    exposition::catalogue::EVENT_OCCURRENCES_TOTAL,
    page::{
        Moment, ROWS,
        html::{Cell, Html},
        past::SPAN,
    },
    words::{number, rate},
};

/// The reasons of warnings.
#[derive(Debug)]
pub struct Warnings {
    reasons: Vec<Reason>,
    left: usize,
    /// How many minutes the growth is of.
    minutes: f64,
    /// Whether events are counted at all.
    counted: bool,
}

/// A reason, and what it is given for.
#[derive(Debug)]
struct Reason {
    reason: String,
    kind: String,
    growth: u64,
    total: u64,
}

impl Warnings {
    /// Those of a moment: first what has happened most of late, then what has at all.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let Moment { readings, past, .. } = *moment;
        let mut reasons: Vec<_> = past
            .counters(&EVENT_OCCURRENCES_TOTAL, readings)
            .map(|(reading, growth)| Reason {
                reason: reading.label(2).into(),
                kind: reading.label(1).into(),
                growth,
                total: reading.count(),
            })
            .filter(|reason| reason.total > 0)
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse((reason.growth, reason.total)));
        let left = reasons.len().saturating_sub(ROWS);
        reasons.truncate(ROWS);
        let counted = is_listed(readings, "events");
        Self { reasons, left, minutes: past.minutes(moment.now), counted }
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("warnings", "Latest warnings");
        if self.reasons.is_empty() {
            nothing(
                &mut out,
                match self.counted {
                    true => "No warning has happened since this daemon started.",
                    false => "Events are not counted, or not yet.",
                },
            );
            return out;
        }
        let columns = ["Reason", "Of", "#Lately", "#A minute", "#In all"];
        let caption = format!("Warnings by reason: lately is {SPAN}, in all is since the start");
        out.table(&caption, &columns, self.reasons.iter().map(|reason| self.row(reason)));
        more(&mut out, self.left, "reasons");
        out
    }

    fn row(&self, reason: &Reason) -> Vec<Cell> {
        #[expect(clippy::cast_precision_loss, reason = "it is rounded anyhow")]
        let often = match reason.growth {
            0 => "–".into(),
            growth => rate(growth as f64 / self.minutes.max(1.0)),
        };
        vec![
            Cell::Name(reason.reason.clone()),
            Cell::Text(reason.kind.clone()),
            Cell::Number(number(reason.growth)),
            Cell::Number(often),
            Cell::Number(number(reason.total)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, Scene, has};

    #[test]
    fn what_happens_now_comes_before_what_has_happened_most() {
        let mut scene = Scene::default();
        let occurred = |scene: &mut Scene, reason, count: u64| {
            scene.sample(&EVENT_OCCURRENCES_TOTAL, &["Warning", "Pod", reason], count);
        };
        occurred(&mut scene, "FailedMount", 900);
        occurred(&mut scene, "BackOff", 10);
        scene.sample(&EVENT_OCCURRENCES_TOTAL, &["Normal", "Pod", "Pulled"], 99_u64);
        for step in (0..=12).rev() {
            scene.step(NOW - 10.0 * f64::from(step));
        }
        occurred(&mut scene, "BackOff", 16);
        let warnings = scene.at(Warnings::at);
        let order: Vec<_> = warnings.reasons.iter().map(|reason| &*reason.reason).collect();
        assert_eq!(order, ["BackOff", "FailedMount"]);
        has(
            &warnings.html(),
            &[
                "BackOff</th><td>Pod</td><td class=\"number\">6</td>\
             <td class=\"number\">3.0</td><td class=\"number\">16</td>",
                "FailedMount</th><td>Pod</td><td class=\"number\">0</td>\
                 <td class=\"number\">–</td>",
            ],
        );
        assert!(!warnings.html().as_str().contains("Pulled"));
    }

    #[test]
    fn a_hostile_reason_is_text() {
        let mut scene = Scene::default();
        let hostile = "</table><script>alert(1)</script>";
        scene.sample(&EVENT_OCCURRENCES_TOTAL, &["Warning", hostile, hostile], 1_u64);
        let html = scene.at(Warnings::at).html();
        assert!(!html.as_str().contains("<script"), "{}", html.as_str());
        has(&html, &["&lt;/table&gt;&lt;script&gt;alert(1)&lt;/script&gt;</th>"]);
    }

    #[test]
    fn there_are_so_many_rows_at_most() {
        let mut scene = Scene::default();
        for n in 0..25 {
            let reason = format!("R{n}");
            scene.sample(&EVENT_OCCURRENCES_TOTAL, &["Warning", "Pod", &reason], 1_u64);
        }
        has(&scene.at(Warnings::at).html(), &["and 15 more reasons"]);
        has(&Scene::default().at(Warnings::at).html(), &["Events are not counted"]);
    }
}
