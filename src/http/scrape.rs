//! GET /metrics: what the client can read, of what it asked for.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY},
};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::Instant;

use crate::{
    exposition::{Collect, Exposition, Format, Wanted, catalogue, pieces::Pieces},
    kinds,
    telemetry::Telemetry,
};

/// Writes scrapes. What is collected is bounded by caps, so a scrape is written and compressed
/// where it is asked for; whoever is collected from is never waited for.
pub struct Scrapes {
    collectors: Vec<Arc<dyn Collect>>,
    telemetry: Telemetry,
}

impl Scrapes {
    /// Scrapes that show what these collect.
    #[must_use]
    pub fn new(collectors: Vec<Arc<dyn Collect>>, telemetry: Telemetry) -> Self {
        Self { collectors, telemetry }
    }

    pub(super) fn answer(&self, headers: &HeaderMap, query: &str) -> Response<super::Body> {
        let wanted = match wanted(query) {
            Ok(wanted) => wanted,
            Err(message) => return super::text(StatusCode::BAD_REQUEST, message),
        };
        let started = Instant::now();
        let format = format(headers);
        let mut out = Exposition::of(format, wanted);
        for collector in &self.collectors {
            collector.collect(&mut out);
        }
        let gzip = accepts_gzip(headers);
        let pieces = out.pieces(gzip);
        let bounded = pieces.is_bounded();
        let telemetry = self.telemetry.clone();
        let written = Written { pieces, gzip, started, size: 0, telemetry };
        let mut response = match bounded {
            // So small that its length can be told.
            true => super::respond(StatusCode::OK, format.content_type(), written.whole()),
            false => {
                let written = written.boxed_unsync();
                super::respond_with(StatusCode::OK, format.content_type(), written)
            }
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// A scrape that is written while it is read.
#[derive(Debug)]
pub struct Written {
    pieces: Pieces,
    gzip: bool,
    started: Instant,
    size: usize,
    telemetry: Telemetry,
}

impl Written {
    fn whole(mut self) -> Bytes {
        let pieces: Vec<Bytes> = std::iter::from_fn(|| self.next()).collect();
        pieces.concat().into()
    }

    /// The next piece that is not empty; after the last one, the scrape is counted.
    fn next(&mut self) -> Option<Bytes> {
        let next = self.pieces.by_ref().find(|piece| !piece.is_empty());
        match &next {
            Some(piece) => self.size += piece.len(),
            None => {
                let encoding = if self.gzip { "gzip" } else { "identity" };
                self.telemetry.scrape(encoding, self.started.elapsed(), self.size);
            }
        }
        next
    }
}

impl Body for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }
}

/// What is named by `name[]` and `resource[]`; and by `resources` and `exclude_resources`, which are
/// those of kube-state-metrics. Other parameters are for others.
fn wanted(query: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "name[]" => wanted.families.push(known_family(value.into_owned())?),
            "resource[]" | "resources" => wanted.resources.extend(known_resources(&value)?),
            "exclude_resources" => wanted.excluded.extend(known_resources(&value)?),
            _ => {}
        }
    }
    Ok(wanted)
}

fn known_family(name: String) -> Result<String, String> {
    let tallies = catalogue::ALL.iter().map(|metric| metric.name);
    let details = kinds::TABLE.iter().flat_map(|resource| resource.families).map(|of| of.name);
    match tallies.chain(details).any(|known| known == name) {
        true => Ok(name),
        false => Err(format!("no metric is called {name:?}; `kubetally metrics` lists them all\n")),
    }
}

fn known_resources(list: &str) -> Result<Vec<&'static str>, String> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let known = |name| match kinds::find(name) {
        Some(resource) => Ok(&*resource.name),
        None => Err(format!("no resource is called {name:?}\n")),
    };
    names.map(known).collect()
}

