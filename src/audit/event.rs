//! One audit event, as far as it is read (`audit.k8s.io/v1`, `Event`): who asked for what, and what
//! was answered.

use std::borrow::Cow;

use super::{Decision, User, Verb};
use crate::{
    kinds,
    wire::{
        message::message,
        text::Text,
        values::{Map, Time},
    },
};

message! {
    /// What happened to a request at one stage of its handling.
    pub struct Event<'a> {
        /// The request's own, or what its client called it.
        2 "auditID" pub id: Text<'a>,
        /// How far the request is.
        3 "stage" pub stage: Text<'a>,
        4 "requestURI" uri: Text<'a>,
        5 "verb" verb: Text<'a>,
        6 "user" user: UserInfo<'a>,
        9 "objectRef" object: ObjectReference<'a>,
        10 "responseStatus" status: ResponseStatus,
        /// When it came so far.
        14 "stageTimestamp" pub at: Time,
        15 "annotations" annotations: Map<'a>,
    }
}

message! {
    /// Who the API server took the client for; not whom they impersonated.
    struct UserInfo<'a> {
        1 "username" name: Text<'a>,
        3 "groups" groups: Vec<Text<'a>>,
    }
}

message! {
    struct ObjectReference<'a> {
        1 "resource" resource: Text<'a>,
        5 "apiGroup" group: Text<'a>,
        6 "apiVersion" version: Text<'a>,
        8 "subresource" subresource: Text<'a>,
    }
}

message! {
    struct ResponseStatus {
        6 "code" code: i64,
    }
}

/// A service account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceAccount<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Event<'_> {
    /// Whether its request is counted by this event. Each request is by one: by its answer's start
    /// where it runs long and where its credentials were refused, which has no other stage, and by
    /// its answer's end otherwise (kubernetes/kubernetes, `apiserver/pkg/endpoints/filters`,
    /// `WithAudit` and `WithFailedAuthenticationAudit`).
    #[must_use]
    pub fn counts(&self) -> bool {
        match &*self.stage {
            "ResponseStarted" => true,
            "ResponseComplete" | "Panic" => !self.runs_long(),
            _ => false,
        }
    }

    /// Whether the API server tells of its answer's start, too (`BasicLongRunningRequestCheck`, and
    /// what kube-apiserver gives to it).
    fn runs_long(&self) -> bool {
        let path = self.object.resource.is_empty() && self.uri.starts_with("/debug/pprof/");
        path || ["watch", "proxy"].contains(&&*self.verb)
            || ["attach", "exec", "proxy", "log", "portforward"]
                .contains(&&*self.object.subresource)
    }

    /// Who asked.
    #[must_use]
    pub fn user(&self) -> User {
        let UserInfo { name, groups } = &self.user;
        user(name, groups.iter().map(|group| &**group))
    }

    /// The service account that asked, if one did.
    #[must_use]
    pub fn service_account(&self) -> Option<ServiceAccount<'_>> {
        service_account(&self.user.name)
    }

    /// What was asked for.
    #[must_use]
    pub fn verb(&self) -> Verb {
        Verb::ALL.iter().find(|verb| verb.as_str() == &*self.verb).copied().unwrap_or(Verb::Other)
    }

    /// Of what, as a rule of a role names it: `pods`, `pods/log`; with its group, as in
    /// `widgets.example.com`, where Kubetally does not know the resource. Empty for a path that is
    /// none.
    #[must_use]
    pub fn resource(&self) -> Cow<'_, str> {
        let ObjectReference { resource, group, subresource, .. } = &self.object;
        let known = kinds::find(resource).is_some_and(|known| known.group() == &**group);
        match (known || group.is_empty(), subresource.is_empty()) {
            (true, true) => Cow::Borrowed(resource),
            (true, false) => format!("{}/{}", &**resource, &**subresource).into(),
            (false, true) => format!("{}.{}", &**resource, &**group).into(),
            (false, false) => format!("{}.{}/{}", &**resource, &**group, &**subresource).into(),
        }
    }

    /// The plural alone, without group and subresource.
    #[must_use]
    pub fn plural(&self) -> &str {
        &self.object.resource
    }

    /// Group and version of the resource, such as `v1` or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> Cow<'_, str> {
        match self.object.group.is_empty() {
            true => Cow::Borrowed(&self.object.version),
            false => format!("{}/{}", &*self.object.group, &*self.object.version).into(),
        }
    }

    /// The HTTP status of the answer; `None` where there is none.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        u16::try_from(self.status.code).ok().filter(|code| (100..600).contains(code))
    }

    /// What authorization said.
    #[must_use]
    pub fn decision(&self) -> Decision {
        match self.annotation("authorization.k8s.io/decision") {
            Some("allow") => Decision::Allow,
            Some(_) => Decision::Forbid,
            None => Decision::None,
        }
    }

    /// Whether its client's token should have been replaced: the API server takes it for a year at
    /// most, though it was issued for an hour ("Managing Service Accounts", bound tokens).
    #[must_use]
    pub fn has_stale_token(&self) -> bool {
        self.annotation("authentication.k8s.io/stale-token").is_some()
    }

    /// The release in which the API asked for is gone, such as `1.32`, empty where none is named;
    /// `None` of an API that is not deprecated ("Audit Annotations").
    #[must_use]
    pub fn deprecated(&self) -> Option<&str> {
        self.annotation("k8s.io/deprecated").filter(|deprecated| *deprecated == "true")?;
        Some(self.annotation("k8s.io/removed-release").unwrap_or_default())
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(|value| &**value)
    }
}

/// Who a user is by name and groups. Names that begin with `system:` are Kubernetes' own
/// ("Using RBAC Authorization", "Referring to subjects"); a kubelet is a user `system:node:…` of the
/// group `system:nodes` ("Using Node Authorization"), a service account
/// `system:serviceaccount:NAMESPACE:NAME` ("Authenticating", "Service account tokens").
#[must_use]
pub fn user<'g>(name: &str, groups: impl IntoIterator<Item = &'g str>) -> User {
    if name.is_empty() {
        return User::Unknown;
    }
    if service_account(name).is_some() {
        return User::ServiceAccount;
    }
    match name.strip_prefix("system:") {
        None => User::Human,
        Some("anonymous") => User::Anonymous,
        Some(rest) => {
            let node = rest.strip_prefix("node:").is_some_and(|node| !node.is_empty());
            match node && groups.into_iter().any(|group| group == "system:nodes") {
                true => User::Node,
                false => User::System,
            }
        }
    }
}

/// The service account that a user's name stands for.
#[must_use]
pub fn service_account(name: &str) -> Option<ServiceAccount<'_>> {
    let (namespace, name) = name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let whole = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    whole.then_some(ServiceAccount { namespace, name })
}

#[cfg(test)]
mod tests;
