//! Whether everything is all right, in words that change only when that does: a screen reader reads
//! them out then.

use super::{
    identity::Identity,
    requests::Requests,
    rights::Rights,
    watches::{State, Watch, Watches},
};
use crate::{
    page::html::Html,
    words::{many, span},
};

/// A certificate that ends sooner is worth a word, in seconds.
const ENDING: f64 = 7.0 * 86_400.0;

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    mood: Mood,
    headline: String,
    /// What else there is to know, the worst first.
    remarks: Vec<String>,
}

/// How bad it is, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    /// All is well.
    Good,
    /// It will be, by itself.
    Soon,
    /// Somebody should look at it.
    Uneasy,
    /// What is shown is old, or will be soon.
    Bad,
}

impl Mood {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Soon => "soon",
            Self::Uneasy => "uneasy",
            Self::Bad => "bad",
        }
    }
}

impl Verdict {
    /// What these come to.
    #[must_use]
    pub fn of(
        watches: &Watches,
        identity: &Identity,
        rights: &Rights,
        requests: &Requests,
    ) -> Self {
        let (mood, headline) = watched(watches);
        let mut remarks: Vec<(Mood, String)> = Vec::new();
        remarks.extend(
            requests
                .down()
                .map(|name| (Mood::Bad, format!("The API server {name} does not answer."))),
        );
        remarks.extend(of_token(identity));
        remarks.extend(of_rights(watches, rights));
        remarks.extend(identity.ending(ENDING).map(of_certificate));
        remarks.sort_by_key(|(mood, _)| std::cmp::Reverse(*mood));
        let worst = remarks.iter().map(|(mood, _)| *mood).max().unwrap_or(Mood::Good);
        let remarks = remarks.into_iter().map(|(_, remark)| remark).collect();
        Self { mood: mood.max(worst), headline, remarks }
    }

    /// What is shown of it.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = Html::default();
        let mood = self.mood.word();
        out.put("<div class=\"verdict {}\"><h1>{}</h1>", &[&mood, &self.headline]);
        for remark in &self.remarks {
            out.put("<p>{}</p>", &[remark]);
        }
        out.put("</div>", &[]);
        out
    }
}

/// What is watched, in one sentence.
fn watched(watches: &Watches) -> (Mood, String) {
    let of = |state| -> Vec<_> { watches.in_state(state).collect() };
    let (broken, listing) = (of(State::Broken), of(State::Listing));
    let live = watches.in_state(State::Live).count();
    match (live, broken.as_slice(), listing.as_slice()) {
        (0, [], []) => (Mood::Bad, "Nothing is watched.".into()),
        (0, [], _) => (Mood::Soon, "Nothing is watched yet.".into()),
        (0, _, _) => (Mood::Bad, "Nothing is watched any more.".into()),
        (_, [], []) => (Mood::Good, "Everything is watched.".into()),
        (_, [], listing) => {
            (Mood::Soon, format!("Not everything is watched yet: {}.", names(listing)))
        }
        (_, broken, _) => {
            (Mood::Uneasy, format!("Not everything is watched any more: {}.", names(broken)))
        }
    }
}

fn names(watches: &[&Watch]) -> String {
    watches.iter().map(|watch| watch.resource.as_str()).collect::<Vec<_>>().join(", ")
}

/// What may not be watched, what cannot, and what may not be done beside.
fn of_rights(watches: &Watches, rights: &Rights) -> Vec<(Mood, String)> {
    let of = |state| -> Vec<_> { watches.in_state(state).collect() };
    let (forbidden, absent) = (of(State::Forbidden), of(State::Absent));
    let mut remarks = Vec::new();
    for (kinds, how) in [(&forbidden, "forbidden"), (&absent, "not served")] {
        if !kinds.is_empty() {
            let kinds_are = many(kinds.len() as u64, "kind is", "kinds are");
            remarks.push((Mood::Uneasy, format!("{kinds_are} {how}: {}.", names(kinds))));
        }
    }
    let told = |resource: &&str| forbidden.iter().any(|watch| watch.resource == **resource);
    let others: Vec<_> = rights.missing().into_iter().filter(|missing| !told(missing)).collect();
    if !others.is_empty() {
        let remark = format!("A right is missing that is needed for {}.", others.join(", "));
        remarks.push((Mood::Uneasy, remark));
    }
    remarks
}

fn of_token(identity: &Identity) -> Option<(Mood, String)> {
    match (identity.token_left(), identity.token_overdue()) {
        (Some(left), _) if left <= 0.0 => Some((Mood::Bad, "The token has expired.".into())),
        (_, Some(overdue)) if overdue > 0.0 => {
            Some((Mood::Uneasy, "The token should have been replaced by now.".into()))
        }
        _ => None,
    }
}

