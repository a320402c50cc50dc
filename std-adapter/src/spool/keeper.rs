//! `Spool`: which requests lie on disk, whose spans they hold, and what becomes of them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::{self, Failure, Store, aside};
use super::{SpoolError, SpoolOptions, WhenFull};
use crate::exporter::{Chunk, Counters, DropReason, Envelope, Fate, Parts};

/// The part of the bound that requests may take, in hundredths, together with what is being written and what that replaces,
/// which is given free a transaction later. The rest is for bookkeeping, and for growing, which doubles the file.
const USED_PART: u64 = 40;
/// The part of that which is written at once, if it is more than one request.
const WRITTEN_PART: u64 = 16;
/// What is written at once at most, if it is more than one request.
const WRITTEN_AT_ONCE: u64 = 8 << 20;

/// The requests of one destination that lie on disk. Shared by the thread that writes them and the one that sends them.
pub(crate) struct Spool {
    counters: Arc<Counters>,
    envelope: Arc<Envelope>,
    /// The number that the first new batch gets.
    first_number: u64,
    limit: u64,
    when_full: WhenFull,
    /// How many entries there are, to be read without the lock.
    count: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// None once the spool has been closed.
    store: Option<Store>,
    /// In the order of their numbers.
    entries: VecDeque<Entry>,
    /// The sum over the entries.
    charge: u64,
    /// The one that is being sent: it is not dropped to make room.
    in_flight: Option<u64>,
    notes: Vec<String>,
}

/// A request on disk.
struct Entry {
    number: u64,
    spans: usize,
    charge: u64,
    owner: Owner,
}

/// Whose ledger a request is in.
enum Owner {
    /// This process recorded its spans.
    Own(Parts),
    /// An earlier one did.
    Inherited,
}

