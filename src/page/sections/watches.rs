//! Each kind that is watched: how its watch is, and how fresh what is known.

use super::{nothing, titled};
use crate::{
    exposition::{
        catalogue::{
            OBJECTS, WATCH_CONNECTED, WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS, WATCH_SYNCED,
        },
        readings::Readings,
    },
    http::health::{Check, Verdict},
    page::{
        Moment,
        html::{Cell, Html},
    },
    watch::{Activity, NEXT_TRY},
    words::{ago, number},
};

/// All that is watched.
#[derive(Debug)]
pub struct Watches(pub Vec<Watch>);

/// The watches of one kind, of which the worst one counts.
#[derive(Debug)]
pub struct Watch {
    /// The kind.
    pub resource: String,
    /// How it is.
    pub state: State,
    /// How long ago anything was heard of the server, in seconds.
    heard: Option<f64>,
    /// How long ago an object arrived, in seconds.
    changed: Option<f64>,
    objects: Option<u64>,
    /// Why it is not as it should be.
    detail: String,
}

/// How a kind's watches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All are open, or about to be: the API server ends each every few minutes.
    Live,
    /// What is known is being kept, and one cannot be opened again.
    Broken,
    /// A first list is not complete.
    Listing,
    /// It may not be watched, somewhere at least.
    Forbidden,
    /// It cannot be watched, as the API server does not serve it.
    Absent,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Broken => "reconnecting",
            Self::Listing => "listing",
            Self::Forbidden => "forbidden",
            Self::Absent => "absent",
        }
    }
}

impl Watches {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let all = moment.readings.of(&WATCH_SYNCED).iter();
        Self(all.map(|reading| Watch::at(moment, reading.label(0))).collect())
    }

    /// The kinds whose watches are in this state.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Watch> {
        self.0.iter().filter(move |watch| watch.state == state)
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("watches", "Watches");
        if self.0.is_empty() {
            nothing(&mut out, "Nothing is watched yet.");
            return out;
        }
        let columns = ["Kind", "Watch", "#Heard from", "#Changed", "#Objects"];
        let rows = self.0.iter().map(Watch::row);
        out.table("What is watched, and how fresh it is", &columns, rows);
        out
    }
}

impl Watch {
    fn at(moment: &Moment<'_>, resource: &str) -> Self {
        let checks: Vec<_> = moment
            .checks
            .iter()
            .filter(|check| check.resource.as_deref() == Some(resource))
            .collect();
        let of = |verdict| checks.iter().find(|check| check.verdict == verdict).copied();
        let forbidden = moment.missing.keys().any(|(about, _)| about == resource);
        let (state, why) = match (of(Verdict::NotReady), of(Verdict::Excused)) {
            (Some(check), _) => (State::Listing, Some(check)),
            (None, Some(check)) if forbidden => (State::Forbidden, Some(check)),
            (None, Some(check)) => (State::Absent, Some(check)),
            (None, None) if is_connected(moment.readings, resource) => (State::Live, None),
            (None, None) if checks.iter().all(|check| is_well(check)) => (State::Live, None),
            (None, None) => (State::Broken, checks.iter().find(|check| !is_well(check)).copied()),
        };
        let detail = match (state, why) {
            (State::Forbidden, _) => "see Rights".into(),
            (_, Some(check)) => told(check, checks.len() > 1),
            (_, None) => String::new(),
        };
        let age = |activity| age(moment, resource, activity);
        let heard = Activity::ALL.iter().filter_map(|activity| age(*activity)).reduce(f64::min);
        let objects = moment.readings.of(&OBJECTS).iter().find(|of| of.label(0) == resource);
        Self {
            resource: resource.into(),
            state,
            heard,
            changed: age(Activity::Object),
            objects: objects.map(|objects| objects.count()),
            detail,
        }
    }

    fn row(&self) -> Vec<Cell> {
        let known = |age: Option<f64>| age.map_or_else(|| "–".into(), ago);
        let word = self.state.word();
        let mut state = Html::default();
        state.put("<span class=\"state {}\">{}</span>", &[&word, &word]);
        if !self.detail.is_empty() {
            state.put(" <small>{}</small>", &[&self.detail]);
        }
        vec![
            Cell::Name(self.resource.clone()),
            Cell::Piece(state),
            Cell::Number(known(self.heard)),
            Cell::Number(known(self.changed)),
            Cell::Number(self.objects.map_or_else(|| "–".into(), number)),
        ]
    }
}