fn of_certificate((whose, left): (&str, f64)) -> (Mood, String) {
    match left > 0.0 {
        true => (Mood::Uneasy, format!("The {whose} certificate ends in {}.", span(left))),
        false => (Mood::Bad, format!("The {whose} certificate has ended.")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{
        exposition::catalogue::{
            API_UP, TLS_NOT_AFTER_TIMESTAMP_SECONDS, TOKEN_EXPIRATION_TIMESTAMP_SECONDS,
            TOKEN_WARN_AFTER_TIMESTAMP_SECONDS, WATCH_CONNECTED, WATCH_SYNCED,
        },
        http::health::Verdict as Checked,
        page::testing::{NOW, Scene, check, has},
    };

    /// A kind, whether it is listed, and whether its watch is open.
    type Kind = (&'static str, Checked, bool);

    fn scene(kinds: &[Kind]) -> Scene {
        let mut scene = Scene::default();
        for (name, verdict, connected) in kinds {
            scene.sample(&WATCH_SYNCED, &[name], u64::from(*verdict == Checked::Ready));
            scene.sample(&WATCH_CONNECTED, &[name], u64::from(*connected));
            let mut told = check(name, Some(name), *verdict);
            told.detail.push_str(if *connected { "" } else { "; next try in 8 s" });
            scene.checks.push(told);
        }
        scene
    }

    fn verdict(scene: &Scene) -> Verdict {
        scene.at(|moment| {
            let (watches, identity) = (Watches::at(moment), Identity::at(moment));
            Verdict::of(&watches, &identity, &Rights::at(moment), &Requests::at(moment))
        })
    }

    const LIVE: Kind = ("pods", Checked::Ready, true);
    const BROKEN: Kind = ("nodes", Checked::Ready, false);
    const LISTING: Kind = ("jobs", Checked::NotReady, false);

    #[rstest]
    #[case::none(&[], Mood::Bad, "Nothing is watched.")]
    #[case::starting(&[LISTING], Mood::Soon, "Nothing is watched yet.")]
    #[case::cut_off(&[BROKEN], Mood::Bad, "Nothing is watched any more.")]
    #[case::all(&[LIVE], Mood::Good, "Everything is watched.")]
    #[case::some(&[LIVE, LISTING], Mood::Soon, "Not everything is watched yet: jobs.")]
    #[case::gone(
        &[LIVE, BROKEN, LISTING],
        Mood::Uneasy,
        "Not everything is watched any more: nodes."
    )]
    fn headlines(#[case] kinds: &[Kind], #[case] mood: Mood, #[case] headline: &str) {
        let verdict = verdict(&scene(kinds));
        assert_eq!((verdict.mood, &*verdict.headline), (mood, headline));
        assert!(verdict.remarks.is_empty(), "{:?}", verdict.remarks);
    }

    #[test]
    fn what_is_forbidden_is_named() {
        let secrets = ("secrets", Checked::Excused, false);
        let mut scene = scene(&[LIVE, secrets]);
        scene.miss("secrets", None);
        let verdict = verdict(&scene);
        assert_eq!((verdict.mood, &*verdict.headline), (Mood::Uneasy, "Everything is watched."));
        assert_eq!(verdict.remarks, ["1 kind is forbidden: secrets."]);
        has(
            &verdict.html(),
            &["<div class=\"verdict uneasy\"><h1>Everything is watched.</h1>\
             <p>1 kind is forbidden: secrets.</p></div>"],
        );
    }

    #[test]
    fn what_cannot_be_watched_and_rights_of_another_sort_are_told_apart() {
        let mut scene = scene(&[LIVE, ("widgets", Checked::Excused, false)]);
        scene.miss("pods", Some("shop"));
        scene.miss("leases", Some("nest"));
        assert_eq!(
            verdict(&scene).remarks,
            [
                "1 kind is not served: widgets.",
                "A right is missing that is needed for leases, pods."
            ]
        );
    }

    #[rstest]
    #[case::good(100.0, 10.0, Mood::Good, &[])]
    #[case::overdue(100.0, -180.0, Mood::Uneasy, &["The token should have been replaced by now."])]
    #[case::expired(-30.0, -180.0, Mood::Bad, &["The token has expired."])]
    fn tokens(
        #[case] left: f64,
        #[case] replace_in: f64,
        #[case] mood: Mood,
        #[case] remarks: &[&str],
    ) {
        let mut scene = scene(&[LIVE]);
        scene.sample(&TOKEN_EXPIRATION_TIMESTAMP_SECONDS, &[], NOW + left);
        scene.sample(&TOKEN_WARN_AFTER_TIMESTAMP_SECONDS, &[], NOW + replace_in);
        let verdict = verdict(&scene);
        let expected = remarks.iter().map(ToString::to_string).collect();
        assert_eq!((verdict.mood, verdict.remarks), (mood, expected));
    }

    #[test]
    fn the_worst_comes_first() {
        let mut scene = scene(&[LIVE]);
        scene.miss("leases", None);
        scene.sample(&API_UP, &["cp-1"], false);
        scene.sample(&TLS_NOT_AFTER_TIMESTAMP_SECONDS, &["server"], NOW + 86_400.0 * 3.0);
        scene.sample(&TLS_NOT_AFTER_TIMESTAMP_SECONDS, &["ca"], NOW + 86_400.0 * 300.0);
        let verdict = verdict(&scene);
        assert_eq!(verdict.mood, Mood::Bad);
        assert_eq!(
            verdict.remarks,
            [
                "The API server cp-1 does not answer.",
                "A right is missing that is needed for leases.",
                "The server certificate ends in 3 days.",
            ]
        );
    }
}
