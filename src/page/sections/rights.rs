//! The permission matrix: what we may, and the rules to add for what we may not.

use super::{nothing, titled};
use crate::{
    access::{AllMissing, Missing},
    api::Verb,
    exposition::catalogue::PERMISSION_ALLOWED,
    page::{
        Moment,
        html::{Cell, Html},
    },
};

/// How many places with a missing right are told by name.
const PLACES: usize = 20;

/// The rights in use.
#[derive(Debug)]
pub struct Rights {
    /// Resource, verb, and whether it is allowed wherever it is needed.
    known: Vec<(String, String, bool)>,
    /// What is missing, and where.
    missing: AllMissing,
}

impl Rights {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let all = moment.readings.of(&PERMISSION_ALLOWED).iter();
        let right = all.map(|of| (of.label(1).into(), of.label(0).into(), of.value > 0.0));
        Self { known: right.collect(), missing: moment.missing.clone() }
    }

    /// The resources to which a right is missing, each once.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        let mut resources: Vec<_> = self.missing.keys().map(|(about, _)| about.as_str()).collect();
        resources.dedup();
        resources
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("rights", "Rights");
        if self.known.is_empty() {
            nothing(&mut out, "The API server has not been asked yet, or has not said.");
            return out;
        }
        let verbs: Vec<&str> = Verb::VALUES
            .iter()
            .copied()
            .filter(|verb| self.known.iter().any(|k| k.1 == *verb))
            .collect();
        let columns: Vec<&str> = std::iter::once("Kind").chain(verbs.iter().copied()).collect();
        let mut resources: Vec<&str> = self.known.iter().map(|known| known.0.as_str()).collect();
        resources.dedup();
        let rows = resources.into_iter().map(|resource| self.row(resource, &verbs));
        out.table("What is needed, and whether we may", &columns, rows);
        if !self.missing.is_empty() {
            self.rules(&mut out);
        }
        out
    }

    fn row(&self, resource: &str, verbs: &[&str]) -> Vec<Cell> {
        let cell = |verb: &&str| {
            let known = self.known.iter().find(|known| known.0 == resource && known.1 == **verb);
            let mut mark = Html::default();
            match known {
                Some((_, _, true)) => mark.put("<span class=\"state live\">may</span>", &[]),
                Some((_, _, false)) => {
                    mark.put("<span class=\"state forbidden\">may not</span>", &[])
                }
                None => mark.put("<span class=\"unneeded\">–</span>", &[]),
            };
            Cell::Piece(mark)
        };
        std::iter::once(Cell::Name(resource.into())).chain(verbs.iter().map(cell)).collect()
    }

    fn rules(&self, out: &mut Html) {
        out.put("<h3>Rules to add</h3><dl class=\"rules\">", &[]);
        for ((resource, _), Missing { role, rules }) in self.missing.iter().take(PLACES) {
            out.put("<dt>for {}, in {}</dt>", &[resource, role]);
            for rule in rules {
                out.put("<dd><code>{}</code></dd>", &[rule]);
            }
        }
        out.put("</dl>", &[]);
        super::more(out, self.missing.len().saturating_sub(PLACES), "places");
        out.put(
            "<p class=\"note\"><code>kubetally rbac</code> prints all that is needed.</p>",
            &[],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{Scene, has};

    #[test]
    fn what_is_missing_has_its_rule() {
        let mut scene = Scene::default();
        for (verb, resource, allowed) in
            [("patch", "leases", true), ("list", "pods", true), ("list", "<secrets>", false)]
        {
            scene.sample(&PERMISSION_ALLOWED, &[verb, resource], allowed);
        }
        scene.miss("<secrets>", None);
        let rights = scene.at(Rights::at);
        assert_eq!(rights.missing(), ["<secrets>"]);
        has(
            &rights.html(),
            &[
                "<th scope=\"col\">list</th><th scope=\"col\">patch</th>",
                "pods</th><td><span class=\"state live\">may</span></td>\
             <td><span class=\"unneeded\">–</span></td>",
                "&lt;secrets&gt;</th><td><span class=\"state forbidden\">may not</span>",
                "<dt>for &lt;secrets&gt;, in a ClusterRole</dt>\
             <dd><code>{resources: [&lt;secrets&gt;]}</code></dd>",
            ],
        );
    }

    #[test]
    fn many_namespaces_make_no_long_page() {
        let mut scene = Scene::default();
        scene.sample(&PERMISSION_ALLOWED, &["list", "pods"], false);
        (0..100).for_each(|n| scene.miss("pods", Some(&format!("n{n}"))));
        let rights = scene.at(Rights::at);
        assert_eq!(rights.missing(), ["pods"]);
        has(&rights.html(), &["and 80 more places"]);
        has(&Scene::default().at(Rights::at).html(), &["has not been asked yet"]);
    }
}
