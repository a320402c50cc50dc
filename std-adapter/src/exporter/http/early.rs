//! Hears collectors out that answer before they have read the whole request, and then read no more.

use std::io::{self, ErrorKind};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Puts [`EarlyAnswers`] around the connections that the connectors before it make.
///
/// A receiver that refuses a request for its size or its credentials may say so at once and close (RFC 9112, section 9.5). The
/// client sees its writing fail; taken for a lost connection, a request that is refused for good would be sent again and again.
#[derive(Debug)]
pub(super) struct HearEarlyAnswers;

impl<In: Transport> Connector<In> for HearEarlyAnswers {
    type Out = EarlyAnswers<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| EarlyAnswers { inner, failed: None }))
    }
}

/// A connection that still reads when it cannot write any more.
#[derive(Debug)]
pub(super) struct EarlyAnswers<T> {
    inner: T,
    /// Why writing failed. What is to be written after that goes nowhere.
    failed: Option<ErrorKind>,
}

impl<T: Transport> Transport for EarlyAnswers<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.failed.is_some() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if is_closed(&error) => {
                self.failed = Some(error.kind());
                Ok(())
            }
            other => other,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let result = self.inner.await_input(timeout);
        match (self.failed, result) {
            // There is no answer, or no more of it: what happened is that writing failed.
            (Some(failed), Ok(false) | Err(Error::Io(_))) => Err(Error::Io(failed.into())),
            (_, result) => result,
        }
    }

    fn is_open(&mut self) -> bool {
        self.failed.is_none() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Whether the other end has closed the connection, which leaves what it sent before to be read.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}
