//! Orders: an axum server that writes to a database and a queue, and the consumer at the queue's other end. One trace.
//!
//! ```text
//! cargo run -p clewline --features cli -- tail &             # prints what arrives
//! cargo run -p examples --example orders -- --port 8081
//! curl -d '{"item": "thread", "count": 2}' -H 'content-type: application/json' http://127.0.0.1:8081/orders
//! ```

mod database;
mod queue;
mod service;

use std::error::Error;
use std::net::Ipv4Addr;

use clap::Parser;
use clewline::TracingConfig;
use tokio::net::TcpListener;

/// Takes orders, keeps them and has them delivered.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on at 127.0.0.1; 0 lets the system choose.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    // The tenant that the caller put into the baggage is worth an attribute on every span.
    let config = TracingConfig::from_env().with_service_name("orders").with_baggage_attributes(["tenant"]);
    let _guard = clewline::init_with(&config)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    println!("Orders: POST http://{}/orders (Ctrl-C ends)", listener.local_addr()?);
    let (router, consumer) = service::start();
    let asked_to_end = async {
        // An error means that the signal cannot be heard; then only killing ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, router).with_graceful_shutdown(asked_to_end).await?;
    // The router has gone and with it the sender, so the consumer ends after what is still queued.
    consumer.await?;
    Ok(())
}
