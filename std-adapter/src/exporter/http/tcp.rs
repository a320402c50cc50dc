//! The client's TCP sockets: a write ends with its time limit, and an answer that comes before the whole request is sent is heard.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Weak};
use std::time::Instant;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};

/// Connects by TCP, unless a proxy has connected already.
///
/// The client's own sockets give a write its whole time limit anew for every part of it that is sent, so that a collector that
/// stops reading holds up an attempt for twice its time, or longer. They also give up where a write fails, although a collector that
/// takes no such request answers before it has read all of it and closes the connection: the answer lies here, and trying again
/// will not change it (RFC 9112, section 9.5).
#[derive(Debug, Default)]
pub(super) struct TcpConnector;

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, Tcp>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let stream = Arc::new(connect(details)?);
        stream.set_nodelay(details.config.no_delay())?;
        let handle = Arc::downgrade(&stream);
        (details.register_shutdown)(handle as Weak<dyn ShutdownHandle>)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Tcp { stream, buffers, cut: None })))
    }
}

/// Tries one address after the other: each gets half of the time that is left, the last one all of it.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let limit = Limit::new(details.timeout);
    let mut outcome = Err(Error::Io(ErrorKind::ConnectionRefused.into()));
    for (index, address) in details.addrs.iter().enumerate() {
        let is_last = index + 1 == details.addrs.len();
        let connected = match limit.left()? {
            Some(left) => TcpStream::connect_timeout(address, if is_last { left } else { left / 2 }),
            None => TcpStream::connect(address),
        };
        outcome = connected.map_err(|error| limit.explain(error));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// One connection.
pub(super) struct Tcp {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    /// Why nothing more can be sent.
    cut: Option<ErrorKind>,
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = Limit::new(timeout.for_write());
        let mut output = &self.buffers.output()[..amount];
        // What cannot be sent is left out, so that the answer is read next.
        while !output.is_empty() && self.cut.is_none() {
            settle(self.stream.set_write_timeout(limit.left()?))?;
            match (&*self.stream).write(output) {
                Ok(sent) => output = &output[sent..],
                // Whether the time is over is seen above.
                Err(error) if is_passing(error.kind()) => {}
                Err(error) => match error.kind() {
                    kind @ (ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => {
                        self.cut = Some(kind);
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limit = Limit::new(timeout.for_read());
        loop {
            settle(self.stream.set_read_timeout(limit.left()?))?;
            return match ((&*self.stream).read(self.buffers.input_append_buf()), self.cut) {
                (Err(error), _) if is_passing(error.kind()) => continue,
                (Ok(0) | Err(_), Some(kind)) => Err(Error::Io(kind.into())),
                (Err(error), None) => Err(error.into()),
                (Ok(amount), _) => {
                    self.buffers.input_appended(amount);
                    Ok(amount > 0)
                }
            };
        }
    }

    fn is_open(&mut self) -> bool {
        // Bytes that nobody asked for are no good sign either.
        let is_quiet = |stream: &TcpStream| {
            stream.set_nonblocking(true)?;
            let seen = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            io::Result::Ok(seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
        };
        self.cut.is_none() && is_quiet(&self.stream).unwrap_or(false)
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").field("stream", &self.stream).field("cut", &self.cut).finish_non_exhaustive()
    }
}

/// What came of setting a time limit. macOS refuses to, once the other end has closed without reading everything; what that end said
/// before can still be read, so it is for the call itself to fail.
fn settle(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| match error.kind() {
        ErrorKind::InvalidInput if cfg!(target_os = "macos") => Ok(()),
        _ => Err(error),
    })
}

/// Whether a call that failed so may be made again: a signal came, or the socket's own time limit.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A time limit for everything that is done under it.
struct Limit {
    timeout: NextTimeout,
    until: Option<Instant>,
}

impl Limit {
    fn new(timeout: NextTimeout) -> Self {
        // A limit that no clock can hold is none.
        let until = (!timeout.after.is_not_happening()).then(|| Instant::now().checked_add(*timeout.after)).flatten();
        Self { timeout, until }
    }

    /// The time that is left, never zero; `None` where there is no limit.
    fn left(&self) -> Result<Option<std::time::Duration>, Error> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) { Err(Error::Timeout(self.timeout.reason)) } else { Ok(left) }
    }

    fn explain(&self, error: io::Error) -> Error {
        if error.kind() == ErrorKind::TimedOut { Error::Timeout(self.timeout.reason) } else { error.into() }
    }
}
