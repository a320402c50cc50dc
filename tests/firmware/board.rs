//! The emulated boards, and QEMU around them.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// One board.
pub(crate) struct Board {
    pub(crate) name: &'static str,
    /// As its firmware calls it.
    pub(crate) model: &'static str,
    target: &'static str,
    emulator: &'static str,
    arguments: &'static [&'static str],
}

/// All boards that the firmware runs on.
pub(crate) const BOARDS: &[Board] = &[
    Board {
        name: "mps2",
        model: "mps2-an386",
        target: "thumbv7em-none-eabihf",
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an386"],
    },
    Board {
        name: "microbit",
        model: "microbit",
        target: "thumbv6m-none-eabi",
        emulator: "qemu-system-arm",
        arguments: &["-machine", "microbit"],
    },
    Board {
        name: "virt",
        model: "riscv-virt",
        target: "riscv32imc-unknown-none-elf",
        emulator: "qemu-system-riscv32",
        arguments: &["-machine", "virt", "-bios", "none"],
    },
];

/// An emulated board takes some seconds for what is read here, unless the machine is busy with something else.
const LIMIT: Duration = Duration::from_secs(600);

/// Ends the emulator whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}

impl Board {
    /// The firmware that it runs.
    fn program(&self) -> PathBuf {
        let directory = env::var("FIRMWARE").expect("run this by `cargo xtask test --only firmware`");
        Path::new(&directory).join(self.target).join("release/firmware")
    }

    /// The file that would be flashed.
    pub(crate) fn image(&self) -> Vec<u8> {
        let program = self.program();
        fs::read(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }

    /// Boots the board, sends it `input`, and reads its line until `bytes` have come after its `answer`, and to the end of that frame.
    ///
    /// The input lies in the pipe before the board boots, and a pipe (64 KiB) holds all that is read here. So it does not matter how
    /// late a busy machine lets this program write or read: a board whose line is held up would have to drop spans.
    pub(crate) fn run(&self, input: &[u8], answer: impl Fn(&[u8]) -> bool, bytes: usize) -> Vec<u8> {
        // Open to the end, so that the board's host does not go away.
        let (to_emulator, mut to_board) = io::pipe().expect("a pipe");
        to_board.write_all(input).expect("the pipe has room for it");
        let mut command = Command::new(self.emulator);
        command
            .args(self.arguments)
            // Time is counted by instructions, so that a busy machine changes nothing.
            .args([
                "-icount",
                "shift=6,sleep=off",
                "-display",
                "none",
                "-monitor",
                "none",
                "-serial",
                "stdio",
                "-kernel",
            ])
            .arg(self.program())
            .stdin(to_emulator)
            .stdout(Stdio::piped());
        let mut emulator = Running(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.emulator)));
        let mut from_board = emulator.0.stdout.take().expect("piped");

        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = from_board.read(&mut buffer) {
                if read == 0 || send.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let until = Instant::now() + LIMIT;
        let mut line = Vec::new();
        let mut enough = None;
        loop {
            match receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(more) => line.extend(more),
                Err(error) => panic!("{}: {} bytes in {LIMIT:?}, then {error}", self.name, line.len()),
            }
            if enough.is_none() && answer(&line) {
                enough = Some(line.len() + bytes);
            }
            // No more than needed: to the end of the frame that is just arriving.
            if let Some(enough) = enough
                && let Some(rest) = line.get(enough..)
                && let Some(end) = rest.iter().position(|&byte| byte == 0)
            {
                line.truncate(enough + end + 1);
                return line;
            }
        }
    }
}
