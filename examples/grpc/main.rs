//! gRPC with tonic: a server and a client of the standard health service, each with one layer of Clewline's.
//!
//! ```text
//! cargo run -p clewline --features cli -- tail &        # prints what arrives
//! cargo run -p examples --example grpc
//! ```

mod health;

use std::error::Error;

use clewline::TracingConfig;
use tonic::Code;
use tracing::{Instrument as _, info_span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _guard = clewline::init_with(&TracingConfig::from_env().with_service_name("grpc-example"))?;
    let address = health::serve().await?;
    let mut client = health::connect(address).await?;
    let span = info_span!("look after the shop");
    async {
        for service in ["shop", "nobody"] {
            // A child of the current span; the server's is a child of this one.
            match health::check(&mut client, service).await.map_err(|status| status.code()) {
                Ok(is_serving) => println!("{service}: {}", if is_serving { "serving" } else { "not serving" }),
                Err(Code::NotFound) => println!("{service}: unknown"),
                Err(code) => println!("{service}: {code:?}"),
            }
        }
    }
    .instrument(span)
    .await;
    Ok(())
}
