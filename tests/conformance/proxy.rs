//! A way to the API server that can be cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

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
