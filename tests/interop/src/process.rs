//! Servers as child processes: started, awaited, ended.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it listens: a Java program on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server; ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server, with a log of this name, and waits until it listens on these ports.
    pub(crate) fn start(name: &str, command: &mut Command, ports: &[u16]) -> Result<Self, String> {
        let log = directory()?.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let second = file.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(second).spawn();
        let child = child.map_err(|error| format!("{name} does not start: {error}"))?;
        let mut server = Self { child, log };
        let started = Instant::now();
        for port in ports {
            while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_err() {
                let has_ended = !matches!(server.child.try_wait(), Ok(None));
                if has_ended || started.elapsed() > PATIENCE {
                    return Err(format!("{name} does not listen; see {}", server.log.display()));
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where logs and other files of a run go.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let directory = std::env::var_os("INTEROP_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

/// Asks again and again, for as long as spans may take from one program to the next.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        match ask() {
            None if started.elapsed() < Duration::from_secs(30) => thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}
