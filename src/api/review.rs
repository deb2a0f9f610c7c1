//! Reviews: who we are to the API server, which rules hold for us, whether we may do something
//! (the API groups `authentication.k8s.io` and `authorization.k8s.io`), which whoever has
//! authenticated may ask (the role `system:basic-user`); and of others, whose token one is and
//! whether they may, which needs rights of its own (the role `system:auth-delegator`).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    TransportReason, Verb,
    client::{Client, Trouble, silent},
    connection::Connection,
    request::Ask,
};
use crate::{access::rules::Rules, rbac::Permission, watch::machine::FailureKind};

/// How long an answer may take; an exec plugin may run first.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where SelfSubjectReviews are: since 1.28, and in 1.27 as a beta.
const IDENTITIES: [&str; 2] = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"];
/// Where TokenReviews are.
const TOKENS: &str = IDENTITIES[0];
/// Where the others are.
const RIGHTS: &str = "authorization.k8s.io/v1";
/// What no namespace is called: no RoleBinding is in it, so that its rules are those of
/// ClusterRoleBindings. The API server does not ask whether it exists.
const NOWHERE: &str = "*";
/// How much of a username is kept.
const NAME: usize = 256;

/// Reviews, one after the other on one connection.
#[derive(Debug)]
pub struct Reviews<'a> {
    client: &'a Client,
    connection: Option<Connection>,
}

#[derive(Deserialize)]
struct Review<T> {
    status: T,
}

/// `TokenReviewStatus`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Authentication {
    authenticated: bool,
    user: User,
}

/// `UserInfo`: whom a token is of, as authorization wants to know it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct User {
    #[serde(rename(serialize = "user"))]
    username: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

/// `SelfSubjectReviewStatus`: of all it says, only the name is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Identity {
    user_info: UserInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UserInfo {
    username: String,
}

/// `SubjectAccessReviewStatus`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Decision {
    allowed: bool,
    denied: bool,
    evaluation_error: String,
}

impl Client {
    /// Reviews on a connection of their own, which is dialled when it is needed.
    #[must_use]
    pub const fn reviews(&self) -> Reviews<'_> {
        Reviews { client: self, connection: None }
    }
}

impl Reviews<'_> {
    /// Whom the API server takes us for; `None` where it does not say.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn identity(&mut self) -> Result<Option<String>, Trouble> {
        for api_version in IDENTITIES {
            let review: Result<Identity, _> =
                self.review(api_version, "SelfSubjectReview", None).await;
            match review {
                Ok(Identity { user_info }) => return Ok(name(&user_info.username)),
                Err(trouble) if trouble.failure.kind == FailureKind::NotFound => {}
                Err(trouble) if is_refusal(&trouble) => return Ok(None),
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(None)
    }

    /// The rules that hold for us in a namespace, or in all of them (`None`).
    ///
    /// # Errors
    /// Where there is no answer. Whom the API server tells no rules has unknown ones.
    pub async fn rules(&mut self, namespace: Option<&str>) -> Result<Rules, Trouble> {
        let spec = json!({"namespace": namespace.unwrap_or(NOWHERE)});
        match self.review(RIGHTS, "SelfSubjectRulesReview", Some(spec)).await {
            Err(trouble) if is_refusal(&trouble) => Ok(Rules::unknown()),
            rules => rules,
        }
    }

    /// Whether we may; `None` where an authorizer failed, so that nobody knows.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn allowed(&mut self, permission: &Permission) -> Result<Option<bool>, Trouble> {
        let Permission { verb, group, resource, namespace, name, .. } = permission;
        let attributes = json!({
            "verb": verb.as_str(),
            "group": group,
            "resource": resource,
            "namespace": namespace,
            "name": name,
        });
        let spec = json!({"resourceAttributes": attributes});
        let Decision { allowed, denied, evaluation_error } =
            self.review(RIGHTS, "SelfSubjectAccessReview", Some(spec)).await?;
        Ok((allowed || denied || evaluation_error.is_empty()).then_some(allowed))
    }

    /// Whose token this is; `None` where the API server does not know it.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn user_of(&mut self, token: &str) -> Result<Option<User>, Trouble> {
        let spec = Some(json!({"token": token}));
        let Authentication { authenticated, user } =
            self.review(TOKENS, "TokenReview", spec).await?;
        Ok(authenticated.then_some(user))
    }

    /// Whether a user may get a path that is no resource.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn may_get(&mut self, user: &User, path: &str) -> Result<bool, Trouble> {
        let mut spec = json!(user);
        spec["nonResourceAttributes"] = json!({"verb": Verb::Get.as_str(), "path": path});
        let Decision { allowed, .. } =
            self.review(RIGHTS, "SubjectAccessReview", Some(spec)).await?;
        Ok(allowed)
    }

    /// The status that answers a review.
    async fn review<T: DeserializeOwned>(
        &mut self,
        api_version: &str,
        kind: &'static str,
        spec: Option<Value>,
    ) -> Result<T, Trouble> {
        let plural = format!("{}s", kind.to_lowercase());
        let path = format!("/apis/{api_version}/{plural}");
        let mut review = json!({"apiVersion": api_version, "kind": kind});
        if let Some(spec) = spec {
            review["spec"] = spec;
        }
        let ask = Ask::send(Verb::Create, plural, path, &review);
        let asked = self.client.document(&ask, self.connection.take());
        let (Review { status }, connection) = match timeout(PATIENCE, asked).await {
            Ok(answer) => answer?,
            Err(_) => {
                self.client.telemetry.transport_error(TransportReason::ReadTimeout);
                return Err(silent().into());
            }
        };
        self.connection = Some(connection);
        Ok(status)
    }
}

/// Whether the API server has no such review, or none for us.
fn is_refusal(trouble: &Trouble) -> bool {
    matches!(trouble.failure.kind, FailureKind::Forbidden | FailureKind::NotFound)
}

/// A username, bounded and fit to be shown.
fn name(username: &str) -> Option<String> {
    let name: String = username.chars().filter(|c| !c.is_control()).take(NAME).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded<T: DeserializeOwned>(file: &str) -> T {
        let path = format!("{}/tests/data/wire/review/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("a recording");
        let Review { status } = serde_json::from_str(&text).expect("a review");
        status
    }

    #[test]
    fn recorded_reviews_are_read() {
        assert!(recorded::<Decision>("access-allowed.json").allowed);
        assert!(!recorded::<Decision>("access-denied.json").allowed);
        let Identity { user_info } = recorded("whoami.json");
        assert_eq!(user_info.username, "system:serviceaccount:shop:watcher");
    }

    #[test]
    fn a_username_is_bounded() {
        assert_eq!(name(""), None);
        assert_eq!(name("a\nb").as_deref(), Some("ab"));
        assert_eq!(name(&"ä".repeat(1000)).map(|name| name.chars().count()), Some(NAME));
    }
}
