//! Prints the table of Clewline and its peers; `-- --help` lists the options.

use clewline_bench::allocation::CountingAllocator;
use clewline_bench::library::Library;
use clewline_bench::options::{HELP, Options, Task};
use clewline_bench::table::Table;
use clewline_bench::worker::Effort;
use clewline_bench::{core_rows, peers, report, threads, worker};
use std::error::Error;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed too.
            let _ = writeln!(stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let libraries = peers::all();
    let effort = Effort::new(options.quick);
    match &options.task {
        Task::Help => stdout().write_all(HELP.as_bytes())?,
        Task::Cases { library, mode } => {
            let library = find(&libraries, library)?;
            worker::measure_cases(library, *mode, effort, &mut stdout().lock())?;
        }
        Task::Load { library, threads } => {
            let library = find(&libraries, library)?;
            threads::measure_load(library, *threads, options.quick, &mut stdout().lock())?;
        }
        Task::Core => {
            let (table, notes) = core_rows::table(options.quick, &options.only);
            print(&table, &notes, &options)?;
        }
        Task::Parent => {
            let progress = |line: &str| {
                // Progress is a courtesy: a closed standard error must not stop the measurement.
                let _ = writeln!(stderr(), "{line}");
            };
            let (table, notes) = if options.threads.is_empty() {
                report::cases(&libraries, &options, progress)?
            } else {
                threads::loads(&libraries, &options, progress)?
            };
            print(&table, &notes, &options)?;
        }
    }
    Ok(())
}

fn find<'a>(libraries: &'a [Box<dyn Library>], name: &str) -> Result<&'a dyn Library, String> {
    libraries
        .iter()
        .find(|library| library.name() == name)
        .map(|library| &**library)
        .ok_or_else(|| format!("no row is named `{name}`"))
}

fn print(table: &Table, notes: &str, options: &Options) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    table.write(options.style, &mut text)?;
    writeln!(stdout(), "\n{text}\n{notes}")?;
    Ok(())
}
