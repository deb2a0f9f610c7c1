//! An object's labels and annotations as labels of a series.
//!
//! The rules are those of kube-state-metrics: what is no letter, digit or underscore becomes an
//! underscore, `camelCase` becomes `camel_case`, and names that are the same then are numbered.

use std::collections::HashMap;

use super::{Names, Samples};

impl Samples {
    /// Adds the sample that shows those of an object's labels or annotations that are asked for,
    /// each as `<prefix>_<name>`: none where none is asked for, one without them where the object
    /// has none of them.
    pub fn names<'a>(
        &mut self,
        family: impl Into<u8>,
        prefix: &str,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        names: &Names,
    ) {
        let family = family.into();
        if names.is_none() || !self.chosen.has(family) {
            return;
        }
        let mut pairs: Vec<_> = pairs.filter(|(name, _)| names.has(name)).collect();
        pairs.sort_unstable();
        let keys = keys(prefix, pairs.iter().map(|(name, _)| *name));
        let values = pairs.iter().map(|(_, value)| *value);
        let labels: Vec<_> = keys.iter().map(String::as_str).zip(values).collect();
        self.add(family, &labels, 1.0);
    }
}

impl Names {
    /// Whether no name is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::Some(names) => names.is_empty(),
            Self::All => false,
        }
    }
}

/// Label names for names in their order, no two the same.
fn keys<'a>(prefix: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let plain: Vec<_> = names.map(|name| format!("{prefix}_{}", snake(&sanitize(name)))).collect();
    let mut count: HashMap<&str, (usize, usize)> = HashMap::new();
    for key in &plain {
        count.entry(key).or_default().0 += 1;
    }
    let mut keys: Vec<String> = Vec::with_capacity(plain.len());
    for key in &plain {
        let (all, seen) = count.entry(key).or_default();
        *seen += 1;
        keys.push(match all {
            1 => key.clone(),
            _ => format!("{key}_conflict{seen}"),
        });
    }
    part(&mut keys);
    keys
}

/// A name may be what another one became by its number; kube-state-metrics shows both, which is no
/// valid series.
fn part(keys: &mut [String]) {
    let mut count: HashMap<String, usize> = HashMap::new();
    for key in &*keys {
        *count.entry(key.clone()).or_default() += 1;
    }
    if count.len() == keys.len() {
        return;
    }
    for key in keys.iter_mut().skip(1) {
        let plain = key.clone();
        let mut number = 1;
        while let Some(many) = count.get_mut(key).filter(|many| **many > 1) {
            *many -= 1;
            *key = format!("{plain}_conflict{number}");
            *count.entry(key.clone()).or_default() += 1;
            number += 1;
        }
    }
}

/// With an underscore for each character that a label's name cannot have.
#[must_use]
pub fn sanitize(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// In small letters, with an underscore where a capital follows a small letter or a digit.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["app"], &["l_app"])]
    #[case(&["app.kubernetes.io/name"], &["l_app_kubernetes_io_name"])]
    #[case(&["camelCase", "X-Y9Z"], &["l_camel_case", "l_x_y9_z"])]
    #[case(&["HTTPServer"], &["l_httpserver"])]
    #[case(&["größe", "日本"], &["l_gr__e", "l___"])]
    #[case(&[""], &["l_"])]
    #[case(&["a-b", "a.b", "a_b", "c"], &["l_a_b_conflict1", "l_a_b_conflict2", "l_a_b_conflict3", "l_c"])]
    #[case(&["aB", "a_b"], &["l_a_b_conflict1", "l_a_b_conflict2"])]
    #[case(&["a-b", "a_b", "a_b_conflict1"], &["l_a_b_conflict1", "l_a_b_conflict2", "l_a_b_conflict1_conflict1"])]
    fn names_become_label_names(#[case] names: &[&str], #[case] expected: &[&str]) {
        assert_eq!(keys("l", names.iter().copied()), expected);
    }

    fn text(names: &Names) -> String {
        let mut samples = Samples::default();
        samples.begin(&[("pod", "a")]);
        samples.names(0, "label", [("b", "2"), ("a", "1\n\"")].into_iter(), names);
        let record = samples.end();
        let mut out = Vec::new();
        record.write(0, "f", record.find(0, 0), &[], &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[rstest]
    #[case(Names::None, "")]
    #[case(Names::Some(vec![]), "")]
    #[case(Names::Some(vec!["b".into(), "x".into()]), "f{pod=\"a\",label_b=\"2\"} 1\n")]
    #[case(Names::Some(vec!["x".into()]), "f{pod=\"a\"} 1\n")]
    #[case(Names::All, "f{pod=\"a\",label_a=\"1\\n\\\"\",label_b=\"2\"} 1\n")]
    fn what_is_asked_for_is_shown(#[case] names: Names, #[case] expected: &str) {
        assert_eq!(text(&names), expected);
    }

    proptest! {
        #[test]
        fn no_name_stands_twice_and_all_are_valid(
            names in prop::collection::btree_set("[aB1]?[-._]?[aB]{0,2}(_conflict[12])?|.{0,5}", 0..12),
        ) {
            let found = keys("label", names.iter().map(String::as_str));
            prop_assert_eq!(found.len(), names.len());
            let unique: std::collections::BTreeSet<_> = found.iter().collect();
            prop_assert_eq!(unique.len(), found.len());
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            prop_assert!(found.iter().all(|key| key.chars().all(valid)));
        }
    }
}
