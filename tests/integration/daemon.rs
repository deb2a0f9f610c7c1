use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::kubetally;

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// `kubetally run` in the background, watching an API server that takes connections and never
/// answers.
pub struct Daemon {
    child: Child,
    log: Arc<Log>,
    dir: TempDir,
    /// Keeps the address of the mute API server.
    _mute: Option<TcpListener>,
}

/// What was logged so far, and whether it has ended.
#[derive(Default)]
struct Log {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Daemon {
    /// Starts it with these arguments; `config` is what its file of settings holds.
    pub fn start(arguments: &[&str], config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mute = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let server = format!("http://{}", mute.local_addr().expect("an address"));
        let kubeconfig = dir.path().join("kubeconfig");
        write_kubeconfig(&kubeconfig, &server, "", "");
        Self::with(arguments, config, &kubeconfig, dir, Some(mute))
    }

    /// The same, watching the cluster of this kubeconfig.
    pub fn watching(kubeconfig: &Path, arguments: &[&str]) -> Self {
        Self::with(arguments, "", kubeconfig, tempfile::tempdir().expect("a folder"), None)
    }

    /// The same with TLS, and these fields of the cluster and the user.
    pub fn start_tls(arguments: &[&str], cluster: &str, user: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mute = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let server = format!("https://{}", mute.local_addr().expect("an address"));
        let kubeconfig = dir.path().join("kubeconfig");
        write_kubeconfig(&kubeconfig, &server, cluster, user);
        Self::with(arguments, "", &kubeconfig, dir, Some(mute))
    }

    fn with(
        arguments: &[&str],
        config: &str,
        kubeconfig: &Path,
        dir: TempDir,
        mute: Option<TcpListener>,
    ) -> Self {
        let settings = dir.path().join("settings.toml");
        fs::write(&settings, config).expect("written");
        let mut child = kubetally(arguments)
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--config")
            .arg(&settings)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("it is piped");
        let log = Arc::<Log>::default();
        let filled = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                filled.state.lock().expect("no panic").0.push(line);
                filled.changed.notify_all();
            }
            filled.state.lock().expect("no panic").1 = true;
            filled.changed.notify_all();
        });
        Self { child, log, dir, _mute: mute }
    }

    /// The file of settings.
    pub fn settings(&self) -> PathBuf {
        self.dir.path().join("settings.toml")
    }

    /// Waits for a line of the log with this message.
    pub fn logged(&self, message: &str) -> Value {
        let find = |lines: &[String]| {
            let mut parsed = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
            parsed
                .find(|line: &Value| line["message"].as_str().is_some_and(|m| m.contains(message)))
        };
        self.wait(|lines, _| find(lines))
    }

    /// Everything that was logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.state.lock().expect("no panic").0.clone()
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        let start = self.logged("kubetally starts");
        start["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        // Its end closes its log.
        self.wait(|_, ended| ended.then_some(()));
        self.child.wait().expect("it has ended")
    }

    fn wait<T>(&self, found: impl Fn(&[String], bool) -> Option<T>) -> T {
        let state = self.log.state.lock().expect("no panic");
        let missing =
            |state: &mut (Vec<String>, bool)| !state.1 && found(&state.0, false).is_none();
        let waited = self.log.changed.wait_timeout_while(state, DEADLINE, missing);
        let (state, _) = waited.expect("no panic");
        found(&state.0, state.1).unwrap_or_else(|| panic!("not logged: {:#?}", state.0))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Sends a signal, such as `TERM`, to a process.
pub fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().expect("sh runs");
    assert!(sent.success(), "{kill}");
}

/// Writes a kubeconfig with these fields of its cluster and its user.
pub fn write_kubeconfig(path: &Path, server: &str, cluster: &str, user: &str) {
    let text = format!(
        "current-context: test\n\
         clusters: [{{name: test, cluster: {{server: '{server}', {cluster}}}}}]\n\
         users: [{{name: me, user: {{{user}}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: me}}}}]\n"
    );
    fs::write(path, text).expect("written");
}
