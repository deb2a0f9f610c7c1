//! Connections, routes, who may what.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION},
};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Seen, Shared,
    answer::{ANONYMOUS_FLOW, Body, FLOW, Failure, Head},
    auth::{self, ANONYMOUS},
    body::Writer,
    fault::Fault,
    ice::Freezable,
    kinds::{METADATA, Offer, Served},
    list,
    options::Options,
    protobuf::{self, Encode},
    review,
    state::{Key, uuid},
    watch::Watch,
    write::write,
};
use crate::{api::tls::Leaf, wire::Shape};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The largest object that is taken.
const LARGEST: usize = 3 << 20;

/// Takes connections until the listener is taken away or `shared` cuts them.
pub async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, Arc::clone(shared)));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Whoever fails in the handshake or later finds it out without us.
    let _ended = converse(stream, &shared).await;
}

async fn converse(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let acceptor = TlsAcceptor::from(shared.tls());
    let connection = shared.number_connection();
    let stream = Freezable::new(stream, connection, shared.frozen.subscribe());
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let name = certificate.and_then(Leaf::read).and_then(|leaf| leaf.common_name());
    let peer = Peer { connection, name };
    let mut leave = shared.goaway.subscribe();
    let unauthorized = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (shared, peer) = (Arc::clone(shared), peer.clone());
        let unauthorized = Arc::clone(&unauthorized);
        async move {
            let response = respond(&shared, peer, request).await;
            // As on the real server, a 401 is the last answer of its connection.
            if response.status() == 401 {
                unauthorized.notify_one();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().title_case_headers(true);
    builder.http2().max_concurrent_streams(shared.options.streams);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        // Who is told to leave before an answer says so in it.
        biased;
        _ = leave.changed() => None,
        ended = serving.as_mut() => Some(ended),
        () = unauthorized.notified() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    ended.map_err(io::Error::other)
}

/// Who is at the other end.
#[derive(Clone)]
struct Peer {
    connection: u64,
    /// Whom the client's certificate names.
    name: Option<String>,
}

async fn respond(shared: &Arc<Shared>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let (audit_id, now) = (shared.audit_id(), shared.now_seconds());
    let mut head = Head { audit_id, now, flow: None, more: Vec::new() };
    match answer(shared, peer, request, &mut head).await {
        Ok(response) => response,
        Err(failure) => head.refuse(&failure),
    }
}

/// Authentication, then priority and fairness, then authorization, then the work.
async fn answer(
    shared: &Arc<Shared>,
    peer: Peer,
    request: Request<Incoming>,
    head: &mut Head,
) -> Result<Response<Body>, Failure> {
    let (request, body) = request.into_parts();
    let uri = &request.uri;
    let query = uri.query().unwrap_or_default();
    let options = Options::parse(query);
    let place = Place::find(uri.path());
    let (verb, plural) = (place.verb(&request.method, &options), place.plural());
    let accept = request.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let accept = accept.unwrap_or("*/*");
    shared.note(Seen {
        verb,
        path: uri.path().into(),
        query: query.into(),
        accept: accept.into(),
        compressed: request.headers.contains_key(ACCEPT_ENCODING),
        connection: peer.connection,
    });
    let mut in_the_answer = None;
    match shared.befall(verb, plural) {
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Headers(more)) => head.more = more,
        Some(Fault::Wait(gate)) => gate.pass().await,
        Some(Fault::Answer { status, content_type, headers, body }) => {
            let body = Either::Left(Full::new(body));
            return Ok(head.answer(status, content_type, &headers, body));
        }
        fault => in_the_answer = fault,
    }
    let user = user(shared, peer.name, &request.headers)?;
    let flow = if user == ANONYMOUS { ANONYMOUS_FLOW } else { FLOW };
    head.flow = shared.options.priority_and_fairness.then_some(flow);
    let route = match place {
        Place::Path(path) if !shared.accounts().allows_path(&user, path) => {
            return Err(auth::forbidden_path(&user, path));
        }
        Place::Path(path) => return Ok(path_answer(path, &shared.offer(), head)),
        Place::Resource(route) => route,
    };
    let of = (route.group, route.plural);
    let namespace = route.namespace;
    if let Some(review) = review::find(route.group, route.plural).filter(|_| verb == "create") {
        if !review.may_ask(&shared.accounts(), &user) {
            return Err(auth::forbidden(&user, verb, of, namespace, route.name));
        }
        let asked = object(body).await?;
        let by = review::Asked { user: &user, now: shared.now_seconds().cast_signed() };
        let answer = review.answer(route.version, &shared.accounts(), by, &asked);
        let answer = answer.map_err(|why| Failure::new(400, "BadRequest", why))?;
        let body = Either::Left(Full::new(format!("{answer}\n").into()));
        return Ok(head.answer(201, "application/json", &[], body));
    }
    if !shared.accounts().allows(&user, verb, of, namespace) {
        return Err(auth::forbidden(&user, verb, of, namespace, route.name));
    }
    let offer = shared.offer();
    if !offer.has_group(route.group, route.version) {
        return Ok(head.text(404, "404 page not found\n"));
    }
    let Some(served) = offer.find(route.group, route.version, route.plural) else {
        let message = "the server could not find the requested resource";
        return Err(Failure::new(404, "NotFound", message).with(json!({})));
    };
    if let ("create" | "patch", "leases") = (verb, served.plural) {
        return write(shared, served, namespace, route.name, object(body).await?, head);
    }
    if request.method != Method::GET {
        let message = "the server does not allow this method on the requested resource";
        return Err(Failure::new(405, "MethodNotAllowed", message).with(json!({})));
    }
    let (shape, encode) = accepted(accept, served, shared.options.protobuf)?;
    let served = match (shape, verb) {
        (Shape::Whole, _) => *served,
        (Shape::MetadataList, "list") | (Shape::Metadata, "get" | "watch") => served.as_metadata(),
        _ => return Err(not_acceptable()),
    };
    match route.name {
        Some(name) => get(shared, &served, namespace, name, head),
        None => collection(shared, served, namespace, &options, (encode, in_the_answer), head),
    }
}

fn user(shared: &Shared, peer: Option<String>, headers: &HeaderMap) -> Result<String, Failure> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(peer.unwrap_or_else(|| ANONYMOUS.into()));
    };
    let token = header.to_str().ok().and_then(|header| header.strip_prefix("Bearer "));
    let now = shared.now_seconds().cast_signed();
    let user = token.and_then(|token| shared.accounts().user(token.trim(), now));
    user.ok_or_else(|| Failure::new(401, "Unauthorized", "Unauthorized"))
}

