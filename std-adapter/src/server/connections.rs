//! Connections: accepted up to a limit, HTTP/1.1 and HTTP/2 without TLS, and none that keeps others waiting by saying nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// How long to wait when the system has no place for a further connection.
const BREATH: Duration = Duration::from_millis(200);
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(20);
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, section 3.4): before that the version is not known.
const PREFACE: usize = 24;

/// What bounds connections.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// How many there may be.
    pub(super) connections: Arc<Semaphore>,
    /// How long the head of a request may take.
    pub(super) header_timeout: Duration,
}

/// Accepts and serves connections until told to end, then waits for those that are being answered, up to `grace`.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    mut ending: watch::Receiver<bool>,
    grace: Duration,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_LIMIT);
    builder.http2().max_concurrent_streams(STREAMS);
    let graceful = GracefulShutdown::new();
    // Dropped with this future, which ends what is still going on.
    let mut tasks = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, limits) => accepted,
            // An error means that the sender is gone, which happens right after it told.
            _ = ending.wait_for(|ending| *ending) => break,
        };
        let io = TokioIo::new(Impatient::new(stream, limits.header_timeout));
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(builder.serve_connection(io, service).into_owned());
        tasks.spawn(async move {
            // How a connection ends is its client's business; what was wrong with a request has been answered.
            let _ = connection.await;
            drop(place);
        });
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    // An error means that the time is up.
    let _ = tokio::time::timeout(grace, graceful.shutdown()).await;
}

/// The next connection, once there is a place for it. Until then clients wait in the system's queue.
async fn accept(listener: &TcpListener, limits: &Limits) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // An error would mean that the semaphore is closed, which it never is.
    let place = Arc::clone(&limits.connections).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are written whole, so there is nothing to wait for. It works without, too.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(error) if is_of_connection(&error) => {}
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Whether only the connection that was to be accepted is lost.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A stream whose first bytes must come in time: hyper's own limits begin when it knows the version.
struct Impatient {
    stream: TcpStream,
    received: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Impatient {
    fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, received: 0, deadline: Box::pin(tokio::time::sleep(limit)) }
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received < PREFACE && self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.received = self.received.saturating_add(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
