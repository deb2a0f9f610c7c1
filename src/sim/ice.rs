//! Streams that freeze, as those of a process that is stopped: the kernel goes on acknowledging,
//! and nothing is read or written.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch as channel,
};

type Thaw = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream that can freeze.
pub struct Freezable<S> {
    stream: S,
    /// Its number among the connections; those up to the number that is told are frozen.
    number: u64,
    frozen: channel::Receiver<u64>,
    thaw: Option<Thaw>,
}

impl<S> Freezable<S> {
    /// The connection of this number.
    pub const fn new(stream: S, number: u64, frozen: channel::Receiver<u64>) -> Self {
        Self { stream, number, frozen, thaw: None }
    }

    fn poll_thawed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if *self.frozen.borrow() < self.number {
            self.thaw = None;
            return Poll::Ready(());
        }
        let (number, mut frozen) = (self.number, self.frozen.clone());
        let thaw = self.thaw.get_or_insert_with(|| {
            Box::pin(async move {
                // Where nobody can thaw it any more, it is about to be dropped.
                let _thawed = frozen.wait_for(|frozen| *frozen < number).await;
            })
        });
        ready!(thaw.as_mut().poll(context));
        self.thaw = None;
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Freezable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_thawed(context));
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Freezable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_thawed(context));
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_thawed(context));
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_thawed(context));
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_frozen_goes_on_when_it_thaws() {
        let (mut near, far) = duplex(64);
        let frozen = channel::Sender::new(7);
        let mut far = Freezable::new(far, 7, frozen.subscribe());
        near.write_all(b"hi").await.expect("written");
        let mut buffer = [0; 2];
        let mut reading = Box::pin(far.read_exact(&mut buffer));
        let held = std::future::poll_fn(|context| {
            Poll::Ready(reading.as_mut().poll(context).is_pending())
        });
        assert!(held.await);
        frozen.send_replace(6);
        reading.await.expect("read");
        assert_eq!(&buffer, b"hi");
    }
}