/// The object that came with a request.
async fn object(body: Incoming) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::new(400, "BadRequest", why);
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|error| wrong(error.to_string()))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))
}

/// How much is asked for by the first offer that can be met, and what writes it, where that is not
/// JSON.
fn accepted(
    accept: &str,
    served: &Served,
    encode: Option<Encode>,
) -> Result<(Shape, Option<Encode>), Failure> {
    let met = |offer: &str| {
        let mut parts = offer.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let (shape, kind) = match parts.find_map(|part| part.strip_prefix("as=")) {
            Some("PartialObjectMetadata") => (Shape::Metadata, METADATA),
            Some("PartialObjectMetadataList") => (Shape::MetadataList, METADATA),
            _ => (Shape::Whole, served.kind),
        };
        let encode = encode.filter(|encode| !served.custom && protobuf::knows(*encode, kind));
        match media {
            protobuf::MEDIA => encode.map(|encode| (shape, Some(encode))),
            "application/json" | "application/*" | "*/*" => Some((shape, None)),
            _ => None,
        }
    };
    accept.split(',').find_map(met).ok_or_else(not_acceptable)
}

fn not_acceptable() -> Failure {
    let message = "406: Not Acceptable\n\nAvailable representations: application/json, \
                   application/yaml, application/vnd.kubernetes.protobuf, \
                   application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    Failure { indented: true, ..Failure::new(406, "NotAcceptable", message).with(json!({})) }
}

fn get(
    shared: &Shared,
    served: &Served,
    namespace: Option<&str>,
    name: &str,
    head: &Head,
) -> Result<Response<Body>, Failure> {
    let key = Key { namespace: namespace.unwrap_or_default().into(), name: name.into() };
    let snapshot = shared.state().snapshot(served.table, None).unwrap_or_default();
    let Some(object) = snapshot.get(&key) else {
        let plural = served.plural;
        let details = json!({"name": name, "kind": plural});
        let message = format!("{plural} \"{name}\" not found");
        return Err(Failure::new(404, "NotFound", message).with(details));
    };
    Ok(head.json(format!("{}\n", list::typed(served, &(served.view)(&object.body)))))
}

