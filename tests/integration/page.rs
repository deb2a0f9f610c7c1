use std::{net::SocketAddr, time::Duration};

use kubetally::{http::page::STREAMS, sim::Options};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    eventually::{DEADLINE, eventually},
    get::{Answer, answer},
    rig::{Cluster, Watching, event, pod},
};

/// A request whose answer is read as it comes.
struct Stream {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        socket.write_all(head.as_bytes()).await.expect("written");
        Self { socket, received: Vec::new() }
    }

    /// Reads on; false at its end.
    async fn read(&mut self) -> bool {
        let read = timeout(DEADLINE, self.socket.read_buf(&mut self.received)).await;
        read.expect("something in time").expect("a whole answer") > 0
    }

    /// The head of the answer, and what has come of its body.
    async fn head(&mut self) -> Answer {
        loop {
            if let Some(answer) = answer(&self.received) {
                return answer;
            }
            assert!(self.read().await, "no head");
        }
    }

    /// The parts of the next event.
    async fn parts(&mut self) -> Value {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            let event = text.split_once("data: ").and_then(|(_, rest)| rest.split_once("\n\n"));
            if let Some((event, rest)) = event {
                let parts = serde_json::from_str::<Value>(event).expect("JSON")["parts"].clone();
                self.received = rest.as_bytes().to_vec();
                return parts;
            }
            assert!(self.read().await, "the stream has ended");
        }
    }

    /// Reads events until one has this in a part.
    async fn until(&mut self, part: &str, text: &str) {
        loop {
            let parts = self.parts().await;
            if parts[part].as_str().is_some_and(|html| html.contains(text)) {
                return;
            }
        }
    }
}

async fn ask(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let headers = format!("{headers}Connection: close\r\n");
    let mut stream = Stream::open(address, path, &headers).await;
    while stream.read().await {}
    answer(&stream.received).expect("an answer")
}

async fn started(settings: &[(&str, &str)]) -> (Cluster, Watching) {
    let cluster = Cluster::start(Options::default()).await;
    cluster.sim.put("pods", pod("shop", "a", "Running"));
    let daemon = cluster.watch(settings).await;
    daemon.until_ready().await;
    (cluster, daemon)
}

#[tokio::test]
async fn the_page_says_how_it_goes() {
    let (cluster, daemon) = started(&[("watch.resources", "pods,events,secrets")]).await;
    // Rights, watches and the identity become known one after the other, and a page is a second old.
    const PARTS: [&str; 5] = [
        "Rules to add",
        "<h1>Everything is watched.</h1><p>1 kind is forbidden: secrets.</p>",
        "system:serviceaccount:kubetally:kubetally",
        "for secrets, in a ClusterRole",
        "{apiGroups: [&quot;&quot;], resources: [secrets], verbs: [list, watch]}",
    ];
    let page = eventually("all that there is to say", async || {
        let page = ask(daemon.address, "/", "").await;
        match PARTS.iter().find(|part| !page.text().contains(**part)) {
            None => Ok(page),
            Some(part) => Err(format!("no {part} in {}", page.text())),
        }
    })
    .await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains(&cluster.token()[..20]), "a token is nobody's business");
    daemon.stop().await;
}

#[tokio::test]
async fn updates_follow_the_cluster() {
    let (cluster, daemon) = started(&[]).await;
    let mut updates = Stream::open(daemon.address, "/updates", "").await;
    let head = updates.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    let parts = updates.parts().await;
    assert_eq!(parts.as_object().map(serde_json::Map::len), Some(12));
    assert!(parts["pods"].as_str().is_some_and(|html| html.contains("aria-label=\"1 pod\"")));
    for name in ["b", "c"] {
        cluster.sim.put("pods", pod("shop", name, "Pending"));
    }
    updates.until("pods", "aria-label=\"3 pods\"").await;
    cluster.sim.put("events", event("shop", "e", 7));
    updates.until("warnings", "BackOff</th><td>Pod</td>").await;
    daemon.stop().await;
}

#[tokio::test]
async fn those_who_look_leave_room_for_scrapes() {
    let (_cluster, daemon) = started(&[]).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = Stream::open(daemon.address, "/updates", "").await;
        assert_eq!(stream.head().await.status, 200);
        streams.push(stream);
    }
    let refused = ask(daemon.address, "/updates", "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    assert_eq!(ask(daemon.address, "/", "").await.status, 200);
    assert_eq!(daemon.get("/metrics").await.0, 200);
    streams.pop();
    eventually("a place that is free again", async || {
        let mut stream = Stream::open(daemon.address, "/updates", "").await;
        match stream.head().await.status {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_look() {
    let (_cluster, daemon) = started(&[("http.drain", "5m")]).await;
    let mut updates = Stream::open(daemon.address, "/updates", "").await;
    updates.parts().await;
    timeout(Duration::from_secs(60), daemon.stop()).await.expect("far before the drain time");
    while updates.read().await {}
    // The last chunk: an end, and no connection that broke.
    assert!(updates.received.ends_with(b"0\r\n\r\n"), "{:?}", updates.received);
}

#[tokio::test]
async fn assets_are_taken_once_and_asked_for_again() {
    let (_cluster, daemon) = started(&[]).await;
    for (path, content_type) in [
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/assets/page.js", "text/javascript; charset=utf-8"),
        ("/assets/uplot.css", "text/css; charset=utf-8"),
        ("/assets/uplot.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let asset = ask(daemon.address, path, "").await;
        assert_eq!(
            (asset.status, asset.header("content-type")),
            (200, Some(content_type)),
            "{path}"
        );
        assert!(!asset.text().is_empty() && !asset.text().contains("sourceMappingURL"), "{path}");
        let tag = asset.header("etag").expect("a tag").to_owned();
        let again = ask(daemon.address, path, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    assert_eq!(ask(daemon.address, "/assets/../Cargo.toml", "").await.status, 404);
    daemon.stop().await;
}

#[tokio::test]
async fn there_is_no_page_where_none_is_wanted() {
    let (_cluster, daemon) = started(&[("http.page", "false")]).await;
    for path in ["/", "/updates", "/assets/page.css"] {
        assert_eq!(daemon.get(path).await.0, 404, "{path}");
    }
    assert_eq!(daemon.get("/metrics").await.0, 200);
    daemon.stop().await;
}
