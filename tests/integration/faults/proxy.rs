//! What stands between the daemon and the API server: passes bytes on, counts them, and plays an
//! HTTP/2 server that goes away for some connections.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use kubetally::sim::pki::Validity;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::rig::Cluster;

/// A proxy of TCP.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    /// Where connections lead that come.
    server: Mutex<SocketAddr>,
    /// How many connections to come are told to go away.
    leaving: AtomicUsize,
    /// How many were.
    left: AtomicUsize,
    /// The bytes that came from the server.
    passed: AtomicU64,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// In front of a cluster.
    pub async fn start(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let authority = cluster.sim.authority();
        let identity = authority.server(&["127.0.0.1"], Validity::Now).expect("a certificate");
        let tls = authority.server_config(&identity, &["h2"]).expect("usable");
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let state = Arc::new(State {
            server: Mutex::new(cluster.sim.address()),
            leaving: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            passed: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                // Whoever's connection ends finds it out.
                tokio::spawn(async move { shared.converse(client, acceptor).await });
            }
        });
        Self { address, state, task }
    }

    /// Leads the connections to come there.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().expect("no panic") = server;
    }

    /// The next connections are told to go away, by a GOAWAY below their first stream.
    pub fn leave(&self, connections: usize) {
        self.state.leaving.store(connections, Ordering::Relaxed);
    }

    /// How many were told so.
    pub fn left(&self) -> usize {
        self.state.left.load(Ordering::Relaxed)
    }

    /// The bytes that came from the server, as TLS has them.
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::Relaxed)
    }
}

impl State {
    fn server(&self) -> SocketAddr {
        *self.server.lock().expect("no panic")
    }

    async fn converse(&self, mut client: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.leaving.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            go_away(acceptor.accept(client).await?).await?;
            self.left.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let mut server = TcpStream::connect(self.server()).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = tokio::io::copy(&mut from_client, &mut to_server);
        let down = async {
            let mut buffer = vec![0; 16 * 1024];
            loop {
                let read = from_server.read(&mut buffer).await?;
                if read == 0 {
                    return to_client.shutdown().await;
                }
                to_client.write_all(&buffer[..read]).await?;
                self.passed.fetch_add(read as u64, Ordering::Relaxed);
            }
        };
        tokio::select! {
            up = up => up.map(drop),
            down = down => down,
        }
    }
}

/// A frame of HTTP/2 (RFC 9113, 4.1) of the connection: its length, type and flags, stream 0.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short one");
    [&[0, 0, length, kind, flags, 0, 0, 0, 0], payload].concat()
}

/// Reads up to a request, and says that it was not taken.
async fn go_away(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    stream.write_all(&frame(SETTINGS, 0, &[])).await?;
    stream.flush().await?;
    stream.read_exact(&mut [0; PREFACE]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == HEADERS {
            // The last stream that was taken is 0, and nothing is wrong.
            stream.write_all(&frame(GOAWAY, 0, &[0; 8])).await?;
            return stream.shutdown().await;
        }
    }
}
