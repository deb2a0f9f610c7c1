//! A panel of a dashboard: how each type of it looks, and what can be said of it.

use serde_json::{Map, Value, json};

/// The width of Grafana's grid.
pub const COLUMNS: u32 = 24;

/// A panel without its place.
pub struct Panel {
    json: Value,
    pub width: u32,
    pub height: u32,
}

/// The data source that the variable chooses.
pub fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Fills in the matchers of the variables: `@` is those of every series, `@ns` also that of the
/// series that have a namespace.
pub fn with_variables(expr: &str) -> String {
    expr.replace("@ns", r#"@, namespace=~"$namespace""#)
        .replace('@', r#"cluster=~"$cluster", job=~"$job""#)
}

fn panel(kind: &str, title: &str, about: &str, [width, height]: [u32; 2]) -> Panel {
    let json = json!({
        "id": 0,
        "type": kind,
        "title": title,
        "description": about,
        "datasource": source(),
        "gridPos": {},
        "links": [],
        "pluginVersion": "11.0.0",
        "fieldConfig": {
            "defaults": {
                "unit": "short",
                "color": {"mode": "thresholds"},
                "mappings": [],
                "thresholds": steps("green", &[]),
            },
            "overrides": [],
        },
        "options": {},
        "targets": [],
    });
    Panel { json, width, height }
}

fn steps(base: &str, above: &[(f64, &str)]) -> Value {
    let base = json!({"color": base, "value": null});
    let above = above.iter().map(|(from, color)| json!({"color": color, "value": from}));
    json!({"mode": "absolute", "steps": std::iter::once(base).chain(above).collect::<Vec<_>>()})
}

/// What becomes of several values: the last one counts.
fn last() -> Value {
    json!({"calcs": ["lastNotNull"], "fields": "", "values": false})
}

/// One number, or a few, large: what holds now.
pub fn stat(title: &str, about: &str) -> Panel {
    let mut panel = panel("stat", title, about, [3, 4]);
    panel.json["options"] = json!({
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": last(),
        "showPercentChange": false,
        "textMode": "auto",
        "wideLayout": true,
    });
    panel
}

/// Lines over time, from 0.
pub fn graph(title: &str, about: &str) -> Panel {
    let mut panel = panel("timeseries", title, about, [8, 8]);
    panel.json["fieldConfig"]["defaults"]["color"] = json!({"mode": "palette-classic"});
    panel.json["fieldConfig"]["defaults"]["min"] = 0.into();
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 10,
        "gradientMode": "none",
        // A line of one point is none.
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": false,
        "stacking": {"group": "A", "mode": "none"},
        "thresholdsStyle": {"mode": "off"},
    });
    panel.json["options"] = json!({
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true},
        "tooltip": {"mode": "multi", "sort": "desc"},
    });
    panel
}

/// How often which value was observed over time.
pub fn heatmap(title: &str, about: &str) -> Panel {
    let mut panel = panel("heatmap", title, about, [8, 8]).unit("s");
    panel.json["fieldConfig"]["defaults"]["custom"] =
        json!({"scaleDistribution": {"type": "linear"}});
    panel.json["options"] = json!({
        "calculate": false,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        // Shades of one color, calm on a dark and on a light page.
        "color": {
            "mode": "opacity",
            "fill": "semi-dark-blue",
            "scale": "exponential",
            "exponent": 0.5,
            "scheme": "Blues",
            "steps": 64,
            "reverse": false,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": false},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": true},
        "yAxis": {"axisPlacement": "left", "reverse": false, "unit": "s"},
    });
    panel
}

/// A bar each, for comparison.
pub fn bars(title: &str, about: &str) -> Panel {
    let mut panel = panel("bargauge", title, about, [8, 8]);
    panel.json["fieldConfig"]["defaults"]["min"] = 0.into();
    panel.json["options"] = json!({
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false},
        "maxVizHeight": 24,
        "minVizHeight": 12,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": last(),
        "showUnfilled": true,
        "sizing": "auto",
        "valueMode": "color",
    });
    panel
}

/// Rows and columns.
pub fn table(title: &str, about: &str) -> Panel {
    let mut panel = panel("table", title, about, [8, 8]);
    panel.json["fieldConfig"]["defaults"]["custom"] =
        json!({"align": "auto", "cellOptions": {"type": "auto"}, "inspect": false, "minWidth": 70});
    panel.json["options"] = json!({
        "frameIndex": 0,
        "cellHeight": "sm",
        "footer": {"countRows": false, "fields": "", "reducer": ["sum"], "show": false},
        "showHeader": true,
    });
    panel.json["transformations"] = json!([]);
    panel
}

