//! Tokens that rotate as the kubelet does it, break, and are explained.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rstest::rstest;
use tempfile::TempDir;

use super::*;

fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn from_file(path: &Path) -> Credentials {
    Credentials::new(Origin::Source(Source::File(path.into()))).expect("a token")
}

fn given(token: &str) -> Credentials {
    let source = Source::Data(token.as_bytes().to_vec());
    Credentials::new(Origin::Source(source)).expect("a token")
}

/// A volume as the kubelet makes it: `token` → `..data/token`, `..data` → a folder, of which it
/// swaps the link.
struct Volume(TempDir);

impl Volume {
    fn new(token: &str) -> Self {
        let volume = Self(tempfile::tempdir().expect("a folder"));
        volume.swap("..first", token);
        symlink("..data/token", volume.token()).expect("linked");
        volume
    }

    fn token(&self) -> PathBuf {
        self.0.path().join("token")
    }

    fn swap(&self, folder: &str, token: &str) {
        let at = |name: &str| self.0.path().join(name);
        fs::create_dir(at(folder)).expect("a folder");
        fs::write(at(folder).join("token"), token).expect("written");
        symlink(folder, at("..data_tmp")).expect("linked");
        fs::rename(at("..data_tmp"), at("..data")).expect("swapped");
    }
}

async fn header(credentials: &Credentials) -> String {
    let header = credentials.authorization(None, 0).await.expect("no error").expect("a token");
    assert!(header.is_sensitive());
    header.to_str().expect("text").to_owned()
}

async fn reloaded(credentials: &Credentials) -> Option<ReloadResult> {
    credentials.reload().await.map(|result| result.unwrap_or(ReloadResult::Error))
}

#[tokio::test]
async fn a_swapped_symlink_is_a_new_token() {
    let volume = Volume::new("one\n");
    let credentials = from_file(&volume.token());
    assert_eq!(header(&credentials).await, "Bearer one");
    assert_eq!(reloaded(&credentials).await, Some(ReloadResult::Unchanged));
    volume.swap("..second", "two\n");
    assert_eq!(header(&credentials).await, "Bearer one");
    assert_eq!(reloaded(&credentials).await, Some(ReloadResult::Rotated));
    assert_eq!(header(&credentials).await, "Bearer two");
}

#[rstest]
#[case::empty(Some(vec![]))]
#[case::blank(Some(b"\n".into()))]
#[case::garbage(Some(b"two words".into()))]
#[case::control(Some(b"tok\x00en".into()))]
#[case::binary(Some(b"\xff\xfe".into()))]
#[case::huge(Some(vec![b'a'; 2 * 1024 * 1024]))]
#[case::missing(None)]
#[tokio::test]
async fn what_is_no_token_keeps_the_last(#[case] content: Option<Vec<u8>>) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("token");
    fs::write(&path, "good").expect("written");
    let credentials = from_file(&path);
    match content {
        Some(content) => fs::write(&path, content).expect("written"),
        None => fs::remove_file(&path).expect("removed"),
    }
    let error = credentials.reload().await.expect("a file").expect_err("no token").to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert_eq!(header(&credentials).await, "Bearer good");
    fs::write(&path, "better").expect("written");
    assert_eq!(reloaded(&credentials).await, Some(ReloadResult::Rotated));
    assert_eq!(header(&credentials).await, "Bearer better");
}

#[rstest]
#[case(b"")]
#[case(b"two words")]
fn a_first_token_that_is_none_is_told(#[case] content: &[u8]) {
    let source = Source::Data(content.to_vec());
    let error = Credentials::new(Origin::Source(source)).expect_err("no token").to_string();
    assert!(error.contains("data of the kubeconfig") && !error.contains("words"), "{error}");
}

