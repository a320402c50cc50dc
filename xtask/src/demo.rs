//! `cargo xtask demo`: builds everything, starts the viewer and the shop, and ends both together.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::process::{self, Show};
use crate::report::{heading, line, seconds};
use crate::setup;
use crate::signal::{self, OnInterrupt};
use crate::wasm;
use crate::workspace::{With, Workspace};

/// A first build compiles the servers' dependencies.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// A server that does not answer within this time will not.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long one request for a page may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// Where the two servers listen, and whether a browser opens.
pub(crate) struct Options {
    pub(crate) viewer_port: u16,
    pub(crate) shop_port: u16,
    pub(crate) open: bool,
}

/// A server of the demo under way.
struct Server {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

/// Runs the demo until Ctrl-C.
///
/// # Errors
/// When a port is taken, a build fails, or a server ends by itself.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Error> {
    let started = Instant::now();
    let viewer = SocketAddr::from((Ipv4Addr::LOCALHOST, options.viewer_port));
    let shop = SocketAddr::from((Ipv4Addr::LOCALHOST, options.shop_port));
    if viewer == shop {
        return Err(Error::PortTaken { port: options.shop_port, option: "--shop-port" });
    }
    // Before minutes of building rather than after.
    check_port(viewer, "--viewer-port")?;
    check_port(shop, "--shop-port")?;

    heading("set-up");
    setup::ensure(workspace, &wasm::NEEDS)?.into_result()?;
    heading("build");
    timed("the npm package and the page", || wasm::build(workspace).and_then(|_| wasm::bundle_shop(workspace)))?;
    timed("the viewer and the shop", || build_servers(workspace))?;

    heading("start");
    let mut servers = Vec::new();
    let outcome = start_and_wait(workspace, options, viewer, shop, &mut servers, started);
    // The shop first: what it still has to send finds the viewer there.
    for server in servers.iter_mut().rev() {
        process::end(&mut server.child);
    }
    match outcome {
        Err(Error::Interrupted) => {
            line("\nboth servers have ended");
            Ok(())
        }
        other => other,
    }
}

fn timed(what: &str, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let began = Instant::now();
    line(&format!("  building {what} …"));
    work()?;
    line(&format!("  built {what} ({})", seconds(began.elapsed())));
    Ok(())
}

fn check_port(address: SocketAddr, option: &'static str) -> Result<(), Error> {
    TcpListener::bind(address).map(drop).map_err(|_| Error::PortTaken { port: address.port(), option })
}

fn build_servers(workspace: &Workspace) -> Result<(), Error> {
    let mut command = workspace.cargo("build").with(&[
        "--package",
        "clewline",
        "--features",
        "clewline/cli",
        "--bin",
        "clewline",
        "--package",
        "examples",
        "--example",
        "shop",
        "--target-dir",
    ]);
    command.arg(&workspace.target);
    process::check("cargo build", command, Show::Latest, BUILD_LIMIT).map(drop)
}

/// Starts both servers, tells where they are, and watches them; answers only with a reason to stop.
fn start_and_wait(
    workspace: &Workspace,
    options: &Options,
    viewer: SocketAddr,
    shop: SocketAddr,
    servers: &mut Vec<Server>,
    started: Instant,
) -> Result<(), Error> {
    let debug = workspace.target.join("debug");
    let exe = std::env::consts::EXE_SUFFIX;
    let command =
        program(workspace, &debug.join(format!("clewline{exe}"))).with(&["serve", "--listen", &viewer.to_string()]);
    servers.push(start("viewer", command, viewer)?);
    wait_for_pages(servers)?;
    let command = program(workspace, &debug.join("examples").join(format!("shop{exe}"))).with(&[
        "--listen",
        &shop.to_string(),
        "--collector",
        &format!("http://{viewer}"),
    ]);
    servers.push(start("shop", command, shop)?);
    wait_for_pages(servers)?;

    line(&instructions(viewer, shop, started.elapsed()));
    if options.open {
        for address in [viewer, shop] {
            open(&format!("http://{address}/"));
        }
    }
    loop {
        watch(servers)?;
        thread::sleep(POLL);
    }
}

