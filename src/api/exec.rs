//! Exec plugins of a kubeconfig (Kubernetes, "client-go credential plugins"):
//! client.authentication.k8s.io/v1 and v1beta1.

use std::{fmt, io, process::Stdio, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

use super::status::text;
use crate::wire::time;

/// How long a plugin may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much a plugin may say.
const LARGEST: u64 = 1024 * 1024;
/// How long before its end an answer is no longer used, in seconds.
const EARLY: i64 = 10;

/// Why a plugin gave no credential.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It could not be started.
    #[error("the exec plugin {command:?} cannot be started: {error}{hint}")]
    Start {
        /// The program.
        command: String,
        /// Why not.
        error: io::Error,
        /// What its kubeconfig says about installing it.
        hint: String,
    },
    /// It did not end in time.
    #[error("the exec plugin {command:?} gave no answer within {} s", PATIENCE.as_secs())]
    Timeout {
        /// The program.
        command: String,
    },
    /// It failed.
    #[error("the exec plugin {command:?} failed with {status}: {stderr}")]
    Failed {
        /// The program.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The beginning of what it said.
        stderr: String,
    },
    /// Its answer is no ExecCredential.
    #[error("the exec plugin {command:?} gave no ExecCredential of {version}: {why}")]
    Answer {
        /// The program.
        command: String,
        /// What was asked for.
        version: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A plugin, as the kubeconfig has it.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exec {
    /// The version of the protocol.
    pub api_version: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Option<Vec<String>>,
    /// Variables added to its environment.
    pub env: Option<Vec<Variable>>,
    /// What to say where it is missing.
    pub install_hint: Option<String>,
    /// Whether it wants to know the cluster.
    pub provide_cluster_info: bool,
    /// Whether it needs a terminal: `Never`, `IfAvailable`, `Always`.
    pub interactive_mode: Option<String>,
    /// The cluster, for a plugin that wants to know it.
    #[serde(skip)]
    pub cluster: Value,
}

/// A variable of a plugin's environment.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Arguments and variables may hold secrets.
impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec").field("command", &self.command).finish_non_exhaustive()
    }
}

/// What a plugin gave.
pub struct Credential {
    /// A bearer token.
    pub token: Option<String>,
    /// A client certificate chain and its key, both PEM.
    pub certificate: Option<(String, String)>,
    /// Until when to use it, in seconds since 1970.
    pub until: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: String,
    kind: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

impl Exec {
    /// Runs the plugin.
    ///
    /// # Errors
    /// Where it cannot be started, fails, hangs, or gives no credential.
    pub async fn run(&self) -> Result<Credential, ExecError> {
        let command = || self.command.clone();
        let mut child = self.start()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let ran = timeout(PATIENCE, async {
            tokio::join!(bounded(stdout), bounded(stderr), child.wait())
        });
        let Ok((stdout, stderr, status)) = ran.await else {
            return Err(ExecError::Timeout { command: command() });
        };
        let status = status.map_err(|error| self.cannot_start(error))?;
        if !status.success() {
            let stderr = text(&stderr);
            return Err(ExecError::Failed { command: command(), status, stderr });
        }
        self.answer(&stdout)
    }

    fn start(&self) -> Result<tokio::process::Child, ExecError> {
        let info = json!({
            "kind": "ExecCredential",
            "apiVersion": self.api_version,
            "spec": self.spec(),
        });
        Command::new(&self.command)
            .args(self.args.iter().flatten())
            .envs(self.env.iter().flatten().map(|v| (&v.name, &v.value)))
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.cannot_start(error))
    }

    fn spec(&self) -> Value {
        match self.provide_cluster_info {
            true => json!({"interactive": false, "cluster": self.cluster}),
            false => json!({"interactive": false}),
        }
    }

    fn cannot_start(&self, error: io::Error) -> ExecError {
        let hint = self.install_hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
        ExecError::Start { command: self.command.clone(), error, hint }
    }

