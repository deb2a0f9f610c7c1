//! Answers as a real API server gives them: headers in its order, Status bodies in its words.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use serde_json::{Map, Value, json};

use super::{body::Streamed, options::Problem};

/// The body of an answer.
pub type Body = Either<Full<Bytes>, Streamed>;

/// What the headers of every answer need.
#[derive(Clone, Debug)]
pub struct Head {
    /// A UUID of its own for each request.
    pub audit_id: String,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Flow schema and priority level, where priority and fairness has classified the request.
    pub flow: Option<[&'static str; 2]>,
    /// Further headers.
    pub more: Vec<(&'static str, &'static str)>,
}

/// The flow schema and priority level of a service account's requests.
pub const FLOW: [&str; 2] =
    ["6bc5db4c-b4a2-411f-be73-545cd6767e0b", "40fe81aa-22d0-4c81-bf83-9a8ec664591e"];

/// Those of requests without credentials.
pub const ANONYMOUS_FLOW: [&str; 2] =
    ["2cb5db48-f618-42c1-bd7e-b1074bea3a32", "970fe069-06e2-4051-a9d7-7b3a7c132ac8"];

impl Head {
    /// An answer with these headers beside the usual ones; Go writes them sorted.
    #[must_use]
    pub fn answer(
        &self,
        status: u16,
        content_type: &str,
        more: &[(&str, &str)],
        body: Body,
    ) -> Response<Body> {
        let mut headers = vec![
            ("Audit-Id", self.audit_id.as_str()),
            ("Cache-Control", "no-cache, private"),
            ("Content-Type", content_type),
        ];
        if let Some([schema, level]) = self.flow {
            headers.push(("X-Kubernetes-Pf-Flowschema-Uid", schema));
            headers.push(("X-Kubernetes-Pf-Prioritylevel-Uid", level));
        }
        headers.extend(more.iter().chain(&self.more));
        headers.sort_unstable();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.now));
        headers.push(("Date", &date));
        let length = hyper::body::Body::size_hint(&body).exact().map(|length| length.to_string());
        if let Some(length) = &length {
            headers.push(("Content-Length", length));
        }
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }

    /// Plain text.
    #[must_use]
    pub fn text(&self, status: u16, text: &'static str) -> Response<Body> {
        let nosniff = [("X-Content-Type-Options", "nosniff")];
        let body = Either::Left(Full::new(text.into()));
        self.answer(status, "text/plain; charset=utf-8", &nosniff, body)
    }

    /// JSON, whole.
    #[must_use]
    pub fn json(&self, body: impl Into<Bytes>) -> Response<Body> {
        self.answer(200, "application/json", &[], Either::Left(Full::new(body.into())))
    }

    /// A refusal.
    #[must_use]
    pub fn refuse(&self, failure: &Failure) -> Response<Body> {
        let retry = failure.retry_after.map(|seconds| seconds.to_string());
        let mut more = Vec::new();
        if let Some(seconds) = &retry {
            more.push(("Retry-After", seconds.as_str()));
        }
        if failure.code == 403 {
            more.push(("X-Content-Type-Options", "nosniff"));
        }
        let body = match failure.indented {
            true => serde_json::to_string_pretty(&failure.status()).unwrap_or_default(),
            false => format!("{}\n", failure.status()),
        };
        let body = Either::Left(Full::new(body.into()));
        self.answer(failure.code, "application/json", &more, body)
    }
}

/// Why a request fails, as a Status says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// The HTTP status.
    pub code: u16,
    /// One word for programs; empty where the server has none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// `details`, where there are any.
    pub details: Option<Box<Value>>,
    /// A token to go on with, inconsistently.
    pub next: Option<String>,
    /// Seconds to wait.
    pub retry_after: Option<u32>,
    /// Whether the JSON is indented, as content negotiation's own errors are.
    pub indented: bool,
}

impl Failure {
    /// Without details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), ..Self::default() }
    }

    /// With details.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    /// 410: the continue token is too old; `next` goes on inconsistently.
    #[must_use]
    pub fn expired_page(next: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list \
                       result. You can start a new list without the continue parameter, or use \
                       the continue token in this response to retrieve the remainder of the \
                       results. Continuing with the provided token results in an inconsistent \
                       list - objects that were created, modified, or deleted between the time \
                       the first chunk was returned and now may show up in the list.";
        Self { next: Some(next), ..Self::new(410, "Expired", message) }
    }

    /// 504: the resourceVersion is one of the future. A watch cache has waited for it before it
    /// says so, and proposes to try again.
    #[must_use]
    pub fn too_large(version: u64, revision: u64, cached: bool) -> Self {
        let message =
            format!("Timeout: Too large resource version: {version}, current: {revision}");
        let cause =
            json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        let mut details = json!({"causes": [cause]});
        if cached {
            details["retryAfterSeconds"] = 1.into();
        }
        let retry_after = cached.then_some(1);
        Self { retry_after, ..Self::new(504, "Timeout", message).with(details) }
    }

    /// 422: list options that do not go together.
    #[must_use]
    pub fn invalid_options(problems: &[Problem]) -> Self {
        let texts: Vec<_> = problems
            .iter()
            .map(|Problem { field, message, .. }| format!("{field}: {message}"))
            .collect();
        let text = match texts.as_slice() {
            [text] => text.clone(),
            texts => format!("[{}]", texts.join(", ")),
        };
        let causes: Vec<_> = problems
            .iter()
            .map(|Problem { field, reason, message }| {
                json!({"reason": reason, "message": message, "field": field})
            })
            .collect();
        let details = json!({"group": "meta.k8s.io", "kind": "ListOptions", "causes": causes});
        let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {text}");
        Self::new(422, "Invalid", message).with(details)
    }

    /// The Status object.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(next) = &self.next {
            metadata.insert("continue".into(), next.clone().into());
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            status["details"] = Value::clone(details);
        }
        status["code"] = self.code.into();
        status
    }
}
