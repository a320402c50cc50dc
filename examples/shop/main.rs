//! A shop with one button: its trace begins with the load of the page and goes on through the server to the payment provider.
//!
//! Run it together with the viewer by `cargo xtask demo`, or alone beside any OTLP collector:
//!
//! ```text
//! cargo run -p examples --example shop -- --listen 127.0.0.1:8080 --collector http://127.0.0.1:4318
//! ```

mod checkout;
mod page;
mod payments;

use std::error::Error;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::routing::{get, post};
use clap::Parser;
use clewline::config::{Source, TracingConfig};
use clewline::http::ServerLayer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long requests that are under way may take when the shop is told to end.
const GRACE: Duration = Duration::from_secs(2);
/// Somebody is waiting to see the trace.
const EXPORT_DELAY: Duration = Duration::from_millis(200);

/// A shop with one button, traced from the browser to the payment provider.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The OTLP/HTTP receiver of the server's and the page's spans, such as `clewline serve`.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318", value_parser = collector)]
    collector: String,

    /// The page's script, bundled with the npm package.
    #[arg(long, value_name = "FILE", default_value_os_t = default_script())]
    script: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if !arguments.script.is_file() {
        let place = arguments.script.display();
        return Err(format!("the page's script has not been built into {place}: run `cargo xtask demo`").into());
    }
    let mut config = TracingConfig::from_env().with_service_name("shop").with_endpoint(&arguments.collector)?;
    if config.batch.schedule_delay.source() == Source::Default {
        config.batch.schedule_delay = EXPORT_DELAY.into();
    }
    // Dropped last, so that the spans of the last requests leave too.
    let _guard = clewline::init_with(&config)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("cannot listen on {} (--listen): {error}", arguments.listen))?;
    let address = listener.local_addr()?;
    println!("Shop: http://{address}/ , its spans and those of the page go to {} (Ctrl-C ends)", arguments.collector);

    let (ending, ended) = oneshot::channel();
    let asked_to_end = async {
        asked_to_end().await;
        // Nobody listens only if the server has failed meanwhile.
        let _ = ending.send(());
    };
    let app = router(address, arguments).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(asked_to_end).into_future();
    let too_late = async {
        let _ = ended.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = too_late => Ok(()),
    }
}

/// What answers customers is traced; the page's own files would only fill the viewer.
fn router(address: SocketAddr, arguments: &Arguments) -> Router {
    let checkout = Router::new()
        .route("/api/cart", get(checkout::cart))
        .route("/api/checkout", post(checkout::checkout))
        .with_state(checkout::Shop::new(address));
    let payments = Router::new().route("/payments/charge", post(payments::charge));
    checkout.merge(payments).layer(ServerLayer::new()).merge(page::routes(&arguments.collector, &arguments.script))
}

/// Completes on Ctrl-C or, on Unix, SIGTERM.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // An error means that the signal cannot be heard; then only killing ends the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The base address of a collector, without a slash at its end.
fn collector(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() && uri.query().is_none() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("a collector's address looks like http://127.0.0.1:4318".to_owned()),
    }
}

fn default_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shop/dist/page.js")
}
