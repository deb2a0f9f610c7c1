//! Writes of clients: objects that are created, and JSON merge patches.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{Body, Failure, Head},
    kinds::Served,
    list,
    state::Key,
};

/// Creates an object, or merges into the one of a name.
///
/// # Errors
/// What the server refuses, as it words it.
pub fn write(
    shared: &Shared,
    served: &Served,
    namespace: Option<&str>,
    name: Option<&str>,
    mut object: Value,
    head: &Head,
) -> Result<Response<Body>, Failure> {
    let named = name.or_else(|| object["metadata"]["name"].as_str());
    let key = Key {
        namespace: namespace.unwrap_or_default().into(),
        name: named.unwrap_or_default().into(),
    };
    let there = find(shared, served, &key);
    let details = json!({"name": key.name, "group": served.group, "kind": served.plural});
    let of = format!("{}.{} {:?}", served.plural, served.group, key.name);
    let status = match (name, there) {
        (None, None) => 201,
        (None, Some(_)) => {
            let message = format!("{of} already exists");
            return Err(Failure::new(409, "AlreadyExists", message).with(details));
        }
        (Some(_), None) => {
            let message = format!("{of} not found");
            return Err(Failure::new(404, "NotFound", message).with(details));
        }
        (Some(_), Some(there)) => {
            object = merge(there, object);
            200
        }
    };
    object["metadata"]["namespace"] = key.namespace.as_str().into();
    for field in ["kind", "apiVersion"] {
        object.as_object_mut().map(|object| object.remove(field));
    }
    shared.put(served.table, object);
    let written = find(shared, served, &key).unwrap_or_default().to_string();
    let text = list::typed(served, &(served.view)(&written));
    let body = Body::Left(Full::new(Bytes::from(format!("{text}\n"))));
    Ok(head.answer(status, "application/json", &[], body))
}

fn find(shared: &Shared, served: &Served, key: &Key) -> Option<Value> {
    let snapshot = shared.state().snapshot(served.table, None).unwrap_or_default();
    serde_json::from_str(&snapshot.get(key)?.body).ok()
}

/// RFC 7386: what is null goes, objects are merged, all else is replaced.
fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut merged = match target {
        Value::Object(target) => target,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                merged.remove(&name);
            }
            value => {
                let before = merged.get(&name).cloned().unwrap_or_default();
                merged.insert(name, merge(before, value));
            }
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2}))]
    #[case(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}}), json!({"a": {"c": 2}}))]
    #[case(json!({"a": [1]}), json!({"a": [2]}), json!({"a": [2]}))]
    #[case(json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
    fn merges(#[case] target: Value, #[case] patch: Value, #[case] expected: Value) {
        assert_eq!(merge(target, patch), expected);
    }
}