/// OpenMetrics for who prefers it, else the text format.
fn format(headers: &HeaderMap) -> Format {
    let open = |(range, parameters): &Offer| {
        let version = parameters.iter().find_map(|p| p.strip_prefix("version="));
        range == "application/openmetrics-text" && version.is_none_or(|v| v == "1.0.0")
    };
    let text = |(range, _): &Offer| ["text/plain", "text/*", "*/*"].contains(&range.as_str());
    let offers = weighted(headers, &ACCEPT);
    let best = |wanted: &dyn Fn(&Offer) -> bool| {
        offers.iter().filter(|(offer, _)| wanted(offer)).map(|(_, q)| *q).fold(0.0, f64::max)
    };
    match best(&open) {
        q if q > 0.0 && q >= best(&text) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let offers = weighted(headers, &ACCEPT_ENCODING);
    let weight =
        |coding: &str| offers.iter().find(|((name, _), _)| name == coding).map(|(_, q)| *q);
    weight("gzip").or_else(|| weight("*")).is_some_and(|q| q > 0.0)
}

/// What a client takes: its name and parameters.
type Offer = (String, Vec<String>);

/// The elements of an Accept header: name, parameters, weight (RFC 9110, 12.4.2).
fn weighted(headers: &HeaderMap, name: &HeaderName) -> Vec<(Offer, f64)> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let element = |element: &str| {
        let mut parts = element.split(';').map(|part| part.trim().to_ascii_lowercase());
        let name = parts.next().unwrap_or_default();
        let (weight, parameters): (Vec<_>, Vec<_>) = parts.partition(|p| p.starts_with("q="));
        let q = weight.first().map_or(Some(1.0), |q| q[2..].parse().ok());
        ((name, parameters), q.unwrap_or(0.0))
    };
    values.flat_map(|value| value.split(',').map(element)).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[rstest]
    #[case::prometheus_3(
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        Format::OpenMetrics
    )]
    #[case::prometheus_2(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        Format::OpenMetrics
    )]
    #[case("text/plain", Format::Text)]
    #[case("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text)]
    #[case("*/*", Format::Text)]
    #[case("application/openmetrics-text;version=2.0.0", Format::Text)]
    #[case("application/openmetrics-text;q=0", Format::Text)]
    #[case("application/openmetrics-text;q=0.1, text/plain", Format::Text)]
    #[case("", Format::Text)]
    #[case("application/openmetrics-text;q=nonsense", Format::Text)]
    fn formats(#[case] accept: &'static str, #[case] expected: Format) {
        assert_eq!(format(&headers(ACCEPT, accept)), expected);
    }

    #[rstest]
    #[case("gzip", true)]
    #[case("gzip, deflate, br", true)]
    #[case("GZip;q=0.5", true)]
    #[case("gzip;q=0", false)]
    #[case("identity, *;q=0", false)]
    #[case("*", true)]
    #[case("br", false)]
    #[case("", false)]
    fn encodings(#[case] accept: &'static str, #[case] expected: bool) {
        assert_eq!(accepts_gzip(&headers(ACCEPT_ENCODING, accept)), expected);
    }

    #[rstest]
    #[case("", Ok(vec![]))]
    #[case("name[]=kubetally_pods", Ok(vec!["kubetally_pods".to_owned()]))]
    #[case(
        "name%5B%5D=kubetally_pods&x=1&name[]=kubetally_objects",
        Ok(vec!["kubetally_pods".to_owned(), "kubetally_objects".to_owned()])
    )]
    fn filters(#[case] query: &str, #[case] expected: Result<Vec<String>, String>) {
        assert_eq!(wanted(query).map(|wanted| wanted.families), expected);
    }

    #[test]
    fn an_unknown_name_is_told() {
        let message = wanted("name[]=kubetally_podz").expect_err("there is no such metric");
        assert!(message.contains("kubetally_podz"), "{message}");
        let message = wanted("resource[]=podz").expect_err("there is no such resource");
        assert!(message.contains("podz"), "{message}");
    }

    #[rstest]
    #[case("resource[]=pods", &["pods"], &[])]
    #[case("resource[]=pods&resource[]=nodes", &["pods", "nodes"], &[])]
    #[case("resources=pods,%20nodes,", &["pods", "nodes"], &[])]
    #[case("exclude_resources=pods&resources=nodes", &["nodes"], &["pods"])]
    fn some_resources(#[case] query: &str, #[case] resources: &[&str], #[case] excluded: &[&str]) {
        let wanted = wanted(query).expect("known resources");
        assert_eq!((&*wanted.resources, &*wanted.excluded), (resources, excluded));
    }
}
