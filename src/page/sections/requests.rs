//! The latency of the API: the last half hour, drawn by the script, and in words for who has none.

use super::{nothing, titled};
use crate::{
    api::Verb,
    exposition::catalogue::{API_CLOCK_SKEW_SECONDS, API_UP},
    page::{
        Moment,
        html::{Cell, Html},
        latency::{Point, quantile, total},
    },
    words::{latency, number, span},
};

/// Clocks that differ by less are shown as alike, in seconds.
const ALIKE: f64 = 0.5;

/// What requests take.
#[derive(Debug)]
pub struct Requests {
    points: Vec<Point>,
    /// By verb: how many requests there were since the start, the median and the 99th percentile.
    verbs: Vec<(&'static str, u64, f64, f64)>,
    servers: Vec<Server>,
}

/// An API server that is probed.
#[derive(Debug)]
struct Server {
    name: String,
    up: bool,
    /// Its clock minus ours, in seconds.
    skew: Option<f64>,
}

impl Requests {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let readings = moment.readings;
        let of_verb = |verb: &&'static str| {
            let counts = total(readings, |of| of == *verb);
            let (median, slow) = (quantile(0.5, &counts)?, quantile(0.99, &counts)?);
            Some((*verb, counts.last().copied()?, median, slow))
        };
        let skews = readings.of(&API_CLOCK_SKEW_SECONDS);
        let server = |name: &str, up| {
            let skew = skews.iter().find(|skew| skew.label(0) == name);
            Server { name: name.into(), up, skew: skew.map(|skew| skew.value) }
        };
        let servers = readings.of(&API_UP).iter();
        Self {
            points: moment.past.latency.points().copied().collect(),
            verbs: Verb::VALUES.iter().filter_map(of_verb).collect(),
            servers: servers.map(|of| server(of.label(0), of.value > 0.0)).collect(),
        }
    }

    /// The API servers that do not answer their probes.
    pub fn down(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().filter(|server| !server.up).map(|server| &*server.name)
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("latency", "API latency");
        out.put("<p class=\"lead\">{}</p>", &[&self.told()]);
        self.chart(&mut out);
        if self.verbs.is_empty() {
            nothing(&mut out, "No request is over yet.");
        } else {
            let columns = ["Request", "#Asked", "#Median", "#99 of 100 within"];
            out.table("Requests since the start, by verb", &columns, self.verbs.iter().map(verb));
        }
        if !self.servers.is_empty() {
            let columns = ["API server", "Probes", "Clock"];
            out.table(
                "API servers that are probed",
                &columns,
                self.servers.iter().map(Server::row),
            );
        }
        out
    }

    /// The chart in words.
    fn told(&self) -> String {
        let last = self.points.last().and_then(|point| Some((point.median?, point.slow?)));
        let Some((median, slow)) = last else {
            return "Nothing was asked in the last minute.".into();
        };
        let worst = self.points.iter().filter_map(|point| point.slow).fold(0.0, f64::max);
        let drawn = self.points.first().zip(self.points.last()).map_or(0, |(a, b)| b.at - a.at);
        #[expect(clippy::cast_precision_loss, reason = "half an hour in seconds")]
        let past = if drawn < 60 { "minute".into() } else { span(drawn as f64) };
        format!(
            "Of the last minute's requests half were answered within {}, 99 of 100 within {}. \
             In the last {past} that was {} at most.",
            latency(median),
            latency(slow),
            latency(worst)
        )
    }

    /// What the script draws: a line of times and one each of medians and of 99th percentiles.
    fn chart(&self, out: &mut Html) {
        let times: Vec<_> = self.points.iter().map(|point| point.at).collect();
        let medians: Vec<_> = self.points.iter().map(|point| millis(point.median)).collect();
        let slow: Vec<_> = self.points.iter().map(|point| millis(point.slow)).collect();
        let points = serde_json::json!([times, medians, slow]);
        out.put(
            "<div id=\"chart\" role=\"img\" aria-label=\"Median and 99th percentile of the API's \
             latency over the last half hour\" data-points=\"{}\"></div>",
            &[&points],
        );
    }
}

impl Server {
    fn row(&self) -> Vec<Cell> {
        let mut state = Html::default();
        match self.up {
            true => state.put("<span class=\"state live\">answered</span>", &[]),
            false => state.put("<span class=\"state absent\">not answered</span>", &[]),
        };
        let clock = match self.skew {
            None => "–".into(),
            Some(skew) if skew.abs() < ALIKE => "as ours".into(),
            Some(skew) if skew > 0.0 => format!("{skew:.1} s ahead of ours"),
            Some(skew) => format!("{:.1} s behind ours", -skew),
        };
        vec![Cell::Name(self.name.clone()), Cell::Piece(state), Cell::Text(clock)]
    }
}

fn verb((verb, asked, median, slow): &(&'static str, u64, f64, f64)) -> Vec<Cell> {
    let name = if *verb == "watch" { "watch, to its headers" } else { verb };
    vec![
        Cell::Name(name.into()),
        Cell::Number(number(*asked)),
        Cell::Number(latency(*median)),
        Cell::Number(latency(*slow)),
    ]
}

/// Seconds as thousandths, to a hundredth of those.
fn millis(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| (seconds * 1e5).round() / 1e2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exposition::{Exposition, catalogue::API_REQUEST_DURATION_SECONDS as TOOK},
        page::{
            past::FAMILIES,
            testing::{NOW, Scene, has},
        },
    };

    #[test]
    fn the_chart_is_told_in_words_and_given_in_points() {
        let mut scene = Scene::default();
        scene.step(NOW - 20.0);
        let mut out = Exposition::reading(FAMILIES);
        // Ten requests: nine within 1 ms, one within 2.5 ms.
        let counts: Vec<u64> = (0..15).map(|bucket| if bucket == 0 { 9 } else { 10 }).collect();
        out.histogram(&TOOK, &["list", "pods"], &counts, 0.01, 10);
        let readings = out.readings();
        scene.past.step(NOW - 10.0, &readings);
        has(
            &scene.at(Requests::at).html(),
            &[
                "half were answered within 0.6 ms, 99 of 100 within 2.4 ms. \
                 In the last minute that was 2.4 ms at most.",
                "data-points=\"[[1795435180,1795435190],[null,0.56],[null,2.35]]\"",
            ],
        );
        (0..6).for_each(|step| scene.past.step(NOW + 10.0 * f64::from(step), &readings));
        has(&scene.at(Requests::at).html(), &["Nothing was asked in the last minute."]);
    }

    #[test]
    fn servers_that_do_not_answer_are_named() {
        let mut scene = Scene::default();
        scene.sample(&API_UP, &["default"], true);
        scene.sample(&API_UP, &["cp-2"], false);
        scene.sample(&API_CLOCK_SKEW_SECONDS, &["default"], -0.1);
        scene.sample(&API_CLOCK_SKEW_SECONDS, &["cp-2"], 3.0);
        let requests = scene.at(Requests::at);
        assert_eq!(requests.down().collect::<Vec<_>>(), ["cp-2"]);
        has(
            &requests.html(),
            &[
                "default</th><td><span class=\"state live\">answered</span></td><td>as ours</td>",
                "cp-2</th><td><span class=\"state absent\">not answered</span></td>\
             <td>3.0 s ahead of ours</td>",
                "Nothing was asked in the last minute.",
                "No request is over yet.",
            ],
        );
    }
}
