//! What the dashboards share: variables, annotations, links to each other, rows of panels.

use serde_json::{Value, json};

use crate::panel::{COLUMNS, Panel, source, with_variables};

/// A dashboard, to be written as Grafana's JSON.
pub struct Dashboard {
    /// Of its file, and at the end of its uid.
    pub name: &'static str,
    pub title: &'static str,
    /// One sentence or more: what it is for.
    pub about: &'static str,
    pub rows: Vec<Row>,
}

/// A row of panels, under its own headline.
pub struct Row {
    title: &'static str,
    collapsed: bool,
    panels: Vec<Panel>,
}

/// A row that is open at first.
pub fn row<const N: usize>(title: &'static str, panels: [Panel; N]) -> Row {
    Row { title, collapsed: false, panels: panels.into() }
}

/// A row that is opened by a click; until then its queries are not run.
pub fn folded<const N: usize>(title: &'static str, panels: [Panel; N]) -> Row {
    Row { collapsed: true, ..row(title, panels) }
}

impl Dashboard {
    /// The JSON that Grafana imports.
    pub fn json(&self) -> Value {
        let panels = place(&self.rows);
        let namespaced = self.rows.iter().flat_map(|row| &row.panels).any(Panel::is_namespaced);
        json!({
            "uid": format!("kubetally-{}", self.name),
            "title": format!("Kubetally / {}", self.title),
            "description": self.about,
            "tags": ["kubetally", "kubernetes"],
            // That of Grafana 12 and 13. What came since that of Grafana 11, 39, concerns nothing
            // here.
            "schemaVersion": 42,
            "version": 1,
            "editable": false,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timepicker": {},
            "annotations": {"list": annotations()},
            "links": [{
                "type": "dashboards",
                "title": "Kubetally",
                "tags": ["kubetally"],
                "asDropdown": false,
                "icon": "external link",
                "includeVars": true,
                "keepTime": true,
                "targetBlank": false,
                "tooltip": "",
                "url": "",
            }],
            "templating": {"list": variables(namespaced)},
            "panels": panels,
        })
    }
}

/// Lays panels from left to right and from top to bottom, in lines of the grid.
fn place(rows: &[Row]) -> Vec<Value> {
    let mut placed = Vec::new();
    let [mut y, mut id] = [0, 0];
    let mut next = || {
        id += 1;
        id
    };
    for row in rows {
        let mut head = json!({
            "id": next(),
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "panels": [],
        });
        y += 1;
        let below_head = y;
        let mut panels = Vec::new();
        let [mut x, mut height] = [0, 0];
        for panel in &row.panels {
            if x + panel.width > COLUMNS {
                y += height;
                [x, height] = [0, 0];
            }
            panels.push(panel.json(next(), x, y));
            x += panel.width;
            height = height.max(panel.height);
        }
        y += height;
        if row.collapsed {
            // It takes no room until it is opened, and then what is below it moves.
            y = below_head;
            head["panels"] = panels.into();
            placed.push(head);
        } else {
            placed.push(head);
            placed.extend(panels);
        }
    }
    placed
}

fn variables(namespaced: bool) -> [Value; 4] {
    let chosen = |name: &str, all: &str, query: &str| {
        let label = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": source(),
            "definition": query,
            "query": {"qryType": 1, "query": query, "refId": "Variable"},
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
            "includeAll": true,
            "allValue": all,
            "multi": true,
            // With each change of the range of time.
            "refresh": 2,
            "regex": "",
            "sort": 1,
            "hide": 0,
            "options": [],
            "skipUrlSync": false,
        })
    };
    let datasource = json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"selected": false, "text": "default", "value": "default"},
        "includeAll": false,
        "multi": false,
        "refresh": 1,
        "regex": "",
        "hide": 0,
        "options": [],
        "skipUrlSync": false,
    });
    // A Prometheus of one cluster gives no label cluster: all of them are then those without.
    let cluster = chosen("cluster", ".*", "label_values(kubetally_build_info, cluster)");
    let job =
        chosen("job", ".+", r#"label_values(kubetally_build_info{cluster=~"$cluster"}, job)"#);
    let of = with_variables("label_values(kubetally_pods{@}, namespace)");
    let mut namespace = chosen("namespace", ".+", &of);
    if !namespaced {
        // Where nothing is of a namespace, it is only carried on by the links.
        namespace["hide"] = 2.into();
    }
    [datasource, cluster, job, namespace]
}

/// What happened to Kubetally itself, marked in every graph.
fn annotations() -> [Value; 5] {
    let mark = |name: &str, color: &str, shown: bool, expr: &str, text: &str| {
        json!({
            "name": name,
            "datasource": source(),
            "enable": shown,
            "hide": false,
            "iconColor": color,
            "expr": with_variables(expr),
            "titleFormat": name,
            "textFormat": text,
        })
    };
    let own = json!({
        "builtIn": 1,
        "name": "Annotations & Alerts",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": true,
        "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)",
        "type": "dashboard",
    });
    [
        own,
        mark(
            "Starts",
            "green",
            true,
            "time() - process_start_time_seconds{@} < 60",
            "Kubetally started: {{instance}}",
        ),
        mark(
            "Reloads",
            "blue",
            true,
            "changes(kubetally_config_last_reload_success_timestamp_seconds{@}[$__rate_interval]) \
             > 0",
            "The configuration was read again: {{instance}}",
        ),
        mark(
            "Relists",
            "orange",
            true,
            "sum by (resource, cause) \
             (increase(kubetally_watch_relists_total{@}[$__rate_interval])) > 0",
            "{{resource}} were listed again: {{cause}}",
        ),
        // Once an hour in a cluster: shown where somebody asks for it.
        mark(
            "Tokens",
            "purple",
            false,
            "sum by (trigger) (increase(kubetally_token_reloads_total{@, \
             result=\"rotated\"}[$__rate_interval])) > 0",
            "The token was replaced, noticed by {{trigger}}",
        ),
    ]
}