/// A request as it is to be sent.
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) spans: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Spool {
    /// Opens the spool of the destination called `name`.
    pub(crate) fn open(
        options: &SpoolOptions,
        name: &str,
        counters: Arc<Counters>,
        envelope: Arc<Envelope>,
    ) -> Result<Self, SpoolError> {
        let path = options.path(name);
        let (store, found, damage) = Store::open(path.clone())?;
        let notes = damage.map(|reason| damaged(&path, &reason)).into_iter().collect();
        counters.inherited(found.iter().map(|request| request.spans).sum());
        let owner = || Owner::Inherited;
        let entries: VecDeque<Entry> = found
            .iter()
            .map(|request| Entry {
                number: request.number,
                spans: request.spans,
                charge: request.charge,
                owner: owner(),
            })
            .collect();
        let charge = entries.iter().map(|entry| entry.charge).sum();
        Ok(Self {
            counters,
            envelope,
            first_number: found.last().map_or(0, |last| last.number + 1),
            limit: options.max_bytes.max(SpoolOptions::LEAST_MAX_BYTES) / 100 * USED_PART,
            when_full: options.when_full,
            count: AtomicUsize::new(entries.len()),
            state: Mutex::new(State { store: Some(store), entries, charge, in_flight: None, notes }),
        })
    }

    /// The number that the first new batch gets.
    pub(crate) fn first_number(&self) -> u64 {
        self.first_number
    }

    /// How many bytes are worth writing at once.
    pub(crate) fn portion(&self) -> usize {
        usize::try_from(WRITTEN_AT_ONCE.min(self.limit / WRITTEN_PART)).unwrap_or(usize::MAX)
    }

    /// Whether nothing lies on disk.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// What the operator should know, once.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().notes)
    }

    /// Writes batches to disk, each under its number, and returns when they are safe. What cannot be kept is dropped and counted.
    pub(crate) fn keep(&self, batches: &[(u64, &[Chunk])]) {
        let refused = self.write_down(&mut self.lock(), batches);
        for ((_, chunks), reason) in batches.iter().zip(refused) {
            let Some(reason) = reason else { continue };
            self.counters.settled(Fate::Dropped(reason), spans_of(chunks) as u64);
            Parts::of(chunks).settle(0, Fate::Delivered, Fate::Dropped(reason));
        }
    }

    /// Writes a batch to disk whose attempt goes on, and holds it there until it is settled or put back. Answers whether it is there:
    /// one that cannot be kept may still be delivered.
    pub(crate) fn keep_tried(&self, number: u64, chunks: &[Chunk]) -> bool {
        let mut state = self.lock();
        let is_kept = self.write_down(&mut state, &[(number, chunks)]) == [None];
        if is_kept {
            state.in_flight = Some(number);
        }
        is_kept
    }

    /// Writes batches to disk, and answers for each why it could not be kept.
    fn write_down(&self, state: &mut State, batches: &[(u64, &[Chunk])]) -> Vec<Option<DropReason>> {
        let mut framing = Vec::new();
        let requests: Vec<(u64, usize, Vec<u8>)> = batches
            .iter()
            .map(|(number, chunks)| (*number, spans_of(chunks), self.envelope.assemble(chunks, &mut framing).concat()))
            .collect();
        let (fits, removed) = state.make_room(&requests, self.limit, self.when_full);
        let mut accepted: Vec<(u64, usize, &[u8])> = Vec::new();
        for ((number, spans, bytes), fits) in requests.iter().zip(&fits) {
            if *fits {
                accepted.push((*number, *spans, bytes));
            }
        }
        let mut result = state.write(&accepted, &removed);
        if let Err(Failure::Damaged(reason)) = &result {
            let reason = reason.clone();
            self.begin_anew(state, &reason);
            result = state.write(&accepted, &[]);
        } else if result.is_ok() {
            for number in removed {
                self.settle_in(state, number, 0, Fate::Delivered, Fate::Dropped(DropReason::SpoolFull));
            }
        }
        let mut refused = Vec::with_capacity(batches.len());
        for (((number, spans, bytes), fits), (_, chunks)) in requests.iter().zip(fits).zip(batches) {
            refused.push(match &result {
                _ if !fits => Some(DropReason::SpoolFull),
                Err(_) => Some(DropReason::SpoolFailed),
                Ok(()) => {
                    let parts = Parts::of(chunks);
                    self.counters.spooled(*spans as u64);
                    parts.spooled(true);
                    let owner = Owner::Own(parts);
                    state.insert(Entry { number: *number, spans: *spans, charge: store::charge(bytes.len()), owner });
                    None
                }
            });
        }
        if let Err(failure) = result {
            state.note(format!("the spool cannot be written: {failure}"));
        }
        self.count.store(state.entries.len(), Ordering::Release);
        refused
    }

    /// The oldest request on disk, which is now on its way; `Err` with the reason if the disk does not answer.
    pub(crate) fn oldest(&self) -> Result<Option<Stored>, String> {
        let mut state = self.lock();
        while let Some(&Entry { number, spans, .. }) = state.entries.front() {
            let Some(store) = &mut state.store else { return Ok(None) };
            match store.read(number) {
                Ok(Some(bytes)) => {
                    state.in_flight = Some(number);
                    return Ok(Some(Stored { number, spans, bytes }));
                }
                Ok(None) => {
                    state.note(format!("a request of {spans} spans in the spool was damaged, and is dropped"));
                    self.settle_in(&mut state, number, 0, Fate::Delivered, Fate::Dropped(DropReason::SpoolFailed));
                    // Should it stay in the file, it is found again by the next process, which drops it as well.
                    let _ = state.write(&[], &[number]);
                }
                Err(Failure::Damaged(reason)) => self.begin_anew(&mut state, &reason),
                Err(failure) => return Err(failure.to_string()),
            }
            self.count.store(state.entries.len(), Ordering::Release);
        }
        Ok(None)
    }

    /// Enters what became of a request that was sent, of the `first` of its spans and of the rest, and removes it. One that is no
    /// longer there has been counted already.
    pub(crate) fn settle(&self, number: u64, first: usize, fate: Fate, rest: Fate) {
        let mut state = self.lock();
        if state.in_flight == Some(number) {
            state.in_flight = None;
        }
        match state.write(&[], &[number]) {
            Ok(()) => self.settle_in(&mut state, number, first, fate, rest),
            Err(Failure::Damaged(reason)) => {
                self.settle_in(&mut state, number, first, fate, rest);
                self.begin_anew(&mut state, &reason);
            }
            Err(failure) => {
                self.settle_in(&mut state, number, first, fate, rest);
                state.note(format!(
                    "the spool cannot be written, so that some spans will be delivered twice: {failure}"
                ));
            }
        }
        self.count.store(state.entries.len(), Ordering::Release);
    }

    /// Says that a request that was on its way stays on disk.
    pub(crate) fn put_back(&self) {
        self.lock().in_flight = None;
    }

    /// Gives the disk back what an empty spool does not need.
    pub(crate) fn shrink(&self) {
        let mut state = self.lock();
        if let Some(store) = &mut state.store
            && let Err(failure) = store.shrink()
        {
            state.note(format!("the spool cannot be made smaller: {failure}"));
        }
    }

    /// Closes the file, for the next process.
    pub(crate) fn close(&self) {
        self.lock().store = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle_in(&self, state: &mut State, number: u64, first: usize, fate: Fate, rest: Fate) {
        let Some(entry) = state.remove(number) else { return };
        self.settle_entry(&entry, first, fate, rest);
    }

    fn settle_entry(&self, entry: &Entry, first: usize, fate: Fate, rest: Fate) {
        let first = first.min(entry.spans);
        let shares = [(fate, first as u64), (rest, (entry.spans - first) as u64)];
        match &entry.owner {
            Owner::Own(parts) => {
                parts.spooled(false);
                self.counters.unspooled(entry.spans as u64);
                shares.into_iter().for_each(|(fate, spans)| self.counters.settled(fate, spans));
                parts.settle(first, fate, rest);
            }
            Owner::Inherited => {
                shares.into_iter().for_each(|(fate, spans)| self.counters.settled_inherited(fate, spans));
            }
        }
    }

    /// Puts the damaged file aside. What was in it is lost, and counted.
    fn begin_anew(&self, state: &mut State, reason: &str) {
        let entries = std::mem::take(&mut state.entries);
        state.charge = 0;
        state.in_flight = None;
        let lost: usize = entries.iter().map(|entry| entry.spans).sum();
        for entry in &entries {
            self.settle_entry(entry, 0, Fate::Delivered, Fate::Dropped(DropReason::SpoolFailed));
        }
        let Some(store) = &mut state.store else { return };
        let note = match store.replace() {
            Ok(()) => format!("{}; {lost} spans in it are lost", damaged(store.path(), reason)),
            Err(error) => format!("{error}; {lost} spans in it are lost"),
        };
        state.note(note);
    }
}