    fn answer(&self, stdout: &[u8]) -> Result<Credential, ExecError> {
        let wrong = |why| ExecError::Answer {
            command: self.command.clone(),
            version: self.api_version.clone(),
            why,
        };
        // Not serde_json's own words: they could repeat the token.
        let answer: Answer = serde_json::from_slice(stdout).map_err(|_| wrong("no such JSON"))?;
        if answer.kind != "ExecCredential" || answer.api_version != self.api_version {
            return Err(wrong("another kind or version"));
        }
        let status = answer.status.ok_or_else(|| wrong("no status"))?;
        let certificate = status.client_certificate_data.zip(status.client_key_data);
        if status.token.is_none() && certificate.is_none() {
            return Err(wrong("neither token nor certificate"));
        }
        let until = status
            .expiration_timestamp
            .as_deref()
            .map(|text| time::seconds(text).ok_or_else(|| wrong("expirationTimestamp is no time")));
        let until = until.transpose()?.map(|until| until - EARLY);
        Ok(Credential { token: status.token, certificate, until })
    }
}

/// Reads to the end, keeping no more than a bound.
async fn bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // A pipe that breaks ends the text; what it lacks shows when it is read.
        let _ended = stream.take(LARGEST).read_to_end(&mut bytes).await;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn sh(script: &str) -> Exec {
        Exec {
            api_version: V1.into(),
            command: "sh".into(),
            args: Some(vec!["-c".into(), script.into()]),
            ..Exec::default()
        }
    }

    fn says(status: &str) -> String {
        format!(r#"echo '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{status}}}'"#)
    }

    #[tokio::test]
    async fn a_token_with_an_end() {
        let plugin = sh(&says(r#"{"token":"t","expirationTimestamp":"2026-11-23T17:25:21Z"}"#));
        let credential = plugin.run().await.expect("a credential");
        assert_eq!(credential.token.as_deref(), Some("t"));
        assert_eq!(credential.until, Some(1_795_454_721 - EARLY));
    }

    #[tokio::test]
    async fn it_is_told_the_cluster_and_given_its_environment() {
        let mut plugin = sh(
            r#"printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(printf '%s %s' "$WHO" "$KUBERNETES_EXEC_INFO" | tr -d '"')""#,
        );
        plugin.env = Some(vec![Variable { name: "WHO".into(), value: "me".into() }]);
        plugin.provide_cluster_info = true;
        plugin.cluster = json!({"server": "https://example.test"});
        let token = plugin.run().await.expect("a credential").token.expect("a token");
        assert!(token.starts_with("me "), "{token}");
        assert!(token.contains("server:https://example.test"), "{token}");
    }

    #[rstest]
    #[case::fails("echo no luck >&2; exit 3", "failed with exit status: 3: no luck")]
    #[case::no_json("echo secret-token", "no such JSON")]
    #[case::other_version(r#"echo '{"apiVersion":"v2","kind":"ExecCredential"}'"#, "another kind")]
    #[case::no_status(&format!(r#"echo '{{"apiVersion":"{V1}","kind":"ExecCredential"}}'"#), "no status")]
    #[case::nothing(&says("{}"), "neither token nor certificate")]
    #[tokio::test]
    async fn what_goes_wrong_is_told(#[case] script: &str, #[case] expected: &str) {
        let error = sh(script).run().await.err().expect("an error").to_string();
        assert!(error.contains(expected) && !error.contains("secret-token"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_plugin_says_how_to_get_it() {
        let hint = Some("Install it with care.".to_owned());
        let command = "kubetally-no-such-plugin".to_owned();
        let plugin = Exec { command, install_hint: hint, ..sh("") };
        let error = plugin.run().await.err().expect("an error").to_string();
        assert!(error.contains("Install it with care."), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_given_up() {
        // Paused time leaps to the timeout while the child is only waited for.
        let error = sh("exec sleep 1000").run().await.err().expect("an error").to_string();
        assert!(error.contains("within 30 s"), "{error}");
    }
}
