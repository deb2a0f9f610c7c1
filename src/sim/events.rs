//! One event, two views: core/v1 as it is held, events.k8s.io/v1 as it can be asked for.

use serde_json::{Map, Value};

/// A field of events.k8s.io/v1: its name, its name in core/v1, and whether it stands there even
/// where it is empty.
const FIELDS: &[(&str, &str, bool)] = &[
    ("metadata", "metadata", true),
    ("eventTime", "eventTime", true),
    ("series", "series", false),
    ("reportingController", "reportingComponent", false),
    ("reportingInstance", "reportingInstance", false),
    ("action", "action", false),
    ("reason", "reason", false),
    ("regarding", "involvedObject", true),
    ("related", "related", false),
    ("note", "message", false),
    ("type", "type", false),
    ("deprecatedSource", "source", true),
    ("deprecatedFirstTimestamp", "firstTimestamp", true),
    ("deprecatedLastTimestamp", "lastTimestamp", true),
    ("deprecatedCount", "count", false),
];

/// Turns the body of a core/v1 event into one of events.k8s.io/v1.
#[must_use]
pub fn as_events_v1(body: &str) -> String {
    let core: Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
    let mut event = Map::new();
    for (name, core_name, always) in FIELDS {
        let value = core.get(*core_name).cloned().unwrap_or_default();
        let empty = value.is_null() || value == "";
        if *always || !empty {
            event.insert((*name).to_owned(), value);
        }
    }
    Value::Object(event).to_string()
}
