//! Into which flows the API server's priority and fairness puts our requests, as the headers of its
//! answers say ("API Priority and Fairness", "Observability"): the UIDs of the flow schema and of
//! the priority level. Their names are not told; `kubectl get flowschemas -o wide` has the UIDs.

use http::HeaderMap;

use crate::exposition::{Collect, Exposition, catalogue};

/// The header of the flow schema.
const SCHEMA: &str = "x-kubernetes-pf-flowschema-uid";
/// The header of the priority level.
const LEVEL: &str = "x-kubernetes-pf-prioritylevel-uid";
/// How many flows are shown by their UIDs: one user's requests are in very few.
const LARGEST: usize = catalogue::FLOWS;
/// How long a UID is.
const UID: usize = 36;
/// What the flows beyond are shown as.
const OTHER: &str = "_other";

/// Answers by flow.
#[derive(Debug, Default)]
pub struct Flows(Vec<(Flow, u64)>);

/// A flow schema and a priority level, by their UIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    schema: String,
    level: String,
}

impl Flow {
    /// That of an answer; `None` where nobody has classified the request.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let uid = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            ((1..=UID).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
        };
        Some(Self { schema: uid(SCHEMA)?, level: uid(LEVEL)? })
    }

    fn other() -> Self {
        Self { schema: OTHER.into(), level: OTHER.into() }
    }
}

impl Flows {
    /// An answer of this flow.
    pub fn count(&mut self, flow: Flow) {
        let known = self.0.iter().any(|(known, _)| *known == flow);
        let flow = if known || self.0.len() < LARGEST { flow } else { Flow::other() };
        match self.0.iter_mut().find(|(known, _)| *known == flow) {
            Some((_, n)) => *n += 1,
            None => self.0.push((flow, 1)),
        }
    }
}

impl Collect for Flows {
    fn collect(&self, out: &mut Exposition) {
        for (Flow { schema, level }, n) in &self.0 {
            out.sample(&catalogue::API_FLOW_REQUESTS_TOTAL, &[schema, level], *n);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn headers(schema: &'static str, level: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (HeaderName::from_static(SCHEMA), HeaderValue::from_static(schema)),
            (HeaderName::from_static(LEVEL), HeaderValue::from_static(level)),
        ])
    }

    #[rstest]
    #[case("6bc5db4c-b4a2-411f-be73-545cd6767e0b", "1", true)]
    #[case("", "1", false)]
    #[case("1", "a\"b", false)]
    #[case("0123456789012345678901234567890123456", "1", false)]
    fn a_uid_is_short_and_plain(
        #[case] schema: &'static str,
        #[case] level: &'static str,
        #[case] expected: bool,
    ) {
        assert_eq!(Flow::of(&headers(schema, level)).is_some(), expected);
    }

    #[test]
    fn what_nobody_classified_has_no_flow() {
        assert_eq!(Flow::of(&HeaderMap::new()), None);
    }

    #[test]
    fn flows_beyond_the_first_are_others() {
        let mut flows = Flows::default();
        for n in (0..2 * LARGEST).chain([0]) {
            flows.count(Flow { schema: n.to_string(), level: "1".into() });
        }
        assert_eq!(flows.0.len(), LARGEST + 1);
        assert_eq!(flows.0[0].1, 2, "a known one goes on");
        assert_eq!(flows.0[LARGEST], (Flow::other(), LARGEST as u64));
    }
}
