//! Resources that are not in the table, custom ones included: counted by their metadata.

use std::borrow::Cow;

use super::{Resource, TABLE, counted::Metadata, find, metadata};

/// Reads a resource's name: one of the table, or any other as `group/version/resource`, such as
/// `example.com/v1/widgets`, and as `v1/resource` where it is of the core group. `None` where it is
/// neither. That any other is served is for the API server to say.
#[must_use]
pub fn parse(text: &str) -> Option<Resource> {
    let Some((api_version, plural)) = text.rsplit_once('/') else { return find(text).cloned() };
    let known =
        |resource: &&Resource| resource.api_version == api_version && resource.plural() == plural;
    TABLE.iter().find(known).cloned().or_else(|| other(api_version, plural))
}

/// Its objects are taken to live in namespaces until the API server says something else.
fn other(api_version: &str, plural: &str) -> Option<Resource> {
    let (group, version) = match api_version.split_once('/') {
        Some((group, version)) => (Some(group), version),
        None => (None, api_version),
    };
    let labels = group.into_iter().flat_map(|group| group.split('.')).chain([version, plural]);
    let sound = group.is_none_or(|group| group.len() <= 253) && { labels }.all(is_label);
    sound.then(|| Resource {
        name: match group {
            None => plural.to_owned().into(),
            Some(group) => format!("{plural}.{group}").into(),
        },
        api_version: Cow::Owned(api_version.to_owned()),
        discovered: true,
        cached: (group, plural) != (Some("events.k8s.io"), "events"),
        ..metadata::<Metadata>("", "")
    })
}

/// An RFC 1123 label, as namespaces, plurals and the parts of groups are.
#[must_use]
pub fn is_label(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = name.bytes().all(|byte| letter(byte) || byte == b'-');
    let ends = name.bytes().next().is_some_and(letter) && name.bytes().last().is_some_and(letter);
    name.len() <= 63 && inner && ends
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_the_table("pods", "pods", "/api/v1", false)]
    #[case::of_the_table_in_full("apps/v1/deployments", "deployments", "/apis/apps/v1", false)]
    #[case::core_in_full("v1/pods", "pods", "/api/v1", false)]
    #[case::custom("example.com/v1/widgets", "widgets.example.com", "/apis/example.com/v1", true)]
    #[case::core("v1/podtemplates", "podtemplates", "/api/v1", true)]
    #[case::same_plural(
        "metrics.k8s.io/v1beta1/pods",
        "pods.metrics.k8s.io",
        "/apis/metrics.k8s.io/v1beta1",
        true
    )]
    #[case::other_version(
        "autoscaling/v1/horizontalpodautoscalers",
        "horizontalpodautoscalers.autoscaling",
        "/apis/autoscaling/v1",
        true
    )]
    fn reads(#[case] text: &str, #[case] name: &str, #[case] root: &str, #[case] discovered: bool) {
        let resource = parse(text).expect("a resource");
        assert_eq!((&*resource.name, &*resource.root()), (name, root));
        assert_eq!(resource.discovered, discovered);
        assert_eq!(resource.plural(), text.rsplit('/').next().expect("a plural"));
        let group = root.strip_prefix("/apis/").and_then(|root| root.split('/').next());
        assert_eq!(resource.group(), group.unwrap_or_default());
    }

    #[rstest]
    fn refuses(
        #[values(
            "",
            "/",
            "//",
            "///",
            "podz",
            "Pods",
            "/v1/podtemplates",
            "v1/",
            "/widgets",
            "a//widgets",
            "example.com/v1/",
            "example.com//widgets",
            "Example.com/v1/widgets",
            "example.com/V1/widgets",
            "example.com/v1/Widgets",
            "example.com/v1/widgets/status",
            "example..com/v1/widgets",
            ".example.com/v1/widgets",
            "example.com./v1/widgets",
            "example.com/v1/wid.gets",
            "example.com/v1/wid gets",
            "example.com/v1/wid%67ets",
            "example.com/../widgets",
            "ex\u{e4}mple.com/v1/widgets",
            "example.com/v1/widgets?watch=1"
        )]
        text: &str,
    ) {
        assert!(parse(text).is_none());
    }
}
