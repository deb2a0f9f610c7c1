//! Ways to the API server: one that can be cut, and one that remembers what came along it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, split},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use crate::api::Api;

/// Passes bytes on from a port of its own to another one of loopback.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// Starts one for a port.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback is free");
        let port = listener.local_addr().expect("an address").port();
        let open = watch::Sender::new(true);
        let seen = open.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, to, seen.clone()));
            }
        });
        Self { port, open }
    }

    /// Cuts all connections, and each new one, until it is mended.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(mut from: TcpStream, to: u16, mut open: watch::Receiver<bool>) {
    let through = async {
        let mut to = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], to))).await?;
        copy_bidirectional(&mut from, &mut to).await
    };
    tokio::select! {
        // Whoever is at the ends sees what happened to the connection.
        _ = through => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

/// Passes bytes on from a port of its own, with TLS ended and begun anew there, and remembers what
/// the API server sent.
pub struct Recorder {
    /// Where it listens.
    pub port: u16,
    sent: Arc<Sent>,
}

impl Recorder {
    /// Starts one that is a server of this TLS.
    pub async fn start(tls: ServerConfig, to: Api) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback is free");
        let port = listener.local_addr().expect("an address").port();
        let sent = Arc::<Sent>::default();
        let (acceptor, record) = (TlsAcceptor::from(Arc::new(tls)), Arc::clone(&sent));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, to, record) = (acceptor.clone(), to.clone(), Arc::clone(&record));
                // Whoever is at the ends sees what happened to the connection.
                tokio::spawn(async move { pass_recorded(stream, &acceptor, &to, &record).await });
            }
        });
        Self { port, sent }
    }

    /// Whether the API server sent this text.
    pub fn saw(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.sent.lock().iter().any(|sent| memchr::memmem::find(sent, text).is_some())
    }
}

/// What came along each connection.
#[derive(Default)]
struct Sent(Mutex<Vec<Vec<u8>>>);

impl Sent {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new connection.
    fn begin(&self) -> usize {
        let mut sent = self.lock();
        sent.push(Vec::new());
        sent.len() - 1
    }

    fn add(&self, number: usize, bytes: &[u8]) {
        self.lock()[number].extend_from_slice(bytes);
    }
}

async fn pass_recorded(
    from: TcpStream,
    acceptor: &TlsAcceptor,
    to: &Api,
    record: &Sent,
) -> Result<(), String> {
    let client = acceptor.accept(from).await.map_err(|error| error.to_string())?;
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(to.connect().await?);
    let number = record.begin();
    let answers = async {
        let mut bytes = vec![0; 65_536];
        loop {
            let n = from_server.read(&mut bytes).await?;
            if n == 0 {
                return to_client.shutdown().await;
            }
            record.add(number, &bytes[..n]);
            to_client.write_all(&bytes[..n]).await?;
        }
    };
    tokio::select! {
        ended = answers => ended.map_err(|error| error.to_string()),
        ended = copy(&mut from_client, &mut to_server) => {
            ended.map(|_| ()).map_err(|error| error.to_string())
        }
    }
}
