//! The dashboards as files: that they have the shape which Grafana, its dashboard linter and their
//! readers want. The rules of the linter (github.com/grafana/dashboard-linter) are held here and in
//! `queries`, but for those that `dashboards/.lint` excludes with a reason; whether Grafana knows
//! every field, `tests/dashboards` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{Test, file};

pub const TESTS: &[(&str, Test)] = &[
    ("dashboards_are_alike", dashboards_are_alike),
    ("variables_are_what_the_linter_wants", variables_are_what_the_linter_wants),
    ("panels_say_what_they_show", panels_say_what_they_show),
    ("panels_share_the_grid", panels_share_the_grid),
    ("links_lead_to_dashboards", links_lead_to_dashboards),
];

/// The units of Grafana that are used.
const UNITS: [&str; 8] = ["none", "short", "percentunit", "s", "bytes", "cpm", "cps", "reqps"];

/// A dashboard, as far as it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Of its file, without the extension.
    #[serde(skip)]
    pub name: String,
    uid: String,
    title: String,
    description: String,
    tags: Vec<String>,
    schema_version: u32,
    editable: bool,
    refresh: String,
    pub annotations: List<Annotation>,
    pub templating: List<Variable>,
    panels: Vec<Panel>,
}

#[derive(Deserialize)]
pub struct List<T> {
    pub list: Vec<T>,
}

#[derive(Deserialize)]
pub struct Annotation {
    pub name: String,
    /// Of Grafana's own, none.
    pub expr: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    pub name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    /// Of the data source's own form, such as `label_values(…)`.
    #[serde(default)]
    pub definition: String,
    datasource: Option<Datasource>,
    /// What stands for all values.
    #[serde(default)]
    pub all_value: String,
    multi: bool,
    refresh: u32,
    hide: u32,
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
    links: Vec<Link>,
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Those of a row that is folded.
    #[serde(default)]
    panels: Vec<Panel>,
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
    unit: String,
    thresholds: Value,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    title: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub expr: String,
    pub format: String,
    pub legend_format: String,
    datasource: Datasource,
}

