//! Who asks, and what they may: bearer tokens with claims and an end, certificates, rights.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, json};

use super::{answer::Failure, kinds::Served, state::uuid};

/// Whoever asks without saying who.
pub const ANONYMOUS: &str = "system:anonymous";

/// The paths that anybody may get.
const PUBLIC: &[&str] = &["/healthz", "/livez", "/readyz", "/version"];
/// Below these whoever says who they are may get everything.
const DISCOVERY: &[&str] = &["/api", "/apis"];

/// A right: these verbs on this resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// `list`, `watch`, `get`, or `*`.
    pub verb: String,
    /// The API group, or `*`.
    pub group: String,
    /// The plural, or `*`.
    pub resource: String,
    /// The only namespace it holds in; `None` for all of them and for none.
    pub namespace: Option<String>,
}

impl Right {
    /// To list, watch and get a resource everywhere.
    #[must_use]
    pub fn to_watch(group: &str, resource: &str) -> Self {
        Self { verb: "*".into(), group: group.into(), resource: resource.into(), namespace: None }
    }

    /// To do anything.
    #[must_use]
    pub fn to_anything() -> Self {
        Self::to_watch("*", "*")
    }

    fn covers(&self, verb: &str, served: (&str, &str), namespace: Option<&str>) -> bool {
        let is = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let here = self.namespace.as_deref().is_none_or(|only| namespace == Some(only));
        is(&self.verb, verb) && is(&self.group, served.0) && is(&self.resource, served.1) && here
    }
}

/// A token given out.
#[derive(Debug)]
struct Issued {
    user: String,
    /// In seconds since 1970.
    expires: i64,
}

/// Tokens and rights.
#[derive(Debug)]
pub struct Accounts {
    tokens: BTreeMap<String, Issued>,
    rights: BTreeMap<String, Vec<Right>>,
    /// Those that no rules review lists.
    unlisted: BTreeMap<String, Vec<Right>>,
    /// Paths that are no resources, by who may get them.
    paths: BTreeMap<String, Vec<String>>,
    random: fastrand::Rng,
}

impl Accounts {
    /// Nobody may anything yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self {
            tokens: BTreeMap::new(),
            rights: BTreeMap::new(),
            unlisted: BTreeMap::new(),
            paths: BTreeMap::new(),
            random,
        }
    }

    /// A token bound to a service account from `now` (seconds since 1970) for `lifetime` seconds.
    pub fn issue(&mut self, namespace: &str, account: &str, now: i64, lifetime: i64) -> String {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let expires = now + lifetime;
        let header = json!({"alg": "RS256", "kid": "sim"});
        let claims = json!({
            "aud": ["https://kubernetes.default.svc"],
            "exp": expires,
            "iat": now,
            "iss": "https://kubernetes.default.svc",
            "jti": uuid(&mut self.random),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": uuid(&mut self.random)},
                "warnafter": expires,
            },
            "nbf": now,
            "sub": user,
        });
        let signature: Vec<u8> = std::iter::repeat_with(|| self.random.u8(..)).take(64).collect();
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature));
        self.tokens.retain(|_, issued| issued.expires > now);
        self.tokens.insert(token.clone(), Issued { user, expires });
        token
    }

    /// Takes every token back.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// Gives a user exactly these rights.
    pub fn grant(&mut self, user: &str, rights: Vec<Right>) {
        self.rights.insert(user.into(), rights);
    }

    /// Gives a user exactly these rights beside, of which no rules review tells.
    pub fn grant_unlisted(&mut self, user: &str, rights: Vec<Right>) {
        self.unlisted.insert(user.into(), rights);
    }

    /// Lets a user get exactly these paths, beside those that others may.
    pub fn grant_paths(&mut self, user: &str, paths: Vec<String>) {
        self.paths.insert(user.into(), paths);
    }

    /// Whether a user may have rights that no rules review lists.
    #[must_use]
    pub fn lists_not_all(&self, user: &str) -> bool {
        self.unlisted.contains_key(user)
    }

    /// The rights of a user in a namespace, as a rules review lists them.
    pub fn rights_in(&self, user: &str, namespace: &str) -> impl Iterator<Item = &Right> {
        let rights = self.rights.get(user).into_iter().flatten();
        rights.filter(move |right| right.namespace.as_deref().is_none_or(|only| only == namespace))
    }

    /// Who has this token at `now` (seconds since 1970), if it is one.
    #[must_use]
    pub fn user(&self, token: &str, now: i64) -> Option<String> {
        let issued = self.tokens.get(token).filter(|issued| now < issued.expires)?;
        Some(issued.user.clone())
    }

    /// Whether a user may.
    #[must_use]
    pub fn allows(
        &self,
        user: &str,
        verb: &str,
        served: (&str, &str),
        namespace: Option<&str>,
    ) -> bool {
        let rights = [&self.rights, &self.unlisted].into_iter();
        let mut rights = rights.filter_map(|rights| rights.get(user)).flatten();
        rights.any(|right| right.covers(verb, served, namespace))
    }

    /// Whether a user may get a path that is no resource: some anybody may, discovery whoever says
    /// who they are (the roles `system:public-info-viewer` and `system:discovery`).
    #[must_use]
    pub fn allows_path(&self, user: &str, path: &str) -> bool {
        PUBLIC.contains(&path)
            || (user != ANONYMOUS && DISCOVERY.iter().any(|root| below(root, path)))
            || self.paths.get(user).is_some_and(|paths| paths.iter().any(|known| known == path))
            || self.rights.get(user).is_some_and(|rights| rights.contains(&Right::to_anything()))
    }
}

