//! What the API server has refused us: 401 and 403.

use super::{more, nothing, titled};
use crate::{
    exposition::catalogue::{AUTH_FAILURES_TOTAL, AUTH_UNAUTHORIZED_TOTAL},
    page::{
        Moment, ROWS,
        html::{Cell, Html},
        past::SPAN,
    },
    words::number,
};

/// The answers 401 and 403.
#[derive(Debug)]
pub struct Refusals {
    answers: Vec<Refused>,
    left: usize,
    /// What 401s are explained by, and how often.
    causes: Vec<(String, u64)>,
}

/// What was refused.
#[derive(Debug)]
struct Refused {
    code: String,
    verb: String,
    resource: String,
    growth: u64,
    total: u64,
}

impl Refusals {
    /// Those of a moment: first what has been refused most of late, then what has at all.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let Moment { readings, past, .. } = *moment;
        let mut answers: Vec<_> = past
            .counters(&AUTH_FAILURES_TOTAL, readings)
            .map(|(reading, growth)| Refused {
                code: reading.label(0).into(),
                verb: reading.label(1).into(),
                resource: reading.label(2).into(),
                growth,
                total: reading.count(),
            })
            .filter(|refused| refused.total > 0)
            .collect();
        answers.sort_by_key(|refused| std::cmp::Reverse((refused.growth, refused.total)));
        let left = answers.len().saturating_sub(ROWS);
        answers.truncate(ROWS);
        let causes = readings.of(&AUTH_UNAUTHORIZED_TOTAL).iter();
        let causes = causes.filter(|cause| cause.value > 0.0);
        let causes = causes.map(|cause| (cause.label(0).to_owned(), cause.count())).collect();
        Self { answers, left, causes }
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("refusals", "Auth failures");
        if self.answers.is_empty() {
            nothing(&mut out, "Nothing was refused since this daemon started.");
            return out;
        }
        let columns = ["Answer", "Asked", "#Lately", "#In all"];
        let caption = format!("Answers 401 and 403: lately is {SPAN}, in all is since the start");
        out.table(&caption, &columns, self.answers.iter().map(Refused::row));
        more(&mut out, self.left, "kinds of requests");
        if !self.causes.is_empty() {
            out.put("<h3>Why 401</h3><ul class=\"chips\">", &[]);
            for (cause, count) in &self.causes {
                out.put("<li>{} <b>{}</b></li>", &[cause, &number(*count)]);
            }
            out.put("</ul>", &[]);
        }
        out
    }
}

impl Refused {
    fn row(&self) -> Vec<Cell> {
        let meaning = if self.code == "401" { "who are you?" } else { "you may not" };
        let mut answer = Html::default();
        answer.put("{} <small>{}</small>", &[&self.code, &meaning]);
        vec![
            Cell::Piece(answer),
            Cell::Text(format!("{} {}", self.verb, self.resource)),
            Cell::Number(number(self.growth)),
            Cell::Number(number(self.total)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, Scene, has};

    #[test]
    fn refusals_are_shown_with_what_was_asked() {
        let mut scene = Scene::default();
        scene.sample(&AUTH_FAILURES_TOTAL, &["401", "list", "pods"], 0_u64);
        scene.sample(&AUTH_FAILURES_TOTAL, &["403", "list", "secrets"], 2_u64);
        scene.step(NOW);
        scene.sample(&AUTH_FAILURES_TOTAL, &["403", "list", "secrets"], 5_u64);
        scene.sample(&AUTH_UNAUTHORIZED_TOTAL, &["expired"], 4_u64);
        scene.sample(&AUTH_UNAUTHORIZED_TOTAL, &["unknown"], 0_u64);
        let html = scene.at(Refusals::at).html();
        has(
            &html,
            &[
                "403 <small>you may not</small></td><td>list secrets</td>\
             <td class=\"number\">3</td><td class=\"number\">5</td>",
                "<li>expired <b>4</b></li>",
            ],
        );
        assert!(!html.as_str().contains("unknown") && !html.as_str().contains("401 <small>"));
    }

    #[test]
    fn nothing_refused_is_said() {
        has(&Scene::default().at(Refusals::at).html(), &["Nothing was refused"]);
    }
}