impl Dashboard {
    /// Those that are shipped.
    ///
    /// # Panics
    /// Where one cannot be read.
    pub fn all() -> Vec<Self> {
        let files = fs::read_dir(file("dashboards")).expect("a folder");
        let paths = files.map(|entry| entry.expect("a file").path());
        let mut all: Vec<Self> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| {
                let text = fs::read_to_string(&path).expect("text");
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                let read = serde_json::from_str(&text);
                Self { name, ..read.unwrap_or_else(|error| panic!("{}: {error}", path.display())) }
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Every panel and row, those of folded rows included.
    fn everything(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().flat_map(|panel| std::iter::once(panel).chain(&panel.panels))
    }

    /// The panels that show something.
    pub fn shown(&self) -> impl Iterator<Item = &Panel> {
        self.everything().filter(|panel| panel.kind != "row")
    }

    /// The variables that Prometheus is asked for.
    pub fn queried(&self) -> &[Variable] {
        &self.templating.list[1..]
    }

    /// Every query, each with what asks it.
    pub fn queries(&self) -> impl Iterator<Item = (String, &str)> {
        let panels = self.shown().flat_map(|panel| {
            let at = format!("{}: {}", self.name, panel.title);
            panel.targets.iter().map(move |target| (at.clone(), target.expr.as_str()))
        });
        let annotations = self.annotations.list.iter().filter_map(|annotation| {
            // All dashboards have the same ones.
            Some((format!("annotation {}", annotation.name), annotation.expr.as_deref()?))
        });
        panels.chain(annotations)
    }
}

fn chosen() -> Datasource {
    Datasource { kind: "prometheus".into(), uid: "${datasource}".into() }
}

fn dashboards_are_alike() {
    let all = Dashboard::all();
    let names: Vec<_> = all.iter().map(|dashboard| dashboard.name.as_str()).collect();
    assert_eq!(names, ["api", "events", "overview", "watches", "workloads"]);
    for dashboard in &all {
        let name = &dashboard.name;
        assert_eq!(dashboard.uid, format!("kubetally-{name}"));
        assert!(dashboard.title.starts_with("Kubetally / "), "{name}: {}", dashboard.title);
        assert!(dashboard.description.ends_with('.'), "{name} has no description");
        assert_eq!(dashboard.tags, ["kubetally", "kubernetes"], "{name}");
        assert_eq!(dashboard.schema_version, 42, "{name}");
        assert!(!dashboard.editable, "{name} is edited in dashboards/source");
        assert_eq!(dashboard.refresh, "30s", "{name}");
    }
    let verdict: Vec<_> = all[2].panels.iter().take(2).map(|panel| panel.title.as_str()).collect();
    assert_eq!(verdict, ["Is everything all right?", "Verdict"]);
}

fn variables_are_what_the_linter_wants() {
    for dashboard in Dashboard::all() {
        let name = &dashboard.name;
        let variables = &dashboard.templating.list;
        let kinds: Vec<_> = variables.iter().map(|v| (v.label.as_str(), v.kind.as_str())).collect();
        let expected = [("Data source", "datasource"), ("Cluster", "query"), ("Job", "query")];
        assert_eq!(kinds[..3], expected, "{name}");
        assert_eq!(kinds[3..], [("Namespace", "query")], "{name}");
        assert_eq!(variables[0].name, "datasource", "{name}");
        for variable in dashboard.queried() {
            assert_eq!(variable.name, variable.label.to_lowercase(), "{name}");
            assert_eq!(variable.datasource, Some(chosen()), "{name}: {}", variable.name);
            assert!(variable.multi, "{name}: one {} only", variable.name);
            assert_eq!(variable.refresh, 2, "{name}: {} stays as it was", variable.name);
            // Only of a cluster there may be none.
            let all = if variable.name == "cluster" { ".*" } else { ".+" };
            assert_eq!(variable.all_value, all, "{name}: {}", variable.name);
        }
        let namespaced = dashboard.queries().any(|(_, expr)| expr.contains("$namespace"));
        assert_eq!(variables[3].hide == 0, namespaced, "{name}: a choice without effect");
    }
}

fn panels_say_what_they_show() {
    for dashboard in Dashboard::all() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard.everything() {
            let at = format!("{}: {}", dashboard.name, panel.title);
            assert!(ids.insert(panel.id), "{at}: id {} twice", panel.id);
            let title = (panel.kind == "row", &panel.title);
            assert!(titles.insert(title), "{at} twice");
        }
        for panel in dashboard.shown() {
            let at = format!("{}: {}", dashboard.name, panel.title);
            assert!(panel.description.ends_with('.'), "{at} has no description");
            let defaults = &panel.field_config.as_ref().expect("a configuration").defaults;
            assert!(UNITS.contains(&defaults.unit.as_str()), "{at}: unit {}", defaults.unit);
            let steps = defaults.thresholds["steps"].as_array();
            assert!(steps.is_some_and(|steps| !steps.is_empty()), "{at} has no thresholds");
            assert_eq!(panel.datasource, Some(chosen()), "{at}");
            assert!(!panel.targets.is_empty(), "{at} asks for nothing");
            assert!(panel.targets.iter().all(|target| target.datasource == chosen()), "{at}");
            let format = match panel.kind.as_str() {
                kind @ ("heatmap" | "table") => kind,
                _ => "time_series",
            };
            assert!(panel.targets.iter().all(|target| target.format == format), "{at}");
        }
    }
}

fn panels_share_the_grid() {
    const COLUMNS: u32 = 24;
    for dashboard in Dashboard::all() {
        // A folded row has a grid of its own.
        let folded = dashboard.panels.iter().map(|row| &row.panels);
        for grid in folded.chain([&dashboard.panels]) {
            let mut taken = BTreeSet::new();
            for panel in grid {
                let at = format!("{}: {}", dashboard.name, panel.title);
                let Place { x, y, w, h } = panel.grid_pos;
                assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{at} does not fit");
                for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                    assert!(taken.insert(cell), "{at} lies on another");
                }
            }
        }
    }
}

fn links_lead_to_dashboards() {
    let all = Dashboard::all();
    let titles: BTreeMap<_, _> =
        all.iter().map(|dashboard| (dashboard.uid.as_str(), dashboard.title.as_str())).collect();
    for dashboard in &all {
        for panel in dashboard.shown() {
            let values = panel.field_config.iter().flat_map(|config| &config.defaults.links);
            for Link { title, url } in panel.links.iter().chain(values) {
                let at = format!("{}: {}", dashboard.name, panel.title);
                let parts = url.strip_prefix("/d/").and_then(|rest| rest.split_once('?'));
                let (uid, carried) = parts.unwrap_or_else(|| panic!("{at}: {url}"));
                let found = titles.get(uid).unwrap_or_else(|| panic!("{at}: {url} leads nowhere"));
                assert_eq!(*found, format!("Kubetally / {title}"), "{at}");
                assert_eq!(carried, "${__url_time_range}&${__all_variables}", "{at}");
                assert_ne!(uid, dashboard.uid, "{at} leads to itself");
            }
        }
    }
    // From the symptoms that stand first.
    let led: BTreeSet<_> =
        all[2].shown().flat_map(|panel| &panel.links).map(|link| link.title.as_str()).collect();
    let others: BTreeSet<_> = ["API and authentication", "Events", "Watches", "Workloads"].into();
    assert_eq!(led, others);
}