impl State {
    /// Which requests are to be written, and which are to be removed for them.
    fn make_room(&self, requests: &[(u64, usize, Vec<u8>)], limit: u64, when_full: WhenFull) -> (Vec<bool>, Vec<u64>) {
        let written: u64 = requests.iter().map(|(_, _, bytes)| store::charge(bytes.len())).sum();
        let limit = limit.saturating_sub(2 * written);
        let mut charged = self.charge;
        let mut removed = Vec::new();
        let mut oldest = self.entries.iter().filter(|entry| self.in_flight != Some(entry.number));
        let mut fits = Vec::new();
        for (_, _, bytes) in requests {
            let charge = store::charge(bytes.len());
            let before = (charged, removed.len(), oldest.clone());
            while when_full == WhenFull::DropOldest && charge <= limit && charged + charge > limit {
                let Some(entry) = oldest.next() else { break };
                charged -= entry.charge;
                removed.push(entry.number);
            }
            let is_room = charged + charge <= limit;
            if is_room {
                charged += charge;
            } else {
                // What is on its way is in the way: nothing goes in vain.
                removed.truncate(before.1);
                (charged, oldest) = (before.0, before.2);
            }
            fits.push(is_room);
        }
        (fits, removed)
    }

    fn write(&mut self, requests: &[(u64, usize, &[u8])], removed: &[u64]) -> Result<(), Failure> {
        match &mut self.store {
            _ if requests.is_empty() && removed.is_empty() => Ok(()),
            Some(store) => store.write(requests, removed),
            None => Err(Failure::Disk("it has been closed".to_owned())),
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.charge += entry.charge;
        let place = self.entries.partition_point(|other| other.number < entry.number);
        self.entries.insert(place, entry);
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let place = self.entries.binary_search_by_key(&number, |entry| entry.number).ok()?;
        let entry = self.entries.remove(place)?;
        self.charge -= entry.charge;
        Some(entry)
    }

    fn note(&mut self, note: String) {
        if self.notes.last() != Some(&note) {
            self.notes.push(note);
        }
    }
}

fn spans_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(Chunk::count).sum()
}

fn damaged(path: &Path, reason: &str) -> String {
    format!(
        "the spool {} was damaged ({reason}); it is now {}, and a new one begins",
        path.display(),
        aside(path).display()
    )
}
