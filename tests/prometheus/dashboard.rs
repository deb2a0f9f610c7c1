//! The dashboard as a file: that it has the shape which Grafana and its readers want.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{Test, promql, read};

pub const TESTS: &[(&str, Test)] = &[
    ("panels_say_what_they_show", panels_say_what_they_show),
    ("panels_share_the_grid", panels_share_the_grid),
    ("panels_show_what_the_variables_choose", panels_show_what_the_variables_choose),
    ("legends_name_labels_that_are_left", legends_name_labels_that_are_left),
];

/// A dashboard, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    uid: String,
    schema_version: u32,
    pub templating: Templating,
    pub panels: Vec<Panel>,
}

#[derive(Deserialize)]
pub struct Templating {
    pub list: Vec<Variable>,
}

#[derive(Deserialize)]
pub struct Variable {
    pub name: String,
    #[serde(rename = "type")]
    kind: String,
    /// Of the datasource's own form, such as `label_values(…)`.
    #[serde(default)]
    pub definition: String,
    datasource: Option<Datasource>,
}

#[derive(Deserialize, PartialEq, Debug)]
struct Datasource {
    #[serde(rename = "type")]
    kind: String,
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    id: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    #[serde(default)]
    description: String,
    datasource: Option<Datasource>,
    grid_pos: Place,
    field_config: Option<FieldConfig>,
    #[serde(default)]
    pub targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

#[derive(Deserialize)]
struct FieldConfig {
    defaults: Defaults,
}

#[derive(Deserialize)]
struct Defaults {
    #[serde(default)]
    unit: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub expr: String,
    legend_format: String,
    datasource: Datasource,
}

impl Dashboard {
    /// The one that is shipped.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn overview() -> Self {
        serde_json::from_str(&read("dashboards/overview.json")).expect("a dashboard")
    }

    /// The panels that show something.
    pub fn shown(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().filter(|panel| panel.kind != "row")
    }
}

fn panels_say_what_they_show() {
    let dashboard = Dashboard::overview();
    assert!(!dashboard.uid.is_empty());
    // That of Grafana 11.0; a later Grafana brings it up to its own.
    assert_eq!(dashboard.schema_version, 39);
    let variables: Vec<_> =
        dashboard.templating.list.iter().map(|v| (v.name.as_str(), v.kind.as_str())).collect();
    assert_eq!(variables, [("datasource", "datasource"), ("job", "query"), ("namespace", "query")]);
    let chosen = Datasource { kind: "prometheus".into(), uid: "${datasource}".into() };
    for variable in &dashboard.templating.list[1..] {
        assert_eq!(variable.datasource.as_ref(), Some(&chosen), "{}", variable.name);
    }
    let [mut ids, mut titles] = [BTreeSet::new(), BTreeSet::new()];
    for panel in &dashboard.panels {
        assert!(ids.insert(panel.id.to_string()), "id {} twice", panel.id);
        assert!(titles.insert(panel.title.clone()), "title {} twice", panel.title);
    }
    assert!(dashboard.shown().count() > 0);
    for panel in dashboard.shown() {
        let title = &panel.title;
        assert!(panel.description.ends_with('.'), "{title} has no description");
        let unit = panel.field_config.as_ref().map(|config| config.defaults.unit.as_str());
        assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title} has no unit");
        assert_eq!(panel.datasource.as_ref(), Some(&chosen), "{title}");
        assert!(!panel.targets.is_empty(), "{title} asks for nothing");
        assert!(panel.targets.iter().all(|target| target.datasource == chosen), "{title}");
    }
}

fn panels_share_the_grid() {
    const COLUMNS: u32 = 24;
    let dashboard = Dashboard::overview();
    let mut taken = BTreeSet::new();
    for panel in &dashboard.panels {
        let Place { x, y, w, h } = panel.grid_pos;
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{} does not fit", panel.title);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} lies on another", panel.title);
        }
    }
}

fn panels_show_what_the_variables_choose() {
    // Requests are few: a watch lasts for minutes.
    const LONG: [&str; 2] = ["Request duration", "15m"];
    for panel in Dashboard::overview().shown() {
        for target in &panel.targets {
            let names = promql::names(&target.expr);
            for range in &names.ranges {
                let fits = range == "$__rate_interval" || [panel.title.as_str(), range] == LONG;
                assert!(fits, "{}: a range of {range}", panel.title);
            }
            for selector in names.selectors.iter().filter(|s| s.metric != "ALERTS") {
                let chosen = |label: &str| {
                    let value = format!("${label}");
                    let by = |m: &promql::Matcher| m.label == label && m.operator == "=~";
                    selector.matchers.iter().any(|m| by(m) && m.value == value)
                };
                let metric = &selector.metric;
                assert!(chosen("job"), "{}: {metric} of any job", panel.title);
                let namespaced = kubetally::exposition::catalogue::ALL.iter().any(|declared| {
                    declared.name == metric && declared.label_names().contains(&"namespace")
                });
                assert_eq!(namespaced, chosen("namespace"), "{}: {metric}", panel.title);
            }
        }
    }
}

fn legends_name_labels_that_are_left() {
    for panel in Dashboard::overview().shown() {
        for Target { expr, legend_format, .. } in &panel.targets {
            let grouping = promql::names(expr).grouping;
            let labels = legend_format.split("{{").skip(1).map(|part| part.split("}}").next());
            let named: BTreeSet<_> =
                labels.flatten().map(|label| label.trim().to_owned()).collect();
            let shown = |label: &&String| label.as_str() != "le";
            let left: BTreeSet<_> = grouping.iter().filter(shown).cloned().collect();
            assert_eq!(named, left, "{}: {expr}", panel.title);
        }
    }
}
