//! The permission matrix: what is known of each right in use, and what has to be asked.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::Rules;
use crate::{api::Verb, rbac::Permission};

/// Where a right is needed: in one namespace, or (`None`) in all of them or of a resource in none.
pub type Scope = Option<String>;

/// What is known of each right.
#[derive(Debug)]
pub struct Matrix(Vec<Cell>);

#[derive(Debug)]
struct Cell {
    permission: Permission,
    /// As the last access review that did not fail has it.
    allowed: Option<bool>,
    /// What the rules said then.
    explained: Option<bool>,
}

/// What an access review has to tell.
#[derive(Clone, Debug)]
pub struct Question {
    /// The right.
    pub permission: Permission,
    at: usize,
    explained: Option<bool>,
}

impl Matrix {
    /// Nothing is known of these rights.
    #[must_use]
    pub fn new(permissions: Vec<Permission>) -> Self {
        let cell = |permission| Cell { permission, allowed: None, explained: None };
        Self(permissions.into_iter().map(cell).collect())
    }

    /// The scopes whose rules explain all of it.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        scopes(self.0.iter().map(|cell| &cell.permission))
    }

    /// The scopes where a right is missing.
    #[must_use]
    pub fn waiting(&self) -> Vec<Scope> {
        scopes(self.missing())
    }

    /// The rights that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter().filter(|cell| cell.allowed == Some(false)).map(|cell| &cell.permission)
    }

    /// What the rules of a scope leave open. `thorough`: whatever they do not explain, be it
    /// because there may be more than is listed; else only what they have come to say otherwise.
    #[must_use]
    pub fn doubtful(&self, scope: Option<&str>, rules: &Rules, thorough: bool) -> Vec<Question> {
        let cells = self.0.iter().enumerate();
        let here = cells.filter(|(_, cell)| cell.permission.namespace.as_deref() == scope);
        here.filter_map(|(at, cell)| {
            let explained = rules.explain(&cell.permission);
            let open = cell.allowed.is_none()
                || cell.explained != explained
                || (thorough && (explained.is_none() || explained != cell.allowed));
            let permission = cell.permission.clone();
            open.then_some(Question { permission, at, explained })
        })
        .collect()
    }

    /// Takes an answer; what was known before.
    pub fn learn(&mut self, question: &Question, allowed: bool) -> Option<bool> {
        let cell = self.0.get_mut(question.at)?;
        cell.explained = question.explained;
        cell.allowed.replace(allowed)
    }

    /// Verb, resource and whether that is allowed wherever it is needed, where it is known.
    pub fn allowed(&self) -> impl Iterator<Item = (Verb, &str, bool)> {
        let mut all = BTreeMap::new();
        for Cell { permission, allowed, .. } in &self.0 {
            let everywhere = all.entry((&*permission.about, permission.verb)).or_insert(Some(true));
            *everywhere = match (*everywhere, *allowed) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (None, _) | (_, None) => None,
                (Some(true), Some(true)) => Some(true),
            };
        }
        all.into_iter().filter_map(|((about, verb), allowed)| Some((verb, about, allowed?)))
    }
}

fn scopes<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Vec<Scope> {
    let scopes: BTreeSet<_> = permissions.map(|permission| &permission.namespace).collect();
    scopes.into_iter().cloned().collect()
}

/// What tests of other modules need.
#[cfg(test)]
pub mod testing {
    use crate::{
        config::Sources,
        rbac::{self, Permission},
    };