fn is_well(check: &Check) -> bool {
    !check.detail.contains(NEXT_TRY)
}

fn told(check: &Check, of_several: bool) -> String {
    match of_several {
        true => format!("{}: {}", check.name, check.detail),
        false => check.detail.clone(),
    }
}

fn is_connected(readings: &Readings, resource: &str) -> bool {
    readings.of(&WATCH_CONNECTED).iter().any(|of| of.label(0) == resource && of.value > 0.0)
}

fn age(moment: &Moment<'_>, resource: &str, activity: Activity) -> Option<f64> {
    let all = moment.readings.of(&WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS);
    let ours = |labels: [&str; 2]| labels == [resource, activity.as_str()];
    let last = all.iter().find(|of| ours([of.label(0), of.label(1)]))?;
    Some((moment.now - last.value).max(0.0))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::page::testing::{NOW, Scene, check};

    #[rstest]
    #[case::live(true, Verdict::Ready, false, State::Live, "")]
    #[case::opened_again(false, Verdict::Ready, false, State::Live, "")]
    #[case::listing(false, Verdict::NotReady, false, State::Listing, "pods is told")]
    #[case::forbidden(false, Verdict::Excused, true, State::Forbidden, "see Rights")]
    #[case::absent(false, Verdict::Excused, false, State::Absent, "pods is told")]
    #[case::revoked_while_it_goes_on(true, Verdict::Ready, true, State::Live, "")]
    fn states(
        #[case] connected: bool,
        #[case] verdict: Verdict,
        #[case] missing: bool,
        #[case] state: State,
        #[case] detail: &str,
    ) {
        let mut scene = Scene::default();
        scene.sample(&WATCH_SYNCED, &["pods"], u64::from(verdict == Verdict::Ready));
        scene.sample(&WATCH_CONNECTED, &["pods"], u64::from(connected));
        scene.checks.push(check("pods", Some("pods"), verdict));
        if missing {
            scene.miss("pods", None);
        }
        let [watch] = scene.at(Watches::at).0.try_into().expect("one kind");
        assert_eq!(watch.state, state);
        assert!(watch.detail.starts_with(detail) && watch.detail.is_empty() == detail.is_empty());
    }

    #[test]
    fn a_watch_that_is_opened_again_is_live_unless_that_fails() {
        let mut scene = Scene::default();
        scene.sample(&WATCH_SYNCED, &["pods"], 1_u64);
        scene.sample(&WATCH_CONNECTED, &["pods"], 0_u64);
        for (namespace, detail, state) in
            [("a", "watching", State::Live), ("b", "no answer; next try in 8 s", State::Broken)]
        {
            let name = format!("pods in {namespace}");
            let check = check(&name, Some("pods"), Verdict::Ready);
            scene.checks.push(Check { detail: detail.into(), ..check });
            let [watch] = scene.at(Watches::at).0.try_into().expect("one kind");
            assert_eq!(watch.state, state);
            assert_eq!(watch.detail.starts_with("pods in b: no answer"), state == State::Broken);
        }
    }

    #[test]
    fn one_namespace_speaks_for_its_kind() {
        let mut scene = Scene::default();
        scene.sample(&WATCH_SYNCED, &["pods"], 0_u64);
        scene.checks.push(check("pods in a", Some("pods"), Verdict::Ready));
        scene.checks.push(check("pods in b", Some("pods"), Verdict::NotReady));
        scene.checks.push(check("probe of default", None, Verdict::Excused));
        let [watch] = scene.at(Watches::at).0.try_into().expect("one kind");
        assert_eq!((watch.state, &*watch.detail), (State::Listing, "pods in b: pods in b is told"));
    }

    #[test]
    fn freshness_is_that_of_the_latest_sign() {
        let mut scene = Scene::default();
        scene.sample(&WATCH_SYNCED, &["pods"], 1_u64);
        scene.sample(&OBJECTS, &["pods"], 1_200_u64);
        for (kind, at) in
            [("object", NOW - 90.0), ("transport", NOW - 3.0), ("bookmark", NOW + 9.0)]
        {
            scene.sample(&WATCH_LAST_ACTIVITY_TIMESTAMP_SECONDS, &["pods", kind], at);
        }
        let html = scene.at(|moment| Watches::at(moment).html());
        for cell in ["1,200", "90 s ago", "now"] {
            let cell = format!("<td class=\"number\">{cell}</td>");
            assert!(html.as_str().contains(&cell), "no {cell} in {}", html.as_str());
        }
    }
}
