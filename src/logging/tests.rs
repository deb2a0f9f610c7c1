//! What is logged, by level and module.

use rstest::rstest;
use tracing::Level as Severity;

use super::*;

#[rstest]
#[case("info", "kubetally::app", Severity::INFO, true)]
#[case("info", "kubetally::app", Severity::DEBUG, false)]
#[case("WARN", "kubetally::app", Severity::INFO, false)]
#[case("info,kubetally::watch=debug", "kubetally::watch::driver", Severity::DEBUG, true)]
#[case("info, kubetally::watch=debug", "kubetally::api", Severity::DEBUG, false)]
#[case("kubetally::watch=debug", "kubetally::api", Severity::ERROR, false)]
#[case::libraries_are_quiet("trace", "hyper::proto", Severity::INFO, false)]
#[case::but_not_silent("trace", "rustls::client", Severity::WARN, true)]
#[case::unless_named("info,hyper=trace", "hyper::proto", Severity::TRACE, true)]
#[case::off_is_off("off", "h2::client", Severity::ERROR, false)]
fn levels(#[case] text: &str, #[case] module: &str, #[case] level: Severity, #[case] logged: bool) {
    let targets = directives(text).expect("directives");
    assert_eq!(targets.would_enable(module, &level), logged);
}

#[rstest]
#[case("")]
#[case("inof")]
#[case("info,")]
#[case("info,,warn")]
#[case("kubetally=")]
#[case("kubetally=loud")]
#[case("=info")]
fn what_is_no_level_is_none(#[case] text: &str) {
    assert_eq!(directives(text), None);
}
