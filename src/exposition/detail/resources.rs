//! The resources that containers ask for and nodes have, with their units.

/// In which units an amount of a resource is shown, as kube-state-metrics does: seldom in two, not
/// at all for a name that it does not know.
pub fn units(resource: &str) -> impl Iterator<Item = &'static str> {
    let core = resource == "cpu";
    let bytes = matches!(resource, "memory" | "storage" | "ephemeral-storage")
        || resource.starts_with("hugepages-")
        || resource.starts_with("attachable-volumes-");
    let units = [(core, "core"), (bytes, "byte"), (is_extended(resource), "integer")];
    units.into_iter().filter_map(|(has, unit)| has.then_some(unit))
}

/// The same of what a node has: it has a number of pods as well.
pub fn node_units(resource: &str) -> impl Iterator<Item = &'static str> {
    units(resource).chain((resource == "pods").then_some("integer"))
}

/// Whether the name is one of a vendor's domain, such as `nvidia.com/gpu` (Kubernetes, "Extended
/// resources").
fn is_extended(resource: &str) -> bool {
    let Some((domain, name)) = resource.split_once('/') else { return false };
    !resource.contains("kubernetes.io/")
        && !resource.starts_with("requests.")
        && is_domain(domain)
        && is_name(name)
}

/// The name of its quota is `requests.` and the resource's name, and that has to be valid.
fn is_domain(domain: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    domain.len() <= 253 - "requests.".len()
        && domain.split('.').all(|part| has_shape(part, inner, |byte| inner(byte) || byte == b'-'))
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= 63 && has_shape(name, |byte| byte.is_ascii_alphanumeric(), inner)
}

/// Not empty, these bytes at both ends, those all over.
fn has_shape(text: &str, end: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    [bytes.first(), bytes.last()].into_iter().all(|byte| byte.is_some_and(|&byte| end(byte)))
        && bytes.iter().all(|&byte| inner(byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("cpu", &["core"])]
    #[case("memory", &["byte"])]
    #[case("storage", &["byte"])]
    #[case("ephemeral-storage", &["byte"])]
    #[case("hugepages-2Mi", &["byte"])]
    #[case("attachable-volumes-csi-disk", &["byte"])]
    #[case("nvidia.com/gpu", &["integer"])]
    #[case("hugepages-x.com/y", &["byte", "integer"])]
    #[case("pods", &[])]
    #[case("kubernetes.io/batch", &[])]
    #[case("requests.nvidia.com/gpu", &[])]
    #[case("nvidia.com/gpu/x", &[])]
    #[case("Nvidia.com/gpu", &[])]
    #[case("nvidia..com/gpu", &[])]
    #[case("/gpu", &[])]
    #[case("nvidia.com/", &[])]
    #[case("nvidia.com/-gpu", &[])]
    #[case("", &[])]
    fn a_resource_has_its_unit(#[case] resource: &str, #[case] expected: &[&str]) {
        assert_eq!(units(resource).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case("pods", &["integer"])]
    #[case("cpu", &["core"])]
    #[case("nvidia.com/gpu", &["integer"])]
    #[case("requests.nvidia.com/gpu", &[])]
    fn a_resource_of_a_node_has_its_unit(#[case] resource: &str, #[case] expected: &[&str]) {
        assert_eq!(node_units(resource).collect::<Vec<_>>(), expected);
    }
}
