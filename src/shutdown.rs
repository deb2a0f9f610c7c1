//! Signals, and the word that it is time to stop.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag, low_level,
};
use tokio::{io::AsyncReadExt, net::UnixStream, sync::watch};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT: drain and end.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The process's signals as a stream.
#[derive(Debug)]
pub struct Signals {
    stop: UnixStream,
    reload: UnixStream,
}

impl Signals {
    /// Takes SIGTERM, SIGINT and SIGHUP; a second SIGTERM or SIGINT ends the process at once.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn install() -> io::Result<Self> {
        let second = Arc::new(AtomicBool::new(false));
        let (stop, stop_signals) = UnixStream::pair()?;
        let stop_signals = stop_signals.into_std()?;
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first one finds the flag unset, and sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&second))?;
            flag::register(signal, Arc::clone(&second))?;
            low_level::pipe::register(signal, stop_signals.try_clone()?)?;
        }
        let (reload, reload_signals) = UnixStream::pair()?;
        low_level::pipe::register(SIGHUP, reload_signals.into_std()?)?;
        Ok(Self { stop, reload })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.stop.read_u8() => Signal::Stop,
            _ = self.reload.read_u8() => Signal::Reload,
        }
    }

    /// Waits for a signal to stop, and hears no other.
    pub async fn stop(&mut self) {
        while self.next().await != Signal::Stop {}
    }
}

/// Tells every task that it is time to stop.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<bool>);

/// Hears of it.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shutdown {
    /// For a task that should hear of it.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping(self.0.subscribe())
    }

    /// It is time.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Waits until it is time; when nobody is left to tell, it is.
    pub async fn wait(mut self) {
        let _told_or_alone = self.0.wait_for(|stop| *stop).await;
    }
}
