//! A program under test: its log is kept, and it is gone when it is dropped.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::eventually::eventually;

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a program; what it writes to standard error is its log.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let log = Arc::<Mutex<String>>::default();
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push_str(&line);
                    log.push('\n');
                }
            });
        }
        Self { name, child, log }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails where it has ended.
    ///
    /// # Panics
    /// With its log.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child can be asked") {
            panic!("{} ended with {status}; its log:\n{}", self.name, self.log());
        }
    }

    /// Waits for the line of its log, in JSON, that tells where it serves.
    pub async fn until_serving(&mut self) -> SocketAddr {
        let what = format!("the address of {}", self.name);
        eventually(&what, async || {
            self.assert_running();
            let log = self.log();
            let address = |line: &str| -> Option<SocketAddr> {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                line["address"].as_str()?.parse().ok()
            };
            // Port 0 is what was asked for, not what it got.
            log.lines().filter_map(address).find(|at| at.port() != 0).ok_or(log)
        })
        .await
    }

    /// Sends a signal, such as `TERM`, and waits until it has ended.
    pub async fn stop(&mut self, signal: &str) -> ExitStatus {
        let kill = format!("kill -s {signal} {}", self.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success(), "no {} to be stopped", self.name);
        let name = self.name.clone();
        eventually(&format!("the end of {name}"), async || {
            let ended = self.child.try_wait().expect("a child can be asked");
            ended.ok_or_else(|| format!("it runs; its log:\n{}", self.log()))
        })
        .await
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _killed = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
