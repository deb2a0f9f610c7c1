//! Bodies that are written while they are read, and the faults that can befall them.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::{sync::mpsc, task::yield_now};

/// How many pieces may wait for the reader.
const WAITING: usize = 16;

/// How often others have their turn before a body breaks.
const TURNS: usize = 16;

/// A fault of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// After this many bytes the connection (HTTP/1.1) or the stream (HTTP/2) breaks.
    Break(usize),
    /// After this many bytes nothing comes any more.
    Hang(usize),
    /// After this many bytes it ends, as if it were complete.
    End(usize),
    /// After this many bytes, or where it would end, these come in the place of the rest.
    Instead(usize, Bytes),
    /// After this many bytes these come in between.
    Insert(usize, Bytes),
    /// It comes in pieces of this many bytes.
    Pieces(usize),
}

/// A body that broke off.
#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off on purpose")
    }
}

impl std::error::Error for Broken {}

/// The reading end.
#[derive(Debug)]
pub struct Streamed(mpsc::Receiver<Result<Bytes, Broken>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Writer {
    pieces: mpsc::Sender<Result<Bytes, Broken>>,
    written: usize,
    fault: Option<BodyFault>,
}

/// Nobody reads any more, or a fault has ended the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

impl Writer {
    /// A body that this fault may befall.
    #[must_use]
    pub fn new(fault: Option<BodyFault>) -> (Self, Streamed) {
        let (pieces, read) = mpsc::channel(WAITING);
        (Self { pieces, written: 0, fault }, Streamed(read))
    }

    /// Writes what comes next.
    ///
    /// # Errors
    /// Where the body is over.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), Over> {
        let bytes = bytes.into();
        let due = |at: usize| at.checked_sub(self.written).filter(|left| *left <= bytes.len());
        match self.fault.clone() {
            Some(BodyFault::Pieces(size)) => {
                for from in (0..bytes.len()).step_by(size.max(1)) {
                    let to = bytes.len().min(from + size.max(1));
                    self.send(bytes.slice(from..to)).await?;
                }
                Ok(())
            }
            Some(BodyFault::Break(at)) if due(at).is_some() => {
                self.send(bytes.slice(..at - self.written)).await?;
                // A reset takes with it what has not been sent yet.
                for _ in 0..TURNS {
                    yield_now().await;
                }
                let _unread = self.pieces.send(Err(Broken)).await;
                Err(Over)
            }
            Some(BodyFault::Hang(at)) if due(at).is_some() => {
                self.send(bytes.slice(..at - self.written)).await?;
                self.pieces.closed().await;
                Err(Over)
            }
            Some(BodyFault::End(at)) if due(at).is_some() => {
                self.send(bytes.slice(..at - self.written)).await?;
                Err(Over)
            }
            Some(BodyFault::Instead(at, rest)) if due(at).is_some() => {
                self.send(bytes.slice(..at - self.written)).await?;
                self.send(rest).await?;
                Err(Over)
            }
            Some(BodyFault::Insert(at, between)) if due(at).is_some() => {
                let cut = at - self.written;
                self.fault = None;
                for part in [bytes.slice(..cut), between, bytes.slice(cut..)] {
                    self.send(part).await?;
                }
                Ok(())
            }
            _ => self.send(bytes).await,
        }
    }

    /// It is whole.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub async fn end(mut self) -> Result<(), Over> {
        match self.fault.take() {
            Some(BodyFault::Instead(_, rest)) => self.send(rest).await,
            _ => Ok(()),
        }
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Over> {
        self.written += bytes.len();
        if bytes.is_empty() {
            return Ok(());
        }
        self.pieces.send(Ok(bytes)).await.map_err(|_| Over)
    }

    /// Waits until nobody reads any more.
    pub async fn closed(&self) {
        self.pieces.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Some("one two three"))]
    #[case(Some(BodyFault::Pieces(2)), Some("one two three"))]
    #[case(Some(BodyFault::End(5)), Some("one t"))]
    #[case(Some(BodyFault::Break(5)), None)]
    #[case(Some(BodyFault::Insert(4, "X ".into())), Some("one X two three"))]
    #[case(Some(BodyFault::Instead(5, "X".into())), Some("one tX"))]
    #[case(Some(BodyFault::Instead(99, " X".into())), Some("one two three X"))]
    #[tokio::test]
    async fn faults(#[case] fault: Option<BodyFault>, #[case] expected: Option<&str>) {
        let (mut writer, body) = Writer::new(fault);
        let written = async move {
            for part in ["one ", "two ", "three"] {
                writer.write(part).await?;
            }
            writer.end().await
        };
        let (_, read) = tokio::join!(written, body.collect());
        let text = read.ok().map(|read| String::from_utf8_lossy(&read.to_bytes()).into_owned());
        assert_eq!(text.as_deref(), expected);
    }

    #[tokio::test]
    async fn one_that_hangs_ends_with_its_reader() {
        let (mut writer, mut body) = Writer::new(Some(BodyFault::Hang(2)));
        let written = tokio::spawn(async move { writer.write("one").await });
        let first = body.frame().await.expect("a frame").expect("not broken");
        assert_eq!(first.into_data().ok(), Some(Bytes::from("on")));
        drop(body);
        assert_eq!(written.await.expect("no panic"), Err(Over));
    }
}