    /// What is needed to watch these resources in these namespaces.
    pub fn needed(resources: &str, namespaces: &str) -> Vec<Permission> {
        let flags = [("watch.resources", resources), ("watch.namespaces", namespaces)];
        let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let sources = Sources { flags, ..Sources::default() };
        rbac::needed(&sources.load().expect("settings").settings)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// An API server's rights: what a ClusterRole lists, what an authorizer grants that lists
    /// nothing.
    #[derive(Clone, Debug, Default)]
    struct World {
        listed: BTreeSet<&'static str>,
        unlisted: BTreeSet<&'static str>,
        incomplete: bool,
    }

    impl World {
        fn rules(&self) -> Rules {
            let rule = json!({"verbs": ["list", "watch"], "apiGroups": [""],
                "resources": self.listed});
            let status = json!({"resourceRules": [rule], "incomplete": self.incomplete});
            serde_json::from_value(status).expect("rules")
        }

        fn allows(&self, permission: &Permission) -> bool {
            let resource = permission.resource.as_str();
            self.listed.contains(resource) || self.unlisted.contains(resource)
        }

        /// Asks what is doubtful; how much that was.
        fn review(&self, matrix: &mut Matrix, thorough: bool) -> usize {
            let questions = matrix.doubtful(None, &self.rules(), thorough);
            for question in &questions {
                let allowed = self.allows(&question.permission);
                matrix.learn(question, allowed);
            }
            questions.len()
        }
    }

    fn known(matrix: &Matrix, resource: &str) -> Option<bool> {
        let mut of = matrix.allowed().filter(|(_, about, _)| *about == resource);
        of.next().map(|(_, _, allowed)| allowed)
    }

    #[test]
    fn everything_is_asked_at_the_start_and_nothing_while_nothing_changes() {
        let mut matrix = Matrix::new(testing::needed("pods,events,nodes", ""));
        let mut world = World { listed: ["pods", "events"].into(), ..World::default() };
        assert_eq!(world.review(&mut matrix, true), 6);
        assert_eq!(matrix.waiting(), [None]);
        assert_eq!((world.review(&mut matrix, true), world.review(&mut matrix, false)), (0, 0));
        world.listed = ["pods", "nodes"].into();
        assert_eq!(world.review(&mut matrix, false), 4);
        assert_eq!((known(&matrix, "events"), known(&matrix, "nodes")), (Some(false), Some(true)));
        world.listed.insert("events");
        assert_eq!(world.review(&mut matrix, false), 2);
        assert!(matrix.waiting().is_empty());
    }

    #[test]
    fn what_may_not_be_listed_is_asked_in_every_round_and_no_look() {
        let mut matrix = Matrix::new(testing::needed("pods,events", ""));
        let (listed, unlisted) = (["pods"].into(), ["events"].into());
        let mut world = World { listed, unlisted, incomplete: true };
        assert_eq!(world.review(&mut matrix, true), 4);
        assert_eq!((world.review(&mut matrix, true), world.review(&mut matrix, false)), (2, 0));
        world.unlisted.clear();
        assert_eq!(world.review(&mut matrix, true), 2);
        assert_eq!((known(&matrix, "pods"), known(&matrix, "events")), (Some(true), Some(false)));
    }

    #[test]
    fn rules_that_lag_behind_an_answer_are_asked_about_again() {
        let mut matrix = Matrix::new(testing::needed("pods", ""));
        let before = World { listed: ["pods"].into(), ..World::default() };
        before.review(&mut matrix, true);
        // One API server of two has heard that the right is gone, the other has not.
        let rules = World::default().rules();
        for question in matrix.doubtful(None, &rules, true) {
            matrix.learn(&question, true);
        }
        assert!(matrix.doubtful(None, &rules, false).is_empty());
        assert_eq!(World::default().review(&mut matrix, true), 2);
        assert_eq!(known(&matrix, "pods"), Some(false));
    }

    #[test]
    fn a_scope_is_told_by_its_own_rules() {
        let matrix = Matrix::new(testing::needed("pods,nodes", "shop,billing"));
        let shop = Some("shop".to_owned());
        assert_eq!(matrix.scopes(), [None, Some("billing".to_owned()), shop]);
        let asked = matrix.doubtful(Some("shop"), &Rules::default(), true);
        let asked: Vec<_> = asked.iter().map(|q| (&*q.permission.resource, q.at)).collect();
        assert_eq!(asked, [("pods", 2), ("pods", 3)]);
    }

    const RESOURCES: [&str; 4] = ["pods", "events", "nodes", "services"];

    fn world() -> impl Strategy<Value = World> {
        let some = || prop::sample::subsequence(RESOURCES.to_vec(), 0..=4);
        (some(), some(), any::<bool>()).prop_map(|(listed, unlisted, incomplete)| World {
            listed: listed.into_iter().collect(),
            unlisted: unlisted.into_iter().collect(),
            incomplete,
        })
    }

    proptest! {
        #[test]
        fn a_round_leaves_nothing_wrong(history in prop::collection::vec((world(), any::<bool>()), 1..12)) {
            let mut matrix = Matrix::new(testing::needed(&RESOURCES.join(","), ""));
            for (mut world, thorough) in history {
                // Who has authorizers that list nothing is told so.
                world.incomplete |= !world.unlisted.is_empty();
                world.review(&mut matrix, thorough);
                if thorough {
                    let right: Vec<_> = matrix.0.iter().map(|cell| {
                        (cell.allowed, Some(world.allows(&cell.permission)))
                    }).collect();
                    prop_assert!(right.iter().all(|(known, is)| known == is), "{:?}", right);
                }
            }
        }
    }
}
