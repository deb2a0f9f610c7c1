//! LIST: the answer to one page.

use std::fmt::Write;

use super::{
    answer::Failure,
    kinds::Served,
    options::{Next, Options},
    selector::Selector,
    state::{Compacted, Key, Object, State},
};

/// The body of a list.
///
/// # Errors
/// What the server refuses, as it words it.
pub fn list(
    state: &State,
    served: &Served,
    namespace: Option<&str>,
    options: &Options,
) -> Result<String, Failure> {
    let selector = selector(served, options)?;
    let (version, after) = place(state, served, options)?;
    let objects =
        state.snapshot(served.table, Some(version)).map_err(|Compacted| match &after {
            Some(after) => {
                let start = after.trim_start_matches('/').trim_end_matches('\0').to_owned();
                Failure::expired_page(Next::after(-1, start).token())
            }
            None => {
                let message = "The resourceVersion for the provided list is too old.";
                Failure::new(410, "Expired", message)
            }
        })?;
    let mut selected = objects.values().filter(|object| {
        let path = path(&object.key);
        after.as_ref().is_none_or(|after| path.as_str() >= after.as_str())
            && namespace.is_none_or(|namespace| object.key.namespace == namespace)
            && selector.matches(&object.body)
    });
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let page: Vec<_> = selected.by_ref().take(limit).collect();
    let remaining = selected.count();
    let next = page.last().filter(|_| remaining > 0).map(|last| {
        Next::after(i64::try_from(version).unwrap_or(i64::MAX), path(&last.key)).token()
    });
    let remaining = Some(remaining).filter(|_| selector.is_empty());
    Ok(render(served, version, next.zip(Some(remaining)), &page))
}

/// Reads the selectors of a query.
///
/// # Errors
/// 400 where one is not understood.
pub fn selector(served: &Served, options: &Options) -> Result<Selector, Failure> {
    Selector::parse(served.table, &options.label_selector, &options.field_selector)
        .map_err(|message| Failure::new(400, "BadRequest", message))
}

/// The resourceVersion to list at and the key to start at.
fn place(
    state: &State,
    served: &Served,
    options: &Options,
) -> Result<(u64, Option<String>), Failure> {
    let asked = options.version().map_err(|message| {
        Failure::new(400, "BadRequest", format!("invalid resource version: {message}"))
    })?;
    if !options.next.is_empty() {
        if asked != 0 {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Failure::new(400, "BadRequest", message));
        }
        let Next { rv, start, .. } = Next::parse(&options.next)?;
        let version = u64::try_from(rv).unwrap_or_else(|_| state.revision());
        return Ok((version, Some(start)));
    }
    if asked > state.revision() {
        return Err(Failure::too_large(asked, state.revision(), served.cached));
    }
    let legacy = options.resource_version_match.is_empty() && options.limit > 0 && asked > 0;
    let exact = options.resource_version_match == "Exact" || legacy;
    let present = present(state, served, &options.resource_version);
    Ok((if exact { asked } else { present }, None))
}

/// The resourceVersion of what a cache takes for the present where any state will do, and of the
/// present elsewhere.
#[must_use]
pub fn present(state: &State, served: &Served, asked: &str) -> u64 {
    if served.cached && asked == "0" { state.cached() } else { state.revision() }
}

fn path(Key { namespace, name }: &Key) -> String {
    match namespace.as_str() {
        "" => format!("/{name}"),
        namespace => format!("/{namespace}/{name}"),
    }
}

/// An object that says what it is.
#[must_use]
pub fn typed(served: &Served, body: &str) -> String {
    let (kind, version) = (served.kind, served.api_version());
    let rest = body.strip_prefix('{').unwrap_or(body);
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",{rest}")
}

fn render(
    served: &Served,
    version: u64,
    next: Option<(String, Option<usize>)>,
    page: &[&std::sync::Arc<Object>],
) -> String {
    let size: usize = page.iter().map(|object| object.body.len() + 1).sum();
    let mut out = String::with_capacity(size + 400);
    let (kind, api_version) = (served.kind, served.api_version());
    let head = format!(
        r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{version}""#
    );
    out.push_str(&head);
    // Writing to a String cannot fail.
    if let Some((next, remaining)) = next {
        write!(out, r#","continue":"{next}""#).unwrap_or_default();
        if let Some(remaining) = remaining {
            write!(out, r#","remainingItemCount":{remaining}"#).unwrap_or_default();
        }
    }
    out.push_str(r#"},"items":["#);
    for (at, object) in page.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let body = (served.view)(&object.body);
        match served.typed_items {
            true => out.push_str(&typed(served, &body)),
            false => out.push_str(&body),
        }
    }
    out.push_str("]}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::{super::kinds::SERVED, *};

    #[test]
    fn a_cache_that_is_behind_shows_where_any_state_will_do() {
        let mut state = State::new(1);
        for name in ["a", "b"] {
            let object = serde_json::json!({"metadata": {"name": name, "namespace": "shop"}});
            state.put("pods", object.clone(), "t");
            state.put("events", object, "t");
        }
        state.lag(2);
        let listed = |plural: &str, query: &str| {
            let served = SERVED.iter().find(|served| served.plural == plural).expect("served");
            let list = list(&state, served, None, &Options::parse(query)).expect("a list");
            list.matches("\"namespace\":\"shop\"").count()
        };
        assert_eq!(listed("pods", "resourceVersion=0"), 1);
        assert_eq!(listed("pods", ""), 2, "it waits until it is not behind");
        assert_eq!(listed("events", "resourceVersion=0"), 2, "they have no cache");
    }
}