/// A band each, colored by what held when.
pub fn timeline(title: &str, about: &str) -> Panel {
    let mut panel = panel("state-timeline", title, about, [8, 8]);
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({"fillOpacity": 70, "lineWidth": 0});
    panel.json["options"] = json!({
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false},
        "mergeValues": true,
        "rowHeight": 0.8,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    });
    panel
}

impl Panel {
    /// How many columns and lines of the grid it takes.
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    /// Grafana's id of the unit, such as `s` or `percentunit`.
    pub fn unit(self, unit: &str) -> Self {
        self.default("unit", unit.into())
    }

    /// What happens a minute; a line at 0 stays at the bottom.
    pub fn per_minute(mut self) -> Self {
        self.json["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] = 1.into();
        self.unit("cpm")
    }

    /// Counts: what grew is reckoned from samples, which gives fractions.
    pub fn whole(self) -> Self {
        self.default("decimals", 0.into())
    }

    /// The color of what is below all steps, and the steps.
    pub fn steps(self, base: &str, above: &[(f64, &str)]) -> Self {
        self.default("thresholds", steps(base, above))
    }

    /// What values are called, and their colors.
    pub fn say(self, values: &[(u32, &str, &str)]) -> Self {
        let (mapped, _) = mapping(values);
        self.default("mappings", json!([mapped]))
    }

    /// As [`Panel::say`], and what is said where there is no value at all.
    pub fn say_or(self, values: &[(u32, &str, &str)], (text, color): (&str, &str)) -> Self {
        let (mapped, index) = mapping(values);
        let result = json!({"text": text, "color": color, "index": index});
        let none = json!({"type": "special", "options": {"match": "null+nan", "result": result}});
        self.default("mappings", json!([mapped, none])).default("noValue", text.into())
    }

    /// Values may be below 0.
    pub fn signed(mut self) -> Self {
        if let Some(defaults) = self.json["fieldConfig"]["defaults"].as_object_mut() {
            defaults.remove("min");
        }
        self
    }

    /// The highest value of the scale.
    pub fn max(self, max: f64) -> Self {
        self.default("max", max.into())
    }

    /// Shows a line at this value, what was promised, and what is far below it on the same scale.
    pub fn promised(mut self, at: f64) -> Self {
        let custom = &mut self.json["fieldConfig"]["defaults"]["custom"];
        custom["thresholdsStyle"]["mode"] = "dashed".into();
        custom["axisSoftMax"] = (2.0 * at).into();
        self.logarithmic().steps("transparent", &[(at, "red")])
    }

    /// Puts one on top of the other.
    pub fn stacked(mut self) -> Self {
        let custom = &mut self.json["fieldConfig"]["defaults"]["custom"];
        custom["stacking"]["mode"] = "normal".into();
        custom["fillOpacity"] = 30.into();
        self
    }

    /// The scale is logarithmic.
    pub fn logarithmic(mut self) -> Self {
        self.json["fieldConfig"]["defaults"]["custom"]["scaleDistribution"] =
            json!({"type": "log", "log": 10});
        self.signed()
    }

    /// Gives series their colors.
    pub fn colors(self, colors: &[(&str, &str)]) -> Self {
        colors.iter().fold(self, |panel, (name, color)| {
            panel.of(name, &[("color", json!({"mode": "fixed", "fixedColor": color}))])
        })
    }

    /// What holds of one series or column only: properties of Grafana's field configuration.
    pub fn of(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> =
            properties.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        let matcher = json!({"id": "byName", "options": name});
        push(
            &mut self.json["fieldConfig"]["overrides"],
            json!({"matcher": matcher, "properties": properties}),
        );
        self
    }

    /// What the values of one column are called, and their colors.
    pub fn said(self, name: &str, values: &[(u32, &str, &str)]) -> Self {
        let (mapped, _) = mapping(values);
        self.of(
            name,
            &[("mappings", json!([mapped])), ("custom.cellOptions", json!({"type": "color-text"}))],
        )
    }

    /// Where a click leads to: another of these dashboards, for the same time and variables.
    pub fn to(mut self, name: &str, title: &str) -> Self {
        let url = format!("/d/kubetally-{name}?${{__url_time_range}}&${{__all_variables}}");
        let link = json!({"title": title, "url": url, "targetBlank": false});
        // That of a panel has all that one of a dashboard has; the time and the variables are in
        // its address.
        let mut of_panel = json!({
            "type": "link",
            "icon": "",
            "tooltip": "",
            "tags": [],
            "asDropdown": false,
            "includeVars": false,
            "keepTime": false,
        });
        if let (Some(all), Some(own)) = (of_panel.as_object_mut(), link.as_object()) {
            all.extend(own.clone());
        }
        push(&mut self.json["links"], of_panel);
        self.default("links", json!([link]))
    }

    /// Asks for something and names it, with labels in double braces: over the range of time, or
    /// for what holds now, as the type of the panel wants it.
    pub fn query(mut self, legend: &str, expr: &str) -> Self {
        let (format, now) = match self.json["type"].as_str() {
            Some("stat" | "bargauge") => ("time_series", true),
            Some("table") => ("table", true),
            Some("heatmap") => ("heatmap", false),
            _ => ("time_series", false),
        };
        let number = self.json["targets"].as_array().map_or(0, Vec::len);
        let letter = ('A'..='Z').nth(number).unwrap_or('Z');
        let target = json!({
            "refId": letter.to_string(),
            "datasource": source(),
            "editorMode": "code",
            "expr": with_variables(expr),
            "format": format,
            "instant": now,
            "legendFormat": legend,
            "range": !now,
        });
        push(&mut self.json["targets"], target);
        self
    }

    /// A table of these columns, in this order, each with its title; without one it is hidden. What
    /// several queries tell of the same labels becomes one row.
    pub fn columns(mut self, columns: &[(&str, &str)]) -> Self {
        let [mut titles, mut order, mut hidden] = [Map::new(), Map::new(), Map::new()];
        hidden.insert("Time".into(), true.into());
        for (at, (field, title)) in columns.iter().enumerate() {
            if title.is_empty() {
                hidden.insert((*field).into(), true.into());
            } else {
                titles.insert((*field).into(), (*title).into());
                order.insert((*field).into(), at.into());
            }
        }
        let organize =
            json!({"excludeByName": hidden, "indexByName": order, "renameByName": titles});
        let transformations = &mut self.json["transformations"];
        push(transformations, json!({"id": "merge", "options": {}}));
        push(transformations, json!({"id": "organize", "options": organize}));
        self
    }

    /// A table of one label against another.
    pub fn matrix(mut self, row: &str, column: &str) -> Self {
        let options = json!({"rowField": row, "columnField": column, "valueField": "Value"});
        push(
            &mut self.json["transformations"],
            json!({"id": "groupingToMatrix", "options": options}),
        );
        // The first column has the row's labels, and no color.
        let plain = json!({"type": "auto"});
        let first = format!("{row}\\{column}");
        self.of(&first, &[("displayName", row.into()), ("custom.cellOptions", plain)])
    }

    /// Gives a series an axis and a unit of its own.
    pub fn on_the_right(self, name: &str, unit: &str) -> Self {
        self.of(name, &[("custom.axisPlacement", "right".into()), ("unit", unit.into())])
    }

    /// How wide a column is, in pixels; the others share the rest.
    pub fn width(self, name: &str, pixels: u32) -> Self {
        self.of(name, &[("custom.width", pixels.into())])
    }

    /// The rows of a table begin with the highest value of this column.
    pub fn sorted_by(mut self, name: &str) -> Self {
        self.json["options"]["sortBy"] = json!([{"displayName": name, "desc": true}]);
        self
    }

    /// Colors the text of every cell of a table by its value.
    pub fn colored(mut self) -> Self {
        self.json["fieldConfig"]["defaults"]["custom"]["cellOptions"]["type"] = "color-text".into();
        self
    }

    /// Whether it shows only what is in the namespaces that are chosen.
    pub fn is_namespaced(&self) -> bool {
        let targets = self.json["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named =
            |target: &Value| target["expr"].as_str().is_some_and(|e| e.contains("$namespace"));
        targets.iter().any(named)
    }

    /// The panel in its place.
    pub fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let mut json = self.json.clone();
        json["id"] = id.into();
        json["gridPos"] = json!({"h": self.height, "w": self.width, "x": x, "y": y});
        json
    }

    fn default(mut self, name: &str, value: Value) -> Self {
        self.json["fieldConfig"]["defaults"][name] = value;
        self
    }
}

/// The mapping of values, and the index that follows.
fn mapping(values: &[(u32, &str, &str)]) -> (Value, usize) {
    let options = values.iter().enumerate().map(|(index, (value, text, color))| {
        (value.to_string(), json!({"text": text, "color": color, "index": index}))
    });
    let options: Map<_, _> = options.collect();
    (json!({"type": "value", "options": options}), values.len())
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
