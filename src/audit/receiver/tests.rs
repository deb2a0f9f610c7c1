//! What takes time, in paused time: bodies over a pipe in place of a connection.

use std::{convert::Infallible, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::{
    audit::testing::{TOKEN, event, files, list},
    exposition::Format,
};

/// A receiver, and a connection to it.
fn connected() -> (Arc<Receiver>, DuplexStream) {
    let (_dir, settings) = files();
    let caps = Caps { namespaces: 2, reasons: 2, nodes: 2 };
    let receiver = Arc::new(Receiver::new(&settings, &caps).expect("usable files"));
    let (near, far) = duplex(4096);
    let served = Arc::clone(&receiver);
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let served = Arc::clone(&served);
            async move { Ok::<_, Infallible>(served.answer(request).await) }
        });
        http1::Builder::new().serve_connection(TokioIo::new(far), service).await
    });
    (receiver, near)
}

fn head(length: usize) -> String {
    format!(
        "POST /audit HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

fn shown(receiver: &Receiver, series: &str) -> bool {
    let mut out = Exposition::new(Format::Text, &[]);
    receiver.collect(&mut out);
    let text = String::from_utf8(out.finish().to_vec()).expect("UTF-8");
    text.lines().any(|line| line == series)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let (receiver, mut stream) = connected();
    let text = list(&[event("a", "alice", 200), event("b", "alice", 200)]);
    let half = &text[..text.len() / 2 + 100];
    stream.write_all(head(text.len()).as_bytes()).await.expect("written");
    stream.write_all(half.as_bytes()).await.expect("written");
    let began = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with("the body took longer than 30 s\n"), "{answer}");
    assert_eq!(began.elapsed(), PATIENCE);
    assert!(shown(&receiver, r#"kubetally_audit_batches_total{result="slow"} 1"#));
    assert!(shown(&receiver, r#"kubetally_audit_events_total{result="counted"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_byte_by_byte_is_given_up_all_the_same() {
    let (receiver, mut stream) = connected();
    let text = list(&[event("a", "alice", 200)]);
    stream.write_all(head(text.len()).as_bytes()).await.expect("written");
    let mut pause = tokio::time::interval(Duration::from_secs(1));
    for byte in text.bytes() {
        pause.tick().await;
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    assert!(shown(&receiver, r#"kubetally_audit_batches_total{result="slow"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_read_to_its_end_so_that_the_answer_arrives() {
    let (receiver, mut stream) = connected();
    let text = "x".repeat(1 << 20);
    let head = head(text.len()).replace(TOKEN, "another-token-than-the-right-one");
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(text.as_bytes()).await.expect("all of it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(shown(&receiver, r#"kubetally_audit_batches_total{result="unauthorized"} 1"#));
}
