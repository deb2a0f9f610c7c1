//! The daemon's own metrics: counters and histograms of the `prometheus` crate, each made from its
//! declaration in the catalogue. Gauges of state are not kept here: whoever holds the state shows
//! them at the scrape.

use std::{sync::Arc, time::Duration};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::Collector,
    process_collector::ProcessCollector,
    proto::{MetricFamily, MetricType},
};

use crate::{
    api::{
        Phase, ReloadResult, ReloadTrigger, Reviewed, ThrottleSource, TlsFailure, TransportReason,
        UnauthorizedCause, Verb,
    },
    canary,
    exposition::{
        Collect, Exposition,
        catalogue::{self, Metric, Values, code},
    },
    http::Refusal,
    probe::{Failed, Question, Way},
    rbac,
    watch::{EndCause, Op, RelistCause, SyncMode},
};

/// Where everything that happens is counted. A cheap handle.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    request_duration: HistogramVec,
    phase_duration: HistogramVec,
    requests: IntCounterVec,
    transport_errors: IntCounterVec,
    retries: IntCounterVec,
    throttled: IntCounterVec,
    retry_after: HistogramVec,
    in_flight: IntGaugeVec,
    warnings: IntCounterVec,
    probe_duration: HistogramVec,
    probe_failures: IntCounterVec,
    canary_roundtrip: HistogramVec,
    canary_failures: IntCounterVec,
    watch_start: HistogramVec,
    watch_sync: HistogramVec,
    watch_stream: HistogramVec,
    watch_ends: IntCounterVec,
    relists: IntCounterVec,
    notifications: IntCounterVec,
    foreign: IntCounterVec,
    delivery_lag: HistogramVec,
    apply: HistogramVec,
    auth_failures: IntCounterVec,
    unauthorized: IntCounterVec,
    token_reloads: IntCounterVec,
    permission_checks: IntCounterVec,
    tls_failures: IntCounterVec,
    ca_reloads: IntCounterVec,
    turned_away: IntCounterVec,
    scrape_duration: HistogramVec,
    scrape_size: IntGaugeVec,
}

