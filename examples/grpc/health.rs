//! The server, the client, and the one call between them.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use clewline::http::{ClientLayer, ClientService, Options, ServerLayer};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;

/// A client whose calls are spans.
pub(crate) type Client = HealthClient<ClientService<Channel>>;

/// Serves on a free port.
pub(crate) async fn serve() -> Result<SocketAddr, Box<dyn Error>> {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", ServingStatus::Serving).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    // Every call becomes a server span of the caller's trace.
    let server = Server::builder().layer(ServerLayer::new()).add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Ok(address)
}

/// A client of the server there. Its requests do not say whom they go to, so the layer is told.
pub(crate) async fn connect(address: SocketAddr) -> Result<Client, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let layer = ClientLayer::with_options(Options::new().server(&address.to_string()));
    Ok(HealthClient::new(ServiceBuilder::new().layer(layer).service(channel)))
}

/// Whether a service is serving.
pub(crate) async fn check(client: &mut Client, service: &str) -> Result<bool, Status> {
    let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await?;
    Ok(answer.into_inner().status == i32::from(tonic_health::pb::health_check_response::ServingStatus::Serving as u8))
}