fn program(workspace: &Workspace, path: &Path) -> Command {
    workspace.command(path)
}

fn instructions(viewer: SocketAddr, shop: SocketAddr, took: Duration) -> String {
    format!(
        "
  Shop    http://{shop}/
  Viewer  http://{viewer}/

  1. Open the shop and click Checkout.
  2. Follow the thread: one trace, from the load of the page and your click to the work in the server.

  Ready after {}. Ctrl-C ends both.
",
        seconds(took)
    )
}

/// Starts a server and shows what it prints, each line with its name in front.
fn start(name: &'static str, command: Command, address: SocketAddr) -> Result<Server, Error> {
    line(&format!("  starting the {name} on {address} …"));
    let (child, output) = process::spawn(command, OnInterrupt::Hold)?;
    thread::spawn(move || {
        process::each_line(output, |text| {
            line(&format!("  {name:<6} | {text}"));
            true
        });
    });
    Ok(Server { name, child, address })
}

/// Waits until every server answers its first page with 200.
fn wait_for_pages(servers: &mut [Server]) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        watch(servers)?;
        let Some(silent) = servers.iter().find(|server| page_status(server.address, REQUEST_LIMIT) != Some(200)) else {
            return Ok(());
        };
        if began.elapsed() > START_LIMIT {
            return Err(Error::TimeLimit {
                what: format!("starting the {} on {}", silent.name, silent.address),
                limit: START_LIMIT,
                output: String::new(),
            });
        }
        thread::sleep(POLL);
    }
}

/// Whether there is a reason to stop: Ctrl-C, or a server that has ended.
fn watch(servers: &mut [Server]) -> Result<(), Error> {
    if signal::interrupted() {
        return Err(Error::Interrupted);
    }
    for server in servers {
        let status = server.child.try_wait().map_err(Error::io(server.name))?;
        if let Some(status) = status {
            // Ctrl-C may have reached the server between the two questions.
            return Err(if signal::interrupted() {
                Error::Interrupted
            } else {
                Error::ServerEnded { name: server.name, code: status.code() }
            });
        }
    }
    Ok(())
}

/// The status code of `GET /`, if a whole status line arrives in time.
fn page_status(address: SocketAddr, limit: Duration) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.set_write_timeout(Some(limit)).ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut status_line = String::new();
    BufReader::new(stream).read_line(&mut status_line).ok()?;
    // RFC 9112, section 4: HTTP-version SP status-code SP [ reason-phrase ].
    let mut parts = status_line.split(' ');
    parts.next().filter(|version| version.starts_with("HTTP/1."))?;
    parts.next()?.trim().parse().ok()
}

/// Opens an address in the default browser; where that fails, the address is on the screen already.
fn open(address: &str) {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let opened = Command::new(program)
        .args(arguments)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let address = address.to_owned();
    match opened {
        // It may stay as long as the browser does; someone has to wait for it.
        Ok(mut opener) => drop(thread::spawn(move || {
            if !opener.wait().is_ok_and(|status| status.success()) {
                line(&format!("  `{program}` found no browser: open {address} by hand"));
            }
        })),
        Err(error) => line(&format!("  `{program}` could not be started ({error}): open {address} by hand")),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_port, page_status};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    fn answering(response: &'static str) -> Option<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(response.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let status = page_status(address, Duration::from_secs(300));
        let request = server.join().unwrap();
        assert!(request.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        status
    }

    #[test]
    fn the_status_code_is_that_of_the_server() {
        assert_eq!(answering("HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(answering("HTTP/1.1 503 \r\n\r\n"), Some(503));
        assert_eq!(answering("SSH-2.0-OpenSSH_9.2 200\r\n"), None);
        assert_eq!(answering(""), None);
    }

    #[test]
    fn a_taken_port_is_noticed_and_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let error = check_port(address, "--shop-port").unwrap_err().to_string();
        assert!(error.contains(&format!("port {}", address.port())), "{error}");
        // Port 0 is any free one: a port that was let go may be somebody else's by now.
        assert!(check_port(([127, 0, 0, 1], 0).into(), "--shop-port").is_ok());
    }
}
