use std::fs;

use http::HeaderValue;
use rstest::rstest;

use super::*;
use crate::{
    audit::testing::{TOKEN, certify, files},
    sim::pki::Authority,
};

fn headers(authorization: &str) -> HeaderMap {
    let value = HeaderValue::from_str(authorization).expect("a value");
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

#[rstest]
#[case("Bearer a-token-of-the-audit-webhook", true)]
#[case("bearer a-token-of-the-audit-webhook", true)]
#[case("Bearer  a-token-of-the-audit-webhook ", true)]
#[case("Bearer a-token-of-the-audit-webhoo", false)]
#[case("Bearer a-token-of-the-audit-webhookk", false)]
#[case("Bearer A-token-of-the-audit-webhook", false)]
#[case("Bearer ", false)]
#[case("Bearer", false)]
#[case("Basic a-token-of-the-audit-webhook", false)]
#[case("a-token-of-the-audit-webhook", false)]
#[case("", false)]
fn one_of_the_tokens_is_wanted(#[case] authorization: &str, #[case] admitted: bool) {
    let (_dir, settings) = files();
    let gate = Gate::new(Certificate::Audit, &settings).expect("usable files");
    assert_eq!(gate.admits(&headers(authorization)), admitted);
    assert!(!gate.admits(&HeaderMap::new()));
}

#[test]
fn without_tokens_the_certificate_is_the_proof() {
    let (_dir, settings) = files();
    let gate =
        Gate::new(Certificate::Audit, &Files { tokens: None, ..settings }).expect("usable files");
    assert!(gate.admits(&HeaderMap::new()));
}

#[rstest]
#[case(b"", "holds none")]
#[case(b" \n\n", "holds none")]
#[case(b"short", "number 1 has less than 16")]
#[case(b"a-token-of-the-audit-webhook\nshort", "number 2 has less than 16")]
#[case(b"a token with spaces in it", "number 1 has less than 16 characters, or others")]
#[case(b"a-token-with-\xff\xff-in-it", "or others")]
#[case(&[b"a-token-of-the-audit-webhook\n".as_slice(); 17].concat(), "more than 16")]
fn files_without_usable_tokens(#[case] text: &[u8], #[case] part: &str) {
    let error = tokens(text).expect_err("unusable");
    assert!(error.contains(part), "{error}");
    assert!(!error.contains("webhook"), "{error}");
}

#[test]
fn what_changes_is_taken_over_and_what_is_broken_is_not() {
    let (dir, settings) = files();
    let gate = Gate::new(Certificate::Audit, &settings).expect("usable files");
    let reload = || gate.reload().map_err(|error| error.to_string());
    assert_eq!(reload(), Ok(ReloadResult::Unchanged));

    let other = "another-token-of-the-webhook";
    fs::write(dir.path().join("token"), format!("{TOKEN}\r\n{other}\n")).expect("written");
    assert_eq!(reload(), Ok(ReloadResult::Rotated));
    assert!(gate.admits(&headers(&format!("Bearer {TOKEN}"))));
    assert!(gate.admits(&headers(&format!("Bearer {other}"))));

    let before = Arc::clone(&gate.state().config);
    certify(&dir, &Authority::new().expect("a CA"));
    assert_eq!(reload(), Ok(ReloadResult::Rotated));
    assert!(!Arc::ptr_eq(&before, &gate.state().config));

    fs::write(dir.path().join("tls.crt"), "nothing").expect("written");
    let error = reload().expect_err("no certificate");
    assert!(error.contains("no usable certificate in") && error.contains("tls.crt"), "{error}");
    assert!(gate.admits(&headers(&format!("Bearer {other}"))));
}

#[rstest]
#[case::gone("tls.key", None, "cannot read the key from")]
#[case::empty("token", Some(""), "the file is empty")]
#[case::no_key("tls.key", Some("nothing"), "no usable private key in")]
#[case::no_ca("ca.crt", Some("nothing"), "no usable clients' CA in")]
#[case::no_token("token", Some("short"), "no usable token in")]
fn unusable_files_are_named(#[case] name: &str, #[case] text: Option<&str>, #[case] part: &str) {
    let (dir, settings) = files();
    let path = dir.path().join(name);
    match text {
        Some(text) => fs::write(&path, text).expect("written"),
        None => fs::remove_file(&path).expect("removed"),
    }
    let error = Gate::new(Certificate::Audit, &settings).expect_err("unusable").to_string();
    assert!(error.contains(part) && error.contains(name), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (dir, settings) = files();
    let key = fs::read(dir.path().join("tls.key")).expect("a key");
    certify(&dir, &Authority::new().expect("a CA"));
    fs::write(dir.path().join("tls.key"), key).expect("written");
    let error = Gate::new(Certificate::Audit, &settings).expect_err("unusable").to_string();
    assert!(error.contains("no usable certificate and key in"), "{error}");
}

#[test]
fn nothing_of_it_is_printed() {
    let (dir, settings) = files();
    let printed = format!("{:?}", Gate::new(Certificate::Audit, &settings).expect("usable files"));
    let key = fs::read_to_string(dir.path().join("tls.key")).expect("a key");
    let line = key.lines().nth(1).expect("a line of the key");
    let bytes = format!("{:?}", &TOKEN.as_bytes()[..4]);
    let bytes = bytes.trim_matches(['[', ']']);
    for secret in [TOKEN, line, bytes] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
