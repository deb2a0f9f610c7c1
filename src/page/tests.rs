use super::{
    testing::{NOW, Scene, check},
    *,
};
use crate::http::health::Verdict as Checked;

/// What no page may show but as text.
const HOSTILE: &str = "\"'><script src=//evil></script><img onerror=x>&amp;";

/// A scene in which every text that comes from elsewhere is hostile.
fn hostile() -> Scene {
    let mut scene = Scene::default();
    for metric in FAMILIES.iter().filter(|metric| metric.kind.buckets().is_empty()) {
        let labels = vec![HOSTILE; metric.labels.len()];
        scene.sample(metric, &labels, 1_u64);
    }
    for (metric, labels) in [
        (&catalogue::PODS, vec![HOSTILE, "Running"]),
        (&catalogue::NODES, vec!["Ready", HOSTILE]),
        (&catalogue::EVENT_OCCURRENCES_TOTAL, vec!["Warning", HOSTILE, HOSTILE]),
        (&catalogue::CONTAINER_TERMINATIONS_TOTAL, vec![HOSTILE, "OOMKilled"]),
        (&catalogue::PERMISSION_ALLOWED, vec!["list", HOSTILE]),
    ] {
        scene.sample(metric, &labels, 1_u64);
    }
    scene.checks.push(check(HOSTILE, Some(HOSTILE), Checked::NotReady));
    scene.miss(HOSTILE, Some(HOSTILE));
    scene
}

#[test]
fn whatever_comes_from_elsewhere_is_text() {
    let document = hostile().at(|moment| Page::at(moment).document(HOSTILE));
    assert!(document.matches("&lt;script src=//evil&gt;").count() > 10, "{document}");
    for tag in ["<script src=//", "<img onerror"] {
        assert!(!document.contains(tag), "{tag} in {document}");
    }
    // The two scripts of the page itself.
    assert_eq!(document.matches("<script").count(), 2);
}

#[test]
fn a_document_has_no_inline_script_or_style_and_asks_nobody_else() {
    let document = hostile().at(|moment| Page::at(moment).document("0"));
    for wrong in [" style=", "<style", " onclick=", "javascript:", "http://", "https://"] {
        assert!(!document.contains(wrong), "{wrong} in {document}");
    }
    let links = document.split(" href=\"").chain(document.split(" src=\"")).skip(1);
    let absolute: Vec<_> = links.filter(|link| link.starts_with('/')).collect();
    assert!(absolute.is_empty(), "behind a proxy these are elsewhere: {absolute:?}");
}

#[test]
fn a_document_has_one_main_one_heading_of_its_own_and_a_name_for_each_section() {
    let document = Scene::default().at(|moment| Page::at(moment).document("0"));
    for (part, times) in
        [("<main", 1), ("<h1>", 1), ("<nav", 1), ("<footer>", 1), ("<html lang=", 1)]
    {
        assert_eq!(document.matches(part).count(), times, "{part}");
    }
    for labelled in document.split("aria-labelledby=\"").skip(1) {
        let (title, _) = labelled.split_once('"').expect("a quoted value");
        assert!(document.contains(&format!("<h2 id=\"{title}\">")), "{title}");
    }
}

#[test]
fn a_page_has_a_bound_however_large_the_cluster() {
    let mut scene = Scene::default();
    scene.sample(&catalogue::OBJECTS, &["pods"], 1_000_000_u64);
    for n in 0..500 {
        let name = format!("{n:0>60}");
        scene.sample(&catalogue::NAMESPACE_OBJECTS, &[&name, "pods"], 2_000_u64);
        scene.sample(&catalogue::PODS, &[&name, "Running"], 2_000_u64);
        scene.sample(&catalogue::CONTAINER_RESTARTS_TOTAL, &[&name], 3_u64);
        scene.sample(&catalogue::CONTAINERS_WAITING, &[&name, &name], 3_u64);
        scene.sample(&catalogue::EVENT_OCCURRENCES_TOTAL, &["Warning", "Pod", &name], 3_u64);
        scene.sample(&catalogue::AUTH_FAILURES_TOTAL, &["403", "list", &name], 3_u64);
        scene.miss("pods", Some(&name));
    }
    let readings = scene.readings();
    (0..200).for_each(|step| scene.past.step(NOW + 10.0 * f64::from(step), &readings));
    let size = scene.at(|moment| Page::at(moment).document("0")).len();
    assert!(size < 64 * 1024, "{size} bytes");
}

#[test]
fn news_are_the_parts_that_have_changed() {
    let mut scene = Scene::default();
    let parts = |news: &str| -> Vec<String> {
        let json = news.strip_prefix("data: ").and_then(|news| news.strip_suffix("\n\n"));
        let event: serde_json::Value =
            serde_json::from_str(json.expect("one event")).expect("JSON");
        assert_eq!(event["build"], "0.1");
        event["parts"].as_object().expect("parts").keys().cloned().collect()
    };
    let first = scene.at(Page::at);
    let all = parts(&first.news("0.1", None));
    assert_eq!((all.len(), &*all[0], &*all[11]), (12, "verdict", "process"));
    assert_eq!(scene.at(Page::at).news("0.1", Some(&first)), "");
    scene.sample(&catalogue::OBJECTS, &["pods\n\n"], 3_u64);
    assert_eq!(parts(&scene.at(Page::at).news("0.1", Some(&first))), ["objects"]);
}

#[test]
fn every_family_of_a_step_is_one_of_the_page() {
    for metric in past::FAMILIES {
        assert!(FAMILIES.iter().any(|known| known.name == metric.name), "{}", metric.name);
    }
}
