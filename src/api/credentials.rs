//! The token in use: given, read from a file, or from an exec plugin.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::HeaderValue;

use super::{
    ReloadResult, ReloadTrigger, UnauthorizedCause,
    exec::{Exec, ExecError},
    jwt::{self, TokenTimes},
    source::Source,
    tls::{Tls, TlsError},
};

/// Why there is no token to send.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The token's file cannot be read.
    #[error("cannot read the token from {path}: {error}")]
    Read {
        /// Where it is.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// It is no token.
    #[error("what {from} holds is no token: {why}")]
    Content {
        /// Where it is.
        from: String,
        /// Why it is none.
        why: &'static str,
    },
    /// The plugin gave none.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The plugin's certificate is unusable.
    #[error("the exec plugin's certificate: {0}")]
    Certificate(#[from] TlsError),
}

/// How we authenticate, beside a client certificate.
#[derive(Debug)]
pub struct Credentials {
    origin: Origin,
    state: Mutex<Option<Token>>,
    /// One reload at a time; many watchers may meet the same 401.
    reloading: tokio::sync::Mutex<()>,
}

/// Where the token comes from.
#[derive(Debug)]
pub enum Origin {
    /// There is none.
    None,
    /// A file, or the kubeconfig itself.
    Source(Source),
    /// An exec plugin, which may give a client certificate instead.
    Exec(Exec),
}

/// A token, never printed.
struct Token {
    header: HeaderValue,
    times: TokenTimes,
    subject: Option<String>,
    /// When an exec plugin's answer ends, in seconds since 1970.
    until: Option<i64>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Credentials {
    /// Reads the token for the first time; a plugin runs at the first request.
    ///
    /// # Errors
    /// Where there should be a token and is none.
    pub fn new(origin: Origin) -> Result<Self, CredentialError> {
        let token = match &origin {
            Origin::None | Origin::Exec(_) => None,
            Origin::Source(source) => Some(Token::read(source)?),
        };
        Ok(Self { origin, state: Mutex::new(token), reloading: tokio::sync::Mutex::new(()) })
    }

    /// The `Authorization` header, marked as sensitive; `None` without a token. An exec plugin
    /// whose answer has ended runs again; its client certificate goes to `tls`.
    ///
    /// # Errors
    /// Where the plugin fails.
    pub async fn authorization(
        &self,
        tls: Option<&Tls>,
        now: i64,
    ) -> Result<Option<HeaderValue>, CredentialError> {
        if let Origin::Exec(exec) = &self.origin {
            let _one = self.reloading.lock().await;
            let ended = self.state().as_ref().is_none_or(|t| t.until.is_some_and(|at| at <= now));
            if ended {
                self.run(exec, tls).await?;
            }
        }
        let header = self.state().as_ref().map(|token| token.header.clone());
        Ok(header.filter(|header| !header.is_empty()))
    }

    /// Reads the token again; `None` where it cannot change. What cannot be used changes nothing.
    pub async fn reload(&self, trigger: ReloadTrigger, tls: Option<&Tls>) -> Option<ReloadResult> {
        let _one = self.reloading.lock().await;
        let read = match (&self.origin, trigger) {
            (Origin::Source(source), _) if source.changes() => Token::read(source),
            (Origin::Exec(exec), ReloadTrigger::Unauthorized) => {
                let before = self.state().as_ref().map(|token| token.header.clone());
                let result = self.run(exec, tls).await;
                let after = self.state().as_ref().map(|token| token.header.clone());
                return Some(match result {
                    Ok(()) if before == after => ReloadResult::Unchanged,
                    Ok(()) => ReloadResult::Rotated,
                    Err(error) => failed(&error),
                });
            }
            _ => return None,
        };
        Some(match read {
            Ok(token) => self.replace(token),
            Err(error) => failed(&error),
        })
    }

    /// The times of the token in use.
    #[must_use]
    pub fn times(&self) -> TokenTimes {
        self.state().as_ref().map(|token| token.times).unwrap_or_default()
    }

    /// Whom the token in use says we are.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.state().as_ref().and_then(|token| token.subject.clone())
    }

    /// What a 401 comes from, as far as it shows here: `now` is the server's clock in seconds
    /// since 1970, `reloaded` what reading the token again gave.
    #[must_use]
    pub fn explain(&self, now: i64, reloaded: Option<ReloadResult>) -> UnauthorizedCause {
        let times = self.times();
        let past = |time: Option<i64>| time.is_some_and(|time| time <= now);
        match reloaded {
            Some(ReloadResult::Rotated) => UnauthorizedCause::Rotated,
            _ if past(times.expires) => UnauthorizedCause::Expired,
            _ if times.not_before.is_some_and(|time| time > now) => UnauthorizedCause::NotYetValid,
            Some(ReloadResult::Error) => UnauthorizedCause::StaleFile,
            _ if past(times.warn_after) => UnauthorizedCause::StaleFile,
            _ => UnauthorizedCause::Unknown,
        }
    }

    fn replace(&self, token: Token) -> ReloadResult {
        let mut state = self.state();
        let same = state.as_ref().is_some_and(|old| old.header == token.header);
        *state = Some(token);
        if same { ReloadResult::Unchanged } else { ReloadResult::Rotated }
    }

    async fn run(&self, exec: &Exec, tls: Option<&Tls>) -> Result<(), CredentialError> {
        let credential = exec.run().await?;
        if let (Some((chain, key)), Some(tls)) = (&credential.certificate, tls) {
            tls.set_client(chain.as_bytes(), key.as_bytes())?;
        }
        let token = credential.token.unwrap_or_default();
        let mut token = Token::parse(&token, "the exec plugin's answer", true)?;
        token.until = credential.until;
        self.replace(token);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, Option<Token>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: &CredentialError) -> ReloadResult {
    tracing::warn!(%error, "the token cannot be read again; the last one stays");
    ReloadResult::Error
}

impl Token {
    fn read(source: &Source) -> Result<Self, CredentialError> {
        let bytes = source
            .read()
            .map_err(|error| CredentialError::Read { path: source.to_string(), error })?;
        let from = source.to_string();
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| CredentialError::Content { from: from.clone(), why: "it is not text" })?;
        Self::parse(text.trim(), &from, false)
    }

    /// An empty one stands for a plugin's client certificate.
    fn parse(token: &str, from: &str, may_be_empty: bool) -> Result<Self, CredentialError> {
        let content = |why| CredentialError::Content { from: from.to_owned(), why };
        if token.is_empty() && may_be_empty {
            let header = HeaderValue::from_static("");
            return Ok(Self { header, times: TokenTimes::default(), subject: None, until: None });
        }
        if token.is_empty() || token.contains(char::is_whitespace) {
            return Err(content("it is empty or has white space in it"));
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| content("it has characters that no header may have"))?;
        header.set_sensitive(true);
        let (times, subject) = jwt::read(token);
        Ok(Self { header, times, subject, until: None })
    }
}

/// Credentials in the hands of many.
pub type Shared = Arc<Credentials>;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use rstest::rstest;

    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn from_file(path: &Path) -> Credentials {
        Credentials::new(Origin::Source(Source::File(path.into()))).expect("a token")
    }

    async fn header(credentials: &Credentials) -> String {
        let header = credentials.authorization(None, 0).await.expect("no error").expect("a token");
        assert!(header.is_sensitive());
        header.to_str().expect("text").to_owned()
    }

    #[tokio::test]
    async fn a_swapped_symlink_is_a_new_token() {
        let dir = tempfile::tempdir().expect("a folder");
        let [old, new, link] = ["old", "new", "token"].map(|name| dir.path().join(name));
        fs::write(&old, "one\n").expect("written");
        fs::write(&new, "two\n").expect("written");
        symlink(&old, &link).expect("linked");
        let credentials = from_file(&link);
        assert_eq!(header(&credentials).await, "Bearer one");
        let reload = || credentials.reload(ReloadTrigger::Timer, None);
        assert_eq!(reload().await, Some(ReloadResult::Unchanged));
        symlink(&new, dir.path().join("tmp")).expect("linked");
        fs::rename(dir.path().join("tmp"), &link).expect("swapped");
        assert_eq!(reload().await, Some(ReloadResult::Rotated));
        assert_eq!(header(&credentials).await, "Bearer two");
    }

    #[rstest]
    #[case::empty(Some(""))]
    #[case::blank(Some("\n"))]
    #[case::garbage(Some("two words"))]
    #[case::missing(None)]
    #[tokio::test]
    async fn what_is_no_token_keeps_the_last(#[case] content: Option<&str>) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("token");
        fs::write(&path, "good").expect("written");
        let credentials = from_file(&path);
        match content {
            Some(content) => fs::write(&path, content).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let reloaded = credentials.reload(ReloadTrigger::Unauthorized, None).await;
        assert_eq!(reloaded, Some(ReloadResult::Error));
        assert_eq!(header(&credentials).await, "Bearer good");
    }

    #[tokio::test]
    async fn no_token_shows_anywhere() {
        let origin = Origin::Source(Source::Data(b"hunter2".to_vec()));
        let credentials = Credentials::new(origin).expect("a token");
        let header = credentials.authorization(None, 0).await.expect("no error");
        assert!(!format!("{credentials:?} {header:?}").contains("hunter2"));
        assert_eq!(credentials.reload(ReloadTrigger::Timer, None).await, None);
    }

    #[rstest]
    #[case(r#"{"exp":100}"#, None, UnauthorizedCause::Expired)]
    #[case(r#"{"exp":999,"nbf":500}"#, None, UnauthorizedCause::NotYetValid)]
    #[case(r#"{"exp":999}"#, Some(ReloadResult::Error), UnauthorizedCause::StaleFile)]
    #[case(r#"{"exp":999,"kubernetes.io":{"warnafter":90}}"#, None, UnauthorizedCause::StaleFile)]
    #[case(r#"{"exp":100}"#, Some(ReloadResult::Rotated), UnauthorizedCause::Rotated)]
    #[case(r#"{"exp":999}"#, Some(ReloadResult::Unchanged), UnauthorizedCause::Unknown)]
    fn a_401_is_explained(
        #[case] claims: &str,
        #[case] reloaded: Option<ReloadResult>,
        #[case] expected: UnauthorizedCause,
    ) {
        let origin = Origin::Source(Source::Data(jwt(claims).into_bytes()));
        let credentials = Credentials::new(origin).expect("a token");
        assert_eq!(credentials.explain(120, reloaded), expected);
    }
}
