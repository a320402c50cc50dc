//! An address at which nobody listens, as long as this process lives.

use std::net::SocketAddr;

/// An address of this machine that refuses connections.
///
/// Its port stays taken: one that is given back may be the next that some other test listens on.
pub(crate) fn nobody() -> SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("a bound socket");
    std::mem::forget(socket);
    address
}