/// A request under way: it leaves the gauge when this is dropped.
#[derive(Debug)]
pub struct InFlight(prometheus::IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is counted of one resource at each notification: these series are found once.
#[derive(Debug)]
pub struct Intake {
    notifications: [IntCounter; Op::ALL.len()],
    delivery_lag: Histogram,
    apply: Histogram,
}

impl Intake {
    /// Notifications were decoded.
    pub fn notifications(&self, op: Op, n: u64) {
        self.notifications[op as usize].inc_by(n);
    }

    /// An object reached us so long after its creation, in seconds.
    pub fn delivery_lag(&self, lag: f64) {
        self.delivery_lag.observe(lag.max(0.0));
    }

    /// Notifications that arrived together were decoded and counted in this time.
    pub fn apply(&self, took: Duration) {
        self.apply.observe(took.as_secs_f64());
    }
}

impl Telemetry {
    /// For the resources that are watched: their series start at 0.
    ///
    /// # Errors
    /// Where the catalogue has something that `prometheus` refuses.
    pub fn new(resources: &[&str]) -> prometheus::Result<Self> {
        let make = Maker { registry: Registry::new(), resources };
        let inner = Inner {
            request_duration: make.histogram(&catalogue::API_REQUEST_DURATION_SECONDS)?,
            phase_duration: make.histogram(&catalogue::API_REQUEST_PHASE_DURATION_SECONDS)?,
            requests: make.counter(&catalogue::API_REQUESTS_TOTAL)?,
            transport_errors: make.counter(&catalogue::API_TRANSPORT_ERRORS_TOTAL)?,
            retries: make.counter(&catalogue::API_RETRIES_TOTAL)?,
            throttled: make.counter(&catalogue::API_THROTTLED_TOTAL)?,
            retry_after: make.histogram(&catalogue::API_RETRY_AFTER_SECONDS)?,
            in_flight: make.gauge(&catalogue::API_REQUESTS_IN_FLIGHT)?,
            warnings: make.counter(&catalogue::API_WARNINGS_TOTAL)?,
            probe_duration: make.histogram(&catalogue::API_PROBE_DURATION_SECONDS)?,
            probe_failures: make.counter(&catalogue::API_PROBE_FAILURES_TOTAL)?,
            canary_roundtrip: make.histogram(&catalogue::WATCH_CANARY_ROUNDTRIP_SECONDS)?,
            canary_failures: make.counter(&catalogue::WATCH_CANARY_FAILURES_TOTAL)?,
            watch_start: make.histogram(&catalogue::WATCH_START_DURATION_SECONDS)?,
            watch_sync: make.histogram(&catalogue::WATCH_SYNC_DURATION_SECONDS)?,
            watch_stream: make.histogram(&catalogue::WATCH_STREAM_DURATION_SECONDS)?,
            watch_ends: make.counter(&catalogue::WATCH_ENDS_TOTAL)?,
            relists: make.counter(&catalogue::WATCH_RELISTS_TOTAL)?,
            notifications: make.counter(&catalogue::WATCH_NOTIFICATIONS_TOTAL)?,
            foreign: make.counter(&catalogue::WATCH_FOREIGN_OBJECTS_TOTAL)?,
            delivery_lag: make.histogram(&catalogue::WATCH_DELIVERY_LAG_SECONDS)?,
            apply: make.histogram(&catalogue::WATCH_APPLY_DURATION_SECONDS)?,
            auth_failures: make.counter(&catalogue::AUTH_FAILURES_TOTAL)?,
            unauthorized: make.counter(&catalogue::AUTH_UNAUTHORIZED_TOTAL)?,
            token_reloads: make.counter(&catalogue::TOKEN_RELOADS_TOTAL)?,
            permission_checks: make.counter(&catalogue::PERMISSION_CHECKS_TOTAL)?,
            tls_failures: make.counter(&catalogue::TLS_HANDSHAKE_FAILURES_TOTAL)?,
            ca_reloads: make.counter(&catalogue::CA_RELOADS_TOTAL)?,
            turned_away: make.counter(&catalogue::HTTP_REFUSALS_TOTAL)?,
            scrape_duration: make.histogram(&catalogue::SCRAPE_DURATION_SECONDS)?,
            scrape_size: make.gauge(&catalogue::SCRAPE_SIZE_BYTES)?,
            registry: make.registry,
        };
        inner.registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self(Arc::new(inner)))
    }

    /// A request was sent.
    #[must_use]
    pub fn request_started(&self, verb: Verb) -> InFlight {
        let gauge = self.0.in_flight.with_label_values(&[verb.as_str()]);
        gauge.inc();
        InFlight(gauge)
    }

    /// A request was answered with this status.
    pub fn request_answered(&self, verb: Verb, resource: &str, status: u16) {
        let labels = [verb.as_str(), resource, code(status)];
        self.0.requests.with_label_values(&labels).inc();
        if let 401 | 403 = status {
            self.0.auth_failures.with_label_values(&[code(status), verb.as_str(), resource]).inc();
        }
    }

    /// An attempt was over after this time: at its last byte, of a watch at its headers.
    pub fn request_took(&self, verb: Verb, resource: &str, took: Duration) {
        observe(&self.0.request_duration, &[verb.as_str(), resource], took);
    }

    /// An attempt ended without a status, or in the middle of its answer.
    pub fn transport_error(&self, reason: TransportReason) {
        self.0.transport_errors.with_label_values(&[reason.as_str()]).inc();
    }

    /// A part of an attempt took so long.
    pub fn phase(&self, phase: Phase, took: Duration) {
        observe(&self.0.phase_duration, &[phase.as_str()], took);
    }

    /// An attempt follows a failed one.
    pub fn retry(&self, verb: Verb, resource: &str) {
        self.0.retries.with_label_values(&[verb.as_str(), resource]).inc();
    }

    /// A refusal: who throttled us, if it is that, and how long the server asks us to wait.
    pub fn refused(&self, throttle: Option<ThrottleSource>, wait: Option<Duration>) {
        if let Some(source) = throttle {
            self.0.throttled.with_label_values(&[source.as_str()]).inc();
        }
        if let Some(wait) = wait {
            observe(&self.0.retry_after, &[], wait);
        }
    }

    /// A Warning header.
    pub fn api_warning(&self) {
        self.0.warnings.with_label_values::<&str>(&[]).inc();
    }

    /// An API server will be probed: its series start at 0.
    pub fn probing(&self, endpoint: &str) {
        for question in Question::VALUES {
            for way in Way::VALUES {
                self.0.probe_duration.with_label_values(&[endpoint, question, way]);
            }
            for reason in Failed::VALUES {
                self.0.probe_failures.with_label_values(&[endpoint, question, reason]);
            }
        }
    }

    /// A probe was answered after this time.
    pub fn probe(&self, endpoint: &str, question: Question, way: Way, took: Duration) {
        let labels = [endpoint, question.as_str(), way.as_str()];
        observe(&self.0.probe_duration, &labels, took);
    }

    /// A probe was not answered as it should be.
    pub fn probe_failed(&self, endpoint: &str, question: Question, reason: Failed) {
        let labels = [endpoint, question.as_str(), reason.as_str()];
        self.0.probe_failures.with_label_values(&labels).inc();
    }

    /// There is a canary: its series start at 0.
    pub fn flying(&self) {
        self.0.canary_roundtrip.with_label_values::<&str>(&[]);
        for cause in canary::Failed::VALUES {
            self.0.canary_failures.with_label_values(&[cause]);
        }
    }

    /// A canary came back on its watch after this time.
    pub fn canary(&self, took: Duration) {
        observe(&self.0.canary_roundtrip, &[], took);
    }

    /// A canary did not come back.
    pub fn canary_failed(&self, cause: canary::Failed) {
        self.0.canary_failures.with_label_values(&[cause.as_str()]).inc();
    }

    /// A watch gave its headers after this time.
    pub fn watch_start(&self, resource: &str, took: Duration) {
        observe(&self.0.watch_start, &[resource], took);
    }

    /// A list is complete after this time.
    pub fn watch_sync(&self, resource: &str, mode: SyncMode, took: Duration) {
        observe(&self.0.watch_sync, &[resource, mode.as_str()], took);
    }

    /// A watch ended after this time.
    pub fn watch_stream(&self, resource: &str, lived: Duration) {
        observe(&self.0.watch_stream, &[resource], lived);
    }

    /// A watch ended, or could not be opened.
    pub fn watch_end(&self, resource: &str, cause: EndCause) {
        self.0.watch_ends.with_label_values(&[resource, cause.as_str()]).inc();
    }

    /// Everything is listed again.
    pub fn relist(&self, resource: &str, cause: RelistCause) {
        self.0.relists.with_label_values(&[resource, cause.as_str()]).inc();
    }

    /// What grows with each notification of this resource.
    #[must_use]
    pub fn intake(&self, resource: &str) -> Intake {
        let Inner { notifications, delivery_lag, apply, .. } = &*self.0;
        let counter = |op: Op| notifications.with_label_values(&[resource, op.as_str()]);
        Intake {
            notifications: std::array::from_fn(|at| counter(Op::ALL[at])),
            delivery_lag: delivery_lag.with_label_values(&[resource]),
            apply: apply.with_label_values(&[resource]),
        }
    }

    /// A resource is watched by shards: its series starts at 0.
    pub fn sharded(&self, resource: &str) {
        self.0.foreign.with_label_values(&[resource]);
    }

    /// An object came that is another shard's.
    pub fn foreign(&self, resource: &str) {
        self.0.foreign.with_label_values(&[resource]).inc();
    }

    /// A 401, explained.
    pub fn unauthorized(&self, cause: UnauthorizedCause) {
        self.0.unauthorized.with_label_values(&[cause.as_str()]).inc();
    }

    /// The token was read again.
    pub fn token_reload(&self, trigger: ReloadTrigger, result: ReloadResult) {
        self.0.token_reloads.with_label_values(&[trigger.as_str(), result.as_str()]).inc();
    }

    /// The CA and client certificate files were read again.
    pub fn ca_reload(&self, result: ReloadResult) {
        self.0.ca_reloads.with_label_values(&[result.as_str()]).inc();
    }

    /// An access review came to this.
    pub fn permission_check(&self, reviewed: Reviewed) {
        self.0.permission_checks.with_label_values(&[reviewed.as_str()]).inc();
    }

    /// A TLS handshake failed.
    pub fn tls_handshake_failure(&self, reason: TlsFailure) {
        self.0.tls_failures.with_label_values(&[reason.as_str()]).inc();
    }

    /// A client of our listener was turned away.
    pub fn turned_away(&self, why: Refusal) {
        self.0.turned_away.with_label_values(&[why.as_str()]).inc();
    }

    /// A scrape of our own metrics was written.
    pub fn scrape(&self, encoding: &str, took: Duration, bytes: usize) {
        observe(&self.0.scrape_duration, &[], took);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.0.scrape_size.with_label_values(&[encoding]).set(bytes);
    }
}

