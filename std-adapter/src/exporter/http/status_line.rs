//! `StatusLine`: what a collector decided, where the client cannot read the rest of an answer's head.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// The status of the answer that came last, read beside the client. That gives up on a head with more than 128 fields, or with one
/// that is malformed; sending the spans again would come to the same, and a collector that took them would have them twice.
#[derive(Clone, Debug)]
pub(super) struct StatusLine {
    /// What is posted to: connections that a proxy is spoken to on are none of ours.
    uri: Uri,
    /// 0 while there is none.
    seen: Arc<AtomicU16>,
}

impl StatusLine {
    pub(super) fn new(uri: Uri) -> Self {
        Self { uri, seen: Arc::default() }
    }

    /// Forgets the answer to the request before.
    pub(super) fn clear(&self) {
        self.seen.store(0, Ordering::Relaxed);
    }

    /// The status, if `error` is about the head in which it stood.
    pub(super) fn of_unreadable(&self, error: &Error) -> Option<u16> {
        let is_about_head = matches!(error, Error::Protocol(_) | Error::LargeResponseHeader(..));
        Some(self.seen.load(Ordering::Relaxed)).filter(|status| is_about_head && *status != 0)
    }
}

impl<In: Transport> Connector<In> for StatusLine {
    type Out = Watched<In>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let seen = (*details.uri == self.uri).then(|| Arc::clone(&self.seen));
        Ok(chained.map(|transport| Watched { transport, seen }))
    }
}

/// A connection whose input is looked at.
#[derive(Debug)]
pub(super) struct Watched<T> {
    transport: T,
    seen: Option<Arc<AtomicU16>>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let has_come = self.transport.await_input(timeout)?;
        if let Some(seen) = &self.seen
            && seen.load(Ordering::Relaxed) == 0
            && let Some(status) = status(self.transport.buffers().input())
        {
            seen.store(status, Ordering::Relaxed);
        }
        Ok(has_come)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

/// The status of the first answer that is final (RFC 9112, section 4; RFC 9110, section 15.2).
fn status(mut input: &[u8]) -> Option<u16> {
    loop {
        let [b'0'..=b'9', b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] =
            input.strip_prefix(b"HTTP/1.")?
        else {
            return None;
        };
        if *a != b'1' {
            return Some([a, b, c].iter().fold(0, |number, digit| number * 10 + u16::from(**digit - b'0')));
        }
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n")?;
        input = &rest[end + 4..];
    }
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_as_soon_as_it_has_come() {
        let table: [(&[u8], Option<u16>); 9] = [
            (b"HTTP/1.1 200 OK\r\n", Some(200)),
            (b"HTTP/1.0 503", Some(503)),
            (b"HTTP/1.1 50", None),
            (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 429 Later\r\n", Some(429)),
            (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n", None),
            (b"HTTP/1.1 +20 OK\r\n", None),
            (b"HTTP/2 200\r\n", None),
            (b"<html>", None),
            (b"", None),
        ];
        for (input, expected) in table {
            assert_eq!(status(input), expected, "{}", input.escape_ascii());
        }
    }
}