fn below(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The refusal of a user who may not do this to a resource, or to one object of it.
#[must_use]
pub fn forbidden(
    user: &str,
    verb: &str,
    served: (&str, &str),
    namespace: Option<&str>,
    name: Option<&str>,
) -> Failure {
    let (group, plural) = served;
    let mut of = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let mut details = Map::new();
    if let Some(name) = name {
        of.push_str(&format!(" \"{name}\""));
        details.insert("name".into(), name.into());
    }
    if !group.is_empty() {
        details.insert("group".into(), group.into());
    }
    details.insert("kind".into(), plural.into());
    let place = match namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".into(),
    };
    let message = format!(
        "{of} is forbidden: User \"{user}\" cannot {verb} resource \"{plural}\" in API group \
         \"{group}\" {place}"
    );
    Failure::new(403, "Forbidden", message).with(details.into())
}

/// The refusal of a user who may not get a path that is no resource.
#[must_use]
pub fn forbidden_path(user: &str, path: &str) -> Failure {
    let message = format!("forbidden: User \"{user}\" cannot get path \"{path}\"");
    Failure::new(403, "Forbidden", message).with(json!({}))
}

/// Group and plural.
#[must_use]
pub const fn of(served: &Served) -> (&'static str, &'static str) {
    (served.group, served.plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_users_until_its_end() {
        let mut accounts = Accounts::new(1);
        let token = accounts.issue("shop", "watcher", 1000, 60);
        let user = Some("system:serviceaccount:shop:watcher".to_owned());
        assert_eq!(accounts.user(&token, 1059), user);
        assert_eq!(accounts.user(&token, 1060), None);
        assert_eq!(accounts.user("made up", 1000), None);
        let (times, subject) = crate::api::jwt::read(&token);
        assert_eq!((times.issued, times.expires, subject), (Some(1000), Some(1060), user));
        accounts.revoke_all();
        assert_eq!(accounts.user(&token, 1001), None);
    }

    #[test]
    fn rights_are_what_was_granted() {
        let mut accounts = Accounts::new(1);
        let only = Right { namespace: Some("shop".into()), ..Right::to_watch("", "events") };
        accounts.grant("u", vec![Right::to_watch("", "pods"), only]);
        assert!(accounts.allows("u", "list", ("", "pods"), None));
        assert!(accounts.allows("u", "watch", ("", "events"), Some("shop")));
        assert!(!accounts.allows("u", "watch", ("", "events"), None));
        assert!(!accounts.allows("u", "list", ("apps", "deployments"), None));
        assert!(!accounts.allows("v", "list", ("", "pods"), None));
    }
}
