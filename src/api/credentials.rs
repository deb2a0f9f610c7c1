//! The token in use: given, read from a file, or from an exec plugin.

use std::{
    fmt, io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;

use super::{
    ReloadResult, UnauthorizedCause,
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
    /// The plugin gave none to somebody who asked at the same time.
    #[error("{0}")]
    Shared(String),
    /// The plugin's certificate is unusable.
    #[error("the exec plugin's certificate: {0}")]
    Certificate(#[from] TlsError),
}

/// How we authenticate, beside a client certificate.
#[derive(Debug)]
pub struct Credentials {
    origin: Origin,
    state: Mutex<Option<Token>>,
    generation: AtomicU64,
    /// One reload at a time; many watchers may meet the same 401. What the plugin failed with last.
    reloading: tokio::sync::Mutex<String>,
    /// How often the plugin failed.
    failures: AtomicU64,
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
        let (state, generation) = (Mutex::new(token), AtomicU64::new(0));
        let (reloading, failures) = (tokio::sync::Mutex::default(), AtomicU64::new(0));
        Ok(Self { origin, state, generation, reloading, failures })
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
            let ended =
                || self.state().as_ref().is_none_or(|t| t.until.is_some_and(|at| at <= now));
            self.run_if(exec, tls, ended).await?;
        }
        Ok(self.current())
    }

    /// Reads the token again from its file; `None` where it is in none. What cannot be used changes
    /// nothing.
    ///
    /// # Errors
    /// Where the file holds no token any more; the last one stays.
    pub async fn reload(&self) -> Option<Result<ReloadResult, CredentialError>> {
        let _one = self.reloading.lock().await;
        match &self.origin {
            Origin::Source(source) if source.changes() => {
                Some(Token::read(source).map(|token| self.replace(token)))
            }
            _ => None,
        }
    }

    /// After a 401 to `sent`: reads the token again or runs the plugin again, unless somebody else
    /// has done so since. `None` where neither is of use.
    ///
    /// # Errors
    /// Where that gives no token; the last one stays.
    pub async fn renew(
        &self,
        sent: Option<&HeaderValue>,
        tls: Option<&Tls>,
    ) -> Option<Result<ReloadResult, CredentialError>> {
        if let Origin::Exec(exec) = &self.origin {
            return Some(self.run_if(exec, tls, || self.current().as_ref() == sent).await);
        }
        let reloaded = self.reload().await;
        let replaced = self.current().as_ref() != sent;
        reloaded.map(|result| result.map(|r| if replaced { ReloadResult::Rotated } else { r }))
    }

    /// The `Authorization` header in use, marked as sensitive.
    #[must_use]
    pub fn current(&self) -> Option<HeaderValue> {
        let header = self.state().as_ref().map(|token| token.header.clone());
        header.filter(|header| !header.is_empty())
    }

    /// Grows with each other token.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
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
    /// since 1970, `certificate` the begin and end of our certificate, which counts where there is
    /// no token, `replaced` whether there is other proof of who we are by now, `reloaded` what
    /// reading the token again gave.
    #[must_use]
    pub fn explain(
        &self,
        now: i64,
        certificate: Option<(i64, i64)>,
        replaced: bool,
        reloaded: Option<ReloadResult>,
    ) -> UnauthorizedCause {
        let times = match (self.current(), certificate) {
            (None, Some((begin, end))) => {
                TokenTimes { not_before: Some(begin), expires: Some(end), ..TokenTimes::default() }
            }
            _ => self.times(),
        };
        let past = |time: Option<i64>| time.is_some_and(|time| time <= now);
        match reloaded {
            _ if replaced => UnauthorizedCause::Rotated,
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
        if same {
            return ReloadResult::Unchanged;
        }
        self.generation.fetch_add(1, Ordering::Relaxed);
        ReloadResult::Rotated
    }

    /// Runs the plugin where it is needed still, once for all who ask at the same time: one that
    /// hangs would keep the last of them waiting for as often as there are others.
    async fn run_if(
        &self,
        exec: &Exec,
        tls: Option<&Tls>,
        needed: impl Fn() -> bool,
    ) -> Result<ReloadResult, CredentialError> {
        let failures = self.failures.load(Ordering::Relaxed);
        let mut last = self.reloading.lock().await;
        if !needed() {
            return Ok(ReloadResult::Rotated);
        }
        if self.failures.load(Ordering::Relaxed) != failures {
            return Err(CredentialError::Shared(last.clone()));
        }
        let result = self.run(exec, tls).await;
        if let Err(error) = &result {
            *last = error.to_string();
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn run(&self, exec: &Exec, tls: Option<&Tls>) -> Result<ReloadResult, CredentialError> {
        let credential = exec.run().await?;
        if let (Some((chain, key)), Some(tls)) = (&credential.certificate, tls) {
            tls.set_client(chain.as_bytes(), key.as_bytes())?;
        }
        let token = credential.token.unwrap_or_default();
        let mut token = Token::parse(&token, "the exec plugin's answer", true)?;
        token.until = credential.until;
        Ok(self.replace(token))
    }

    fn state(&self) -> MutexGuard<'_, Option<Token>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

#[cfg(test)]
mod tests;