fn collection(
    shared: &Arc<Shared>,
    served: Served,
    namespace: Option<&str>,
    options: &Options,
    (encode, fault): (Option<Encode>, Option<Fault>),
    head: &Head,
) -> Result<Response<Body>, Failure> {
    options.validate(shared.options.streaming_lists)?;
    let (of_body, of_watch) = match fault {
        Some(Fault::Body(fault)) => (Some(fault), None),
        Some(Fault::Watch(fault)) => (None, Some(fault)),
        _ => (None, None),
    };
    let (mut writer, body) = Writer::new(of_body);
    if options.watch {
        let watch = Watch::new(served, namespace.map(str::to_owned), options, encode, of_watch)?;
        tokio::spawn(watch.run(Arc::clone(shared), writer));
    } else {
        let text = list::list(&shared.state(), &served, namespace, options)?;
        let list = match encode {
            Some(encode) => protobuf::list(encode, served.kind, &text).into(),
            None => Bytes::from(text),
        };
        tokio::spawn(async move {
            // Cut off or whole: nobody waits for the writer.
            if writer.write(list).await.is_ok() {
                let _over = writer.end().await;
            }
        });
    }
    let content_type = match encode {
        Some(_) if options.watch => protobuf::STREAM,
        Some(_) => protobuf::MEDIA,
        None => "application/json",
    };
    Ok(head.answer(200, content_type, &[], Either::Right(body)))
}

fn path_answer(path: &str, offer: &Offer, head: &Head) -> Response<Body> {
    match path {
        "/version" => head.json(serde_json::to_string_pretty(&version()).unwrap_or_default()),
        "/api" => head.json(concat!(
            r#"{"kind":"APIVersions","versions":["v1"],"#,
            r#""serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0","serverAddress":"127.0.0.1:6443"}]}"#,
            "\n"
        )),
        "/healthz" | "/livez" | "/readyz" => head.text(200, "ok"),
        path => match discovery(path, offer) {
            Some(list) => head.json(format!("{list}\n")),
            None => head.text(404, "404 page not found\n"),
        },
    }
}

/// `/api/v1`, `/apis/apps/v1`.
fn discovery(path: &str, offer: &Offer) -> Option<serde_json::Value> {
    match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["api", version] => offer.discovery("", version),
        ["apis", group, version] => offer.discovery(group, version),
        _ => None,
    }
}

fn version() -> serde_json::Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": "v1.36.0-sim",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    })
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// A path that is no resource, of any group.
    Path(&'a str),
    Resource(Route<'a>),
}

#[derive(Debug, PartialEq, Eq)]
struct Route<'a> {
    group: &'a str,
    version: &'a str,
    plural: &'a str,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn find(path: &'a str) -> Self {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Self::Path(path),
        };
        let (namespace, plural, name) = match rest {
            ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
            ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
            [plural] => (None, *plural, None),
            [plural, name] => (None, *plural, Some(*name)),
            _ => return Self::Path(path),
        };
        Self::Resource(Route { group, version, plural, namespace, name })
    }

    fn plural(&self) -> &'a str {
        match self {
            Self::Resource(route) => route.plural,
            Self::Path(path) => path,
        }
    }

    fn verb(&self, method: &Method, options: &Options) -> &'static str {
        match self {
            _ if *method == Method::POST => "create",
            _ if *method == Method::PATCH => "patch",
            Self::Resource(Route { name: None, .. }) if options.watch => "watch",
            Self::Resource(Route { name: None, .. }) => "list",
            _ => "get",
        }
    }
}

impl Shared {
    fn audit_id(&self) -> String {
        uuid(&mut self.random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let resource = |group, plural, namespace, name| {
            Place::Resource(Route { group, version: "v1", plural, namespace, name })
        };
        for (path, expected) in [
            ("/api/v1/pods", resource("", "pods", None, None)),
            ("/api/v1/namespaces/shop/pods", resource("", "pods", Some("shop"), None)),
            ("/api/v1/namespaces/shop/pods/a", resource("", "pods", Some("shop"), Some("a"))),
            ("/api/v1/namespaces/shop", resource("", "namespaces", None, Some("shop"))),
            ("/apis/apps/v1/deployments", resource("apps", "deployments", None, None)),
            ("/apis/batch/v1/nothings", resource("batch", "nothings", None, None)),
            ("/apis/none.example/v1/things", resource("none.example", "things", None, None)),
            ("/api/v1", Place::Path("/api/v1")),
            ("/livez", Place::Path("/livez")),
            ("/", Place::Path("/")),
        ] {
            assert_eq!(Place::find(path), expected, "{path}");
        }
    }
}
