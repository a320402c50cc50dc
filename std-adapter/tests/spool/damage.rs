//! Files that are not what was written to them: put aside, said once, and the pipeline goes on.

use std::fs;

use super::support::{Collector, Directory, Mood, PATIENCE, record, settings, start, start_with, wait_for};

/// A file with 20 batches of spans, as an earlier process leaves it.
fn earlier(directory: &Directory) -> Vec<String> {
    let collector = Collector::new(Mood::Away);
    let (pipeline, tracer) = start(directory.options(), &collector);
    let mut names = Vec::new();
    for round in 0..20 {
        names.extend(record(tracer, &format!("old-{round}"), 100));
        pipeline.flush(PATIENCE).unwrap();
    }
    pipeline.shutdown(PATIENCE).unwrap();
    names
}

/// Starts on a file that has been changed, and answers the lines and what was found and delivered of the old spans.
fn go_on(directory: &Directory) -> (Vec<String>, Vec<String>) {
    let collector = Collector::new(Mood::There);
    let (settings, lines) = settings();
    let (pipeline, tracer) = start_with(directory.options(), &collector, settings).unwrap();
    record(tracer, "new", 100);
    let sent = wait_for(pipeline, |ledger| ledger.started == 100 && ledger.pending == 0);
    let inherited = pipeline.ledgers()[0].inherited;
    assert_eq!(inherited.waiting, 0, "{inherited:?}");
    assert_eq!(inherited.found, inherited.delivered + inherited.dropped, "{inherited:?}");
    // The spool itself works again.
    collector.is(Mood::Away);
    record(tracer, "kept", 10);
    pipeline.flush(PATIENCE).unwrap();
    let kept = pipeline.ledger();
    pipeline.shutdown(PATIENCE).unwrap();
    // Damage that shows only while the file is in use takes with it what was put there meanwhile.
    let shows_late = lines.lock().unwrap().iter().any(|line| line.contains("spans in it are lost"));
    for (ledger, spans, spooled) in [(&sent, 100, 0), (&kept, 110, 10)] {
        let lost = ledger.dropped_exporting.spool_failed;
        assert_eq!((ledger.delivered + ledger.spooled + lost, ledger.dropped()), (spans, lost), "{ledger:?} {lines:?}");
        assert!(shows_late || (lost, ledger.spooled) == (0, spooled), "{ledger:?} {lines:?}");
    }
    let old: Vec<String> = collector.taken().into_iter().filter(|name| name.starts_with("old")).collect();
    assert_eq!(old.len() as u64, inherited.delivered);
    (lines.lock().unwrap().clone(), old)
}

fn assert_put_aside(directory: &Directory, lines: &[String]) {
    let damaged: Vec<_> = lines.iter().filter(|line| line.contains("was damaged")).collect();
    assert_eq!(damaged.len(), 1, "{lines:?}");
    assert!(damaged[0].contains(&directory.file().display().to_string()), "{lines:?}");
    assert!(directory.file().with_extension("damaged").exists());
}

#[test]
fn something_else_in_the_file_is_put_aside_untouched() {
    for content in [&b"not a spool at all, but somebody's notes"[..], &[0; 10_000], &[0xff; 100_000]] {
        let directory = Directory::new("else");
        fs::create_dir_all(directory.file().parent().unwrap()).unwrap();
        fs::write(directory.file(), content).unwrap();
        let (lines, _) = go_on(&directory);
        assert_put_aside(&directory, &lines);
        assert_eq!(fs::read(directory.file().with_extension("damaged")).unwrap(), content);
    }
}

#[test]
fn a_file_cut_short_costs_what_was_in_it_and_no_more() {
    for part in [3, 2] {
        let directory = Directory::new("cut");
        earlier(&directory);
        let length = fs::metadata(directory.file()).unwrap().len();
        fs::OpenOptions::new().write(true).open(directory.file()).unwrap().set_len(length / part).unwrap();
        let (lines, _) = go_on(&directory);
        assert_put_aside(&directory, &lines);
    }
}

#[test]
fn an_empty_file_is_a_new_spool() {
    let directory = Directory::new("empty");
    fs::create_dir_all(directory.file().parent().unwrap()).unwrap();
    fs::write(directory.file(), "").unwrap();
    let (lines, _) = go_on(&directory);
    assert!(lines.iter().all(|line| !line.contains("damaged")), "{lines:?}");
}

/// Wherever a few bytes are changed, spans are lost at most: nothing hangs, ends, or is delivered changed.
#[test]
fn changed_bytes_anywhere_cost_some_spans_at_most() {
    let mut damaged_files = 0;
    let mut lost = 0;
    for place in 0..24_usize {
        let directory = Directory::new("flipped");
        let names = earlier(&directory);
        let mut bytes = fs::read(directory.file()).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let at = if place < 4 { place * 80 } else { used * (place - 3) / 21 };
        bytes[at..at + 16].iter_mut().for_each(|byte| *byte = !*byte);
        fs::write(directory.file(), bytes).unwrap();
        let (lines, old) = go_on(&directory);
        assert!(old.iter().all(|name| names.contains(name)), "place {place}: delivered what was never recorded");
        damaged_files += usize::from(lines.iter().any(|line| line.contains("was damaged")));
        lost += names.len() - old.len();
    }
    assert!(damaged_files > 0 && lost > 0, "the test changed nothing that matters: {damaged_files} {lost}");
}

/// A file that is changed under the feet of the process that uses it.
#[test]
fn damage_while_running_costs_what_is_on_disk_and_the_pipeline_goes_on() {
    let directory = Directory::new("running");
    let collector = Collector::new(Mood::Away);
    let (settings, lines) = settings();
    let (pipeline, tracer) = start_with(directory.options(), &collector, settings).unwrap();
    // More than the store keeps in memory.
    for round in 0..30_u32 {
        let value = round.to_string().repeat(10_000);
        for _ in 0..10 {
            tracer.span("lost").start().set("value", value.as_str());
        }
        pipeline.flush(PATIENCE).unwrap();
    }
    let length = fs::metadata(directory.file()).unwrap().len();
    fs::write(directory.file(), vec![0x5a; usize::try_from(length).unwrap()]).unwrap();
    collector.is(Mood::There);
    let ledger = wait_for(pipeline, |ledger| ledger.pending == 0);
    assert_eq!(ledger.delivered + ledger.dropped_exporting.spool_failed, 300, "{ledger:?}");
    assert!(ledger.dropped_exporting.spool_failed > 0, "{ledger:?}");
    collector.is(Mood::Away);
    record(tracer, "kept", 10);
    pipeline.flush(PATIENCE).unwrap();
    assert_eq!(pipeline.ledger().spooled, 10, "{:?} {:?}", pipeline.ledger(), lines.lock().unwrap());
    collector.is(Mood::There);
    wait_for(pipeline, |ledger| ledger.pending == 0);
    assert!(lines.lock().unwrap().iter().any(|line| line.contains("damaged")), "{lines:?}");
}