fn observe(histogram: &HistogramVec, labels: &[&str], took: Duration) {
    histogram.with_label_values(labels).observe(took.as_secs_f64());
}

/// Families of which most series would stay 0 for ever, or all where something is off: each starts
/// when it happens, or is known to be able to.
const LATE: [&str; 5] = [
    catalogue::WATCH_FOREIGN_OBJECTS_TOTAL.name,
    catalogue::API_REQUEST_DURATION_SECONDS.name,
    catalogue::API_REQUESTS_TOTAL.name,
    catalogue::WATCH_CANARY_ROUNDTRIP_SECONDS.name,
    catalogue::WATCH_CANARY_FAILURES_TOTAL.name,
];

/// Makes families from their declarations.
struct Maker<'a> {
    registry: Registry,
    resources: &'a [&'a str],
}

impl Maker<'_> {
    fn counter(&self, metric: &'static Metric) -> prometheus::Result<IntCounterVec> {
        let vec = IntCounterVec::new(opts(metric), &metric.label_names())?;
        self.each(metric, |labels| vec.get_metric_with_label_values(labels).map(|_| ()))?;
        self.register(vec)
    }

    fn gauge(&self, metric: &'static Metric) -> prometheus::Result<IntGaugeVec> {
        let vec = IntGaugeVec::new(opts(metric), &metric.label_names())?;
        self.each(metric, |labels| vec.get_metric_with_label_values(labels).map(|_| ()))?;
        self.register(vec)
    }

    fn histogram(&self, metric: &'static Metric) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::from(opts(metric)).buckets(metric.kind.buckets().to_vec());
        let vec = HistogramVec::new(opts, &metric.label_names())?;
        self.each(metric, |labels| vec.get_metric_with_label_values(labels).map(|_| ()))?;
        self.register(vec)
    }

    fn register<C: Collector + Clone + 'static>(&self, vec: C) -> prometheus::Result<C> {
        self.registry.register(Box::new(vec.clone()))?;
        Ok(vec)
    }

    /// Starts every series whose labels are all known, so that a first increase shows as one.
    fn each(
        &self,
        metric: &'static Metric,
        start: impl Fn(&[&str]) -> prometheus::Result<()>,
    ) -> prometheus::Result<()> {
        if LATE.contains(&metric.name) {
            return Ok(());
        }
        let mut series: Vec<Vec<&str>> = vec![vec![]];
        for label in metric.labels {
            let values = match label.values {
                Values::Fixed(values) => values,
                Values::Resources | Values::Asked => self.resources,
                _ => return Ok(()),
            };
            series = series
                .iter()
                .flat_map(|labels| {
                    values.iter().map(|value| [labels.as_slice(), &[*value]].concat())
                })
                .collect();
        }
        if metric.labels.iter().any(|label| matches!(label.values, Values::Asked)) {
            // Nothing else is sure to be asked of what is watched.
            let rest = Verb::ALL.iter().filter(|verb| !rbac::VERBS.contains(verb));
            series.retain(|labels| !rest.clone().any(|verb| labels.contains(&verb.as_str())));
        }
        series.iter().try_for_each(|labels| start(labels))
    }
}

fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

impl Collect for Telemetry {
    fn collect(&self, out: &mut Exposition) {
        for family in self.0.registry.gather() {
            let declared = catalogue::ALL.iter().find(|metric| metric.name == family.name());
            if let Some(metric) = declared {
                show(metric, &family, out);
            }
        }
    }
}

fn show(metric: &'static Metric, family: &MetricFamily, out: &mut Exposition) {
    for series in family.get_metric() {
        let value = |label: &catalogue::Label| {
            let pair = series.get_label().iter().find(|pair| pair.name() == label.name);
            pair.map_or("", |pair| pair.value())
        };
        let labels: Vec<&str> = metric.labels.iter().map(value).collect();
        match family.get_field_type() {
            MetricType::COUNTER => out.sample(metric, &labels, series.get_counter().get_value()),
            MetricType::GAUGE => out.sample(metric, &labels, series.get_gauge().get_value()),
            MetricType::HISTOGRAM => {
                let histogram = series.get_histogram();
                let counts: Vec<u64> =
                    histogram.get_bucket().iter().map(|b| b.cumulative_count()).collect();
                let (sum, count) = (histogram.get_sample_sum(), histogram.get_sample_count());
                out.histogram(metric, &labels, &counts, sum, count);
            }
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::Format;

    fn scrape(telemetry: &Telemetry) -> String {
        let mut out = Exposition::new(Format::Text, &[]);
        telemetry.collect(&mut out);
        String::from_utf8(out.finish().to_vec()).expect("UTF-8")
    }

    #[test]
    fn series_of_known_labels_start_at_zero() {
        let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
        let text = scrape(&telemetry);
        for series in [
            r#"kubetally_watch_ends_total{resource="pods",cause="ping_timeout"} 0"#,
            r#"kubetally_token_reloads_total{trigger="timer",result="rotated"} 0"#,
            r#"kubetally_auth_failures_total{code="403",verb="watch",resource="pods"} 0"#,
            r#"kubetally_api_retries_total{verb="list",resource="pods"} 0"#,
            "kubetally_api_retry_after_seconds_count 0",
            "process_open_fds ",
        ] {
            assert!(text.contains(series), "no {series} in {text}");
        }
        assert!(!text.contains("kubetally_api_requests_total"), "{text}");
    }

    #[test]
    fn a_401_is_an_auth_failure_and_an_answer() {
        let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
        telemetry.request_answered(Verb::List, "pods", 401);
        telemetry.request_answered(Verb::List, "pods", 200);
        let text = scrape(&telemetry);
        for series in [
            r#"kubetally_api_requests_total{verb="list",resource="pods",code="401"} 1"#,
            r#"kubetally_auth_failures_total{code="401",verb="list",resource="pods"} 1"#,
        ] {
            assert!(text.contains(series), "no {series} in {text}");
        }
        assert!(!text.contains(r#"kubetally_auth_failures_total{code="200""#), "{text}");
    }

    #[test]
    fn requests_leave_flight_when_dropped() {
        let telemetry = Telemetry::new(&["pods"]).expect("the catalogue is sound");
        let flight = telemetry.request_started(Verb::List);
        let line = |n| format!("kubetally_api_requests_in_flight{{verb=\"list\"}} {n}\n");
        assert!(scrape(&telemetry).contains(&line(1)));
        drop(flight);
        assert!(scrape(&telemetry).contains(&line(0)));
    }
}
