//! Which families are shown.

use std::collections::BTreeSet;

use super::Family;

/// Names of families; none where there is no list.
pub type Listed = Option<BTreeSet<&'static str>>;

/// Which families are shown, by lists of their names. Without any, all but those that are shown
/// only where they are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// No family but these.
    pub allow: Listed,
    /// None of these.
    pub deny: Listed,
    /// Of the families that have to be asked for, these.
    pub opt_in: Listed,
}

impl Choice {
    /// Which of a kind's families are shown.
    #[must_use]
    pub fn of(&self, families: &[Family]) -> Chosen {
        let shown = |family: &Family| {
            let listed = |list: &Listed| list.as_ref().map(|names| names.contains(family.name));
            listed(&self.allow) != Some(false)
                && listed(&self.deny) != Some(true)
                && (!family.opt_in || listed(&self.opt_in) == Some(true))
        };
        let bits = families.iter().zip(0..).map(|(family, at)| u128::from(shown(family)) << at);
        Chosen(bits.fold(0, |chosen, bit| chosen | bit))
    }
}

/// Some of a kind's families, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen(u128);

impl Default for Chosen {
    fn default() -> Self {
        Self(u128::MAX)
    }
}

impl Chosen {
    /// Whether the family of this number is one of them.
    #[must_use]
    pub const fn has(self, family: u8) -> bool {
        self.0 >> family & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::exposition::catalogue::Stability::Stable;

    const fn family(name: &'static str, opt_in: bool) -> Family {
        Family { name, counter: false, help: "Help.", stability: Stable, opt_in }
    }

    const FAMILIES: [Family; 3] = [family("a", false), family("b", true), family("c", false)];

    #[rstest]
    #[case::none(None, None, None, [true, false, true])]
    #[case::allowed(Some(&["c"][..]), None, None, [false, false, true])]
    #[case::denied(None, Some(&["c"][..]), None, [true, false, false])]
    #[case::opted(None, None, Some(&["b", "c"][..]), [true, true, true])]
    #[case::opted_not_allowed(Some(&["a"][..]), None, Some(&["b"][..]), [true, false, false])]
    #[case::allowed_not_opted(Some(&["b"][..]), None, None, [false, false, false])]
    #[case::opted_and_denied(None, Some(&["b"][..]), Some(&["b"][..]), [true, false, true])]
    #[case::nothing_matched(Some(&[][..]), None, None, [false, false, false])]
    fn families_are_chosen(
        #[case] allow: Option<&[&'static str]>,
        #[case] deny: Option<&[&'static str]>,
        #[case] opt_in: Option<&[&'static str]>,
        #[case] expected: [bool; 3],
    ) {
        let [allow, deny, opt_in] =
            [allow, deny, opt_in].map(|list| list.map(|names| names.iter().copied().collect()));
        let chosen = Choice { allow, deny, opt_in }.of(&FAMILIES);
        assert_eq!([0, 1, 2].map(|family| chosen.has(family)), expected);
    }
}
