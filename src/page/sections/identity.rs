//! Who we are to the API server, and until when.

use super::{nothing, titled};
use crate::{
    exposition::catalogue::{
        IDENTITY_INFO, TLS_NOT_AFTER_TIMESTAMP_SECONDS, TOKEN_EXPIRATION_TIMESTAMP_SECONDS,
        TOKEN_ISSUED_TIMESTAMP_SECONDS, TOKEN_WARN_AFTER_TIMESTAMP_SECONDS,
    },
    page::{
        Moment,
        html::{Cell, Html},
    },
    words::{date, when},
};

/// Who we are, and the times of what proves it; all times are in seconds since 1970.
#[derive(Debug)]
pub struct Identity {
    now: f64,
    username: Option<String>,
    issued: Option<f64>,
    replace: Option<f64>,
    expires: Option<f64>,
    /// Whose certificate, and when it ends.
    certificates: Vec<(String, f64)>,
}

impl Identity {
    /// That of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let Moment { now, readings, .. } = *moment;
        let certificates = readings.of(&TLS_NOT_AFTER_TIMESTAMP_SECONDS).iter();
        Self {
            now,
            username: readings.of(&IDENTITY_INFO).first().map(|of| of.label(0).into()),
            issued: readings.value(&TOKEN_ISSUED_TIMESTAMP_SECONDS),
            replace: readings.value(&TOKEN_WARN_AFTER_TIMESTAMP_SECONDS),
            expires: readings.value(&TOKEN_EXPIRATION_TIMESTAMP_SECONDS),
            certificates: certificates.map(|of| (of.label(0).into(), of.value)).collect(),
        }
    }

    /// How long the token is good for, in seconds; less than 0 where it is no more.
    #[must_use]
    pub fn token_left(&self) -> Option<f64> {
        self.expires.map(|at| at - self.now)
    }

    /// How long the token should have been replaced for, in seconds; less than 0 where its time has
    /// not come.
    #[must_use]
    pub fn token_overdue(&self) -> Option<f64> {
        self.replace.map(|at| self.now - at)
    }

    /// The certificates that are good for no longer than this: whose, and for how many seconds.
    pub fn ending(&self, within: f64) -> impl Iterator<Item = (&str, f64)> {
        let left = self.certificates.iter().map(|(whose, at)| (&**whose, at - self.now));
        left.filter(move |(_, left)| *left < within)
    }

    /// What is shown of it.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("identity", "Who we are, and until when");
        match &self.username {
            Some(username) => out.put("<p class=\"who\"><code>{}</code></p>", &[username]),
            None => out.put("<p class=\"nothing\">The API server has not said yet.</p>", &[]),
        };
        self.lifetime(&mut out);
        let token = [
            ("token issued", self.issued),
            ("token to be replaced", self.replace),
            ("token expires", self.expires),
        ];
        let token = token.into_iter().filter_map(|(what, at)| Some((what.to_owned(), at?)));
        let certificates =
            self.certificates.iter().map(|(whose, at)| (format!("{whose} certificate ends"), *at));
        let times: Vec<_> =
            token.chain(certificates).map(|(what, at)| self.time(what, at)).collect();
        match times.is_empty() {
            true => nothing(&mut out, "Neither a token nor a certificate says when it ends."),
            false => {
                out.table("What proves it, and its times", &["What", "#From now", "When"], times);
            }
        }
        out
    }

    fn time(&self, what: String, at: f64) -> Vec<Cell> {
        vec![Cell::Name(what), Cell::Number(when(at - self.now)), Cell::Text(date(at))]
    }

    /// How much of the token's life is over.
    fn lifetime(&self, out: &mut Html) {
        if let Some((issued, expires)) = self.issued.zip(self.expires)
            && expires > issued
        {
            out.bar((self.now - issued) / (expires - issued));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, Scene, has};

    #[test]
    fn a_token_has_its_times() {
        let mut scene = Scene::default();
        scene.sample(&IDENTITY_INFO, &["system:serviceaccount:a:<b>"], 1_u64);
        scene.sample(&TOKEN_ISSUED_TIMESTAMP_SECONDS, &[], NOW - 25.0);
        scene.sample(&TOKEN_WARN_AFTER_TIMESTAMP_SECONDS, &[], NOW - 5.0);
        scene.sample(&TOKEN_EXPIRATION_TIMESTAMP_SECONDS, &[], NOW + 75.0);
        scene.sample(&TLS_NOT_AFTER_TIMESTAMP_SECONDS, &["server"], NOW + 86_400.0);
        let identity = scene.at(Identity::at);
        assert_eq!((identity.token_left(), identity.token_overdue()), (Some(75.0), Some(5.0)));
        assert_eq!(identity.ending(90_000.0).collect::<Vec<_>>(), [("server", 86_400.0)]);
        assert_eq!(identity.ending(80_000.0).count(), 0);
        has(
            &identity.html(),
            &[
                "<code>system:serviceaccount:a:&lt;b&gt;</code>",
                "<rect width=\"25.0\"",
                "token issued</th><td class=\"number\">25 s ago</td>",
                "token expires</th><td class=\"number\">in 75 s</td>",
                "2026-11-23 12:01:15 UTC",
                "server certificate ends</th><td class=\"number\">in 24 h</td>",
            ],
        );
    }

    #[test]
    fn nothing_is_claimed_before_it_is_known() {
        let identity = Scene::default().at(Identity::at);
        assert_eq!((identity.token_left(), identity.token_overdue()), (None, None));
        has(&identity.html(), &["has not said yet", "Neither a token nor a certificate"]);
    }
}
