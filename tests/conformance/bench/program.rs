//! The programs that are measured, and what the kernel says of them.

use std::{
    fmt, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{cluster::Assets, http, process::Process};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// kube-state-metrics, of pods.
    KubeStateMetrics,
    /// Kubetally's tallies of pods.
    Tallies,
    /// Kubetally with the series of each pod.
    Details,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KubeStateMetrics => "kube-state-metrics",
            Self::Tallies => "Kubetally, tallies",
            Self::Details => "Kubetally, --detail pods",
        })
    }
}

impl Kind {
    /// How long to wait between two looks: those at a program that shows everything each time
    /// would keep it from its work.
    pub const fn patience(self) -> Duration {
        Duration::from_millis(match self {
            Self::KubeStateMetrics => 250,
            Self::Tallies | Self::Details => 1,
        })
    }
}

/// Where the programs are.
pub struct Programs {
    /// Kubetally's.
    pub kubetally: PathBuf,
    /// The folder where kube-state-metrics may be; else it is looked for on PATH.
    pub assets: Assets,
}

/// A running program.
pub struct Program {
    /// Which it is.
    pub kind: Kind,
    process: Process,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Programs {
    /// Starts one, if it is there, with these flags more; it may not serve yet.
    pub fn start(&self, kind: Kind, kubeconfig: &Path, flags: &[&str]) -> Option<Program> {
        let address = free();
        let mut command = match kind {
            Kind::KubeStateMetrics => {
                let mut command = Command::new(self.kube_state_metrics()?);
                command.args(["--resources=pods", "--enable-gzip-encoding"]);
                command.args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"]);
                command.arg(format!("--port={}", address.port()));
                command.arg(format!("--telemetry-port={}", free().port()));
                command
            }
            Kind::Tallies | Kind::Details => {
                let mut command = Command::new(&self.kubetally);
                command.args(["--resources", "pods", "--listen", &address.to_string()]);
                if kind == Kind::Details {
                    command.args(["--detail", "pods"]);
                }
                command
            }
        };
        let process = Process::start(command.arg("--kubeconfig").arg(kubeconfig).args(flags));
        Some(Program { kind, process, address })
    }

    fn kube_state_metrics(&self) -> Option<PathBuf> {
        let name = "kube-state-metrics";
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ours = self.assets.program(name);
        let paths = std::env::split_paths(&path).map(|folder| folder.join(name));
        std::iter::once(ours).chain(paths).find(|program| program.is_file())
    }
}

impl Program {
    /// Gets a path of it: the body, as it came, and how long that took.
    pub async fn get(&mut self, path: &str, gzip: bool) -> Option<(Bytes, Duration)> {
        self.process.assert_running();
        let began = Instant::now();
        let encoding = if gzip { "gzip" } else { "identity" };
        let (status, body) =
            http::ask(self.address, path, &[("accept-encoding", encoding)]).await.ok()?;
        status.is_success().then(|| (body, began.elapsed()))
    }

    /// Scrapes it and lets go of what it says: its bytes, and how long they took. Who keeps them
    /// would be measured too.
    pub async fn scrape(&mut self, gzip: bool) -> (usize, Duration) {
        self.process.assert_running();
        let address = self.address;
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {encoding}\r\nConnection: \
             close\r\n\r\n"
        );
        let began = Instant::now();
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut buffer = vec![0; 1024 * 1024];
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer).await.expect("an answer") {
                0 => return (bytes, began.elapsed()),
                n => bytes += n,
            }
        }
    }

    /// What it holds of memory now, and what it held at most, in bytes.
    pub fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("a running program");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// What its threads, those that there are, have used of the CPU so far.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let used = |task: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        let tasks = tasks.expect("a running program").flatten();
        Duration::from_nanos(tasks.filter_map(used).sum())
    }
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback is free");
    listener.local_addr().expect("an address")
}