#[tokio::test]
async fn no_token_shows_anywhere() {
    let credentials = given("hunter2");
    let header = credentials.authorization(None, 0).await.expect("no error");
    let printed = format!("{credentials:?} {header:?} {:?}", credentials.current());
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn what_cannot_change_is_not_read_again() {
    let credentials = given("hunter2");
    let sent = credentials.current();
    assert!(credentials.reload().await.is_none());
    assert!(credentials.renew(sent.as_ref(), None).await.is_none());
    let none = Credentials::new(Origin::None).expect("nothing is needed");
    assert!(none.renew(None, None).await.is_none());
    assert_eq!(none.authorization(None, 0).await.expect("no error"), None);
}

#[tokio::test]
async fn many_may_meet_one_401() {
    let volume = Volume::new("one");
    let credentials = from_file(&volume.token());
    let sent = credentials.current();
    volume.swap("..second", "two");
    // Each of them sent the old token; the second finds the new one in use already.
    for _ in 0..2 {
        let renewed = credentials.renew(sent.as_ref(), None).await.expect("a file");
        assert_eq!(renewed.expect("a token"), ReloadResult::Rotated);
    }
    let renewed = credentials.renew(credentials.current().as_ref(), None).await.expect("a file");
    assert_eq!(renewed.expect("a token"), ReloadResult::Unchanged);
}

/// A plugin that answers with the number of times it was run, and the time given.
fn counting(dir: &TempDir, until: &str) -> Credentials {
    let count = dir.path().join("count").display().to_string();
    let script = format!(
        r#"echo x >> {count}; printf '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"%s"{until}}}}}' "$(wc -l < {count} | tr -d ' ')""#
    );
    let exec = Exec {
        api_version: "client.authentication.k8s.io/v1".into(),
        command: "sh".into(),
        args: Some(vec!["-c".into(), script]),
        ..Exec::default()
    };
    Credentials::new(Origin::Exec(exec)).expect("it does not run yet")
}

#[tokio::test]
async fn a_plugin_runs_when_its_answer_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let credentials = counting(&dir, r#","expirationTimestamp":"1970-01-01T00:10:00Z""#);
    let at = async |now| {
        let header = credentials.authorization(None, now).await.expect("no error");
        header.expect("a token").to_str().expect("text").to_owned()
    };
    assert_eq!(at(0).await, "Bearer 1");
    assert_eq!(at(589).await, "Bearer 1");
    assert_eq!(at(590).await, "Bearer 2");
}

#[tokio::test]
async fn a_plugin_runs_again_after_a_401_but_once_for_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let credentials = counting(&dir, "");
    assert_eq!(header(&credentials).await, "Bearer 1");
    assert!(credentials.reload().await.is_none());
    let sent = credentials.current();
    for _ in 0..2 {
        let renewed = credentials.renew(sent.as_ref(), None).await.expect("a plugin");
        assert_eq!(renewed.expect("a token"), ReloadResult::Rotated);
    }
    assert_eq!(header(&credentials).await, "Bearer 2");
}

#[tokio::test]
async fn a_plugin_that_fails_runs_once_for_all_who_wait_for_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let count = dir.path().join("count");
    let exec = Exec {
        api_version: "client.authentication.k8s.io/v1".into(),
        command: "sh".into(),
        args: Some(vec!["-c".into(), format!("echo >>{}; exit 1", count.display())]),
        ..Exec::default()
    };
    let credentials = Credentials::new(Origin::Exec(exec)).expect("a plugin");
    let runs = || std::fs::read(&count).expect("it ran").len();
    let ask = || credentials.renew(None, None);
    let answers = tokio::join!(ask(), ask(), ask());
    for answer in [answers.0, answers.1, answers.2] {
        let message = answer.expect("a plugin").expect_err("it fails").to_string();
        assert!(message.contains("failed with exit status: 1"), "{message}");
    }
    assert_eq!(runs(), 1);
    assert!(ask().await.expect("a plugin").is_err());
    assert_eq!(runs(), 2, "who asks later has it run again");
}

#[rstest]
#[case(r#"{"exp":100}"#, false, None, UnauthorizedCause::Expired)]
#[case(r#"{"exp":999,"nbf":500}"#, false, None, UnauthorizedCause::NotYetValid)]
#[case(r#"{"exp":999}"#, false, Some(ReloadResult::Error), UnauthorizedCause::StaleFile)]
#[case(
    r#"{"exp":999,"kubernetes.io":{"warnafter":90}}"#,
    false,
    None,
    UnauthorizedCause::StaleFile
)]
#[case(r#"{"exp":100}"#, true, Some(ReloadResult::Rotated), UnauthorizedCause::Rotated)]
#[case(r#"{"exp":999}"#, false, Some(ReloadResult::Unchanged), UnauthorizedCause::Unknown)]
fn a_401_is_explained(
    #[case] claims: &str,
    #[case] replaced: bool,
    #[case] reloaded: Option<ReloadResult>,
    #[case] expected: UnauthorizedCause,
) {
    assert_eq!(given(&jwt(claims)).explain(120, None, replaced, reloaded), expected);
}

#[rstest]
#[case::before(Some((130, 900)), UnauthorizedCause::NotYetValid)]
#[case::in_its_time(Some((100, 900)), UnauthorizedCause::Unknown)]
#[case::after(Some((10, 120)), UnauthorizedCause::Expired)]
#[case::without_one(None, UnauthorizedCause::Unknown)]
fn without_a_token_a_401_is_about_the_certificate(
    #[case] certificate: Option<(i64, i64)>,
    #[case] expected: UnauthorizedCause,
) {
    let nothing = Credentials::new(Origin::None).expect("no token is needed");
    assert_eq!(nothing.explain(120, certificate, false, None), expected);
    let token = given(&jwt("{}"));
    assert_eq!(token.explain(120, certificate, false, None), UnauthorizedCause::Unknown);
}

#[tokio::test]
async fn each_other_token_is_another_generation() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("token");
    std::fs::write(&path, "one").expect("written");
    let credentials =
        Credentials::new(Origin::Source(Source::File(path.clone()))).expect("a token");
    let mut generations = vec![credentials.generation()];
    for token in ["one", "two", "two", "one"] {
        std::fs::write(&path, token).expect("written");
        credentials.reload().await.expect("a file").expect("a token");
        generations.push(credentials.generation());
    }
    assert_eq!(generations, [0, 0, 1, 1, 2]);
}
