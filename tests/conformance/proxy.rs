//! Ways to the API server: one that can be cut or swallow all, one that remembers what came along
//! it, one by which another clock is seen.

mod clock;

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use clock::Clock;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::api::Api;

/// Passes bytes on from a port of its own to another one of loopback.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    way: watch::Sender<Way>,
    /// The bytes that came from the API server.
    passed: Arc<AtomicU64>,
}

/// What becomes of bytes and of whoever connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They are passed on.
    Open,
    /// Connections are ended.
    Cut,
    /// Nothing comes through, nobody is told, and the kernel drops who wants to connect.
    BlackHole,
}

/// Who connects when nothing is dropped does so sooner.
const CONNECT: Duration = Duration::from_millis(200);

impl Proxy {
    /// Starts one for a port.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback is free");
        let port = listener.local_addr().expect("an address").port();
        let way = watch::Sender::new(Way::Open);
        let seen = way.subscribe();
        let passed = Arc::<AtomicU64>::default();
        tokio::spawn(accept(listener, to, seen, Arc::clone(&passed)));
        Self { port, way, passed }
    }

    /// How many bytes came from the API server so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Cuts all connections, and each new one, until it is mended.
    pub fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    /// Loses whatever is sent, of who is connected and of who wants to be, until it is mended.
    pub fn swallow(&self) {
        self.way.send_replace(Way::BlackHole);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn accept(
    listener: TcpListener,
    to: u16,
    mut way: watch::Receiver<Way>,
    passed: Arc<AtomicU64>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    drop(tokio::spawn(pass(stream, to, way.clone(), Arc::clone(&passed))));
                }
                Err(_) => return,
            },
            true = turned(&mut way, true) => {
                let queue = fill(&listener).await;
                turned(&mut way, false).await;
                drop(queue);
                listen(&listener, 128);
            }
            else => return,
        }
    }
}

/// Waits until everything is swallowed, or nothing any more; false where nobody decides further.
async fn turned(way: &mut watch::Receiver<Way>, swallows: bool) -> bool {
    way.wait_for(|way| (*way == Way::BlackHole) == swallows).await.is_ok()
}

/// Fills the queue of those whom nobody accepts, and makes it as short as can be: from then on the
/// kernel drops who wants to connect (`listen(2)`).
async fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    listen(listener, 0);
    let address = listener.local_addr().expect("an address");
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(address)).await {
        queue.push(stream);
    }
    queue
}

fn listen(listener: &TcpListener, backlog: i32) {
    SockRef::from(listener).listen(backlog).expect("it listens");
}

async fn pass(mut from: TcpStream, to: u16, mut way: watch::Receiver<Way>, passed: Arc<AtomicU64>) {
    let through = async {
        let mut to = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], to))).await?;
        let (mut from_client, to_client) = from.split();
        let (from_server, mut to_server) = to.split();
        let answers = relay(from_server, to_client, |bytes| {
            passed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        let requests = async {
            copy(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        tokio::try_join!(answers, requests)
    };
    let mut through = pin!(through);
    loop {
        let now = *way.borrow_and_update();
        if now == Way::Cut {
            return;
        }
        tokio::select! {
            // Whoever is at the ends sees what happened to the connection.
            _ = &mut through, if now == Way::Open => return,
            changed = way.changed() => if changed.is_err() { return },
        }
    }
}

/// Passes on what comes, to its end, and shows it on the way.
async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut saw: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut bytes = vec![0; 65_536];
    loop {
        let n = from.read(&mut bytes).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        saw(&bytes[..n]);
        to.write_all(&bytes[..n]).await?;
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
    let (mut from_client, to_client) = split(client);
    let (from_server, mut to_server) = split(to.connect().await?);
    let number = record.begin();
    let answers = relay(from_server, to_client, |bytes| record.add(number, bytes));
    tokio::select! {
        ended = answers => ended.map_err(|error| error.to_string()),
        ended = copy(&mut from_client, &mut to_server) => {
            ended.map(|_| ()).map_err(|error| error.to_string())
        }
    }
}
