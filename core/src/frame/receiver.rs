//! `FrameReceiver`: a decoder that knows how many frames the line has lost.

use super::{Frame, FrameDecoder, FrameError, FrameHeader};

/// When a receiver began to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// Before the sender's boot: what is missing before its first frame was lost.
    BeforeBoot,
    /// While the sender was running: it has sent frames that nobody waited for.
    Later,
}

/// What a receiver has seen. All counts are since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// Frames delivered, each once.
    pub received: u64,
    /// Frames that were sent and have not arrived: exact once a later frame has, as long as fewer than 32,768 are lost in a
    /// row. Those behind the last frame before a boot nobody can know of, unless a still later one arrives late.
    pub lost: u64,
    /// Frames that arrived again; not delivered.
    pub repeated: u64,
    /// Frames that arrived behind a later one; delivered, and no longer counted as lost.
    pub late: u64,
    /// Runs of bytes that were no frame. Of the frames that they were, the next one's number tells: do not add to `lost`.
    pub damaged: u64,
    /// Boots seen while listening.
    pub boots: u64,
    /// Spans that the sender could not keep, in all boots.
    pub dropped_spans: u64,
}

/// How many frames back repetition and lateness can be told apart.
const WINDOW: u16 = 64;

/// Which of the last frames have arrived.
#[derive(Clone, Copy, Debug)]
struct Window {
    build_id: u32,
    boot_epoch: u32,
    newest: u16,
    /// Bit n: the frame n before the newest has arrived.
    arrived: u64,
    /// As the newest frame said.
    dropped_spans: u32,
}

enum Arrival {
    New {
        lost_before: u64,
    },
    Late,
    Repeated,
    /// So far back that the sender must have begun again.
    Boot,
}

impl Window {
    /// As if the frame before `next` had been the newest, and all before it had arrived.
    fn before(next: u16, header: &FrameHeader) -> Self {
        Self {
            build_id: header.build_id,
            boot_epoch: header.boot_epoch,
            newest: next.wrapping_sub(1),
            arrived: u64::MAX,
            dropped_spans: 0,
        }
    }

    /// Whether a frame was sent since the boot that this window is of.
    const fn is_of(&self, header: &FrameHeader) -> bool {
        self.build_id == header.build_id && self.boot_epoch == header.boot_epoch
    }

    fn arrive(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.newest);
        if ahead != 0 && ahead < 1 << 15 {
            self.newest = sequence;
            self.arrived = self.arrived.checked_shl(ahead.into()).unwrap_or(0) | 1;
            return Arrival::New { lost_before: u64::from(ahead) - 1 };
        }
        let age = self.newest.wrapping_sub(sequence);
        if age >= WINDOW {
            return Arrival::Boot;
        }
        let bit = 1 << age;
        if self.arrived & bit != 0 {
            return Arrival::Repeated;
        }
        self.arrived |= bit;
        Arrival::Late
    }
}

/// Receives the frames of one sender, each at most once, and counts what is missing.
#[derive(Debug)]
pub struct FrameReceiver<const N: usize> {
    decoder: FrameDecoder<N>,
    /// Of the last boot.
    window: Option<Window>,
    /// Of the boot before, whose last frames may come behind the first of the last.
    before: Option<Window>,
    joined: Joined,
    counts: ReceiverCounts,
}

impl<const N: usize> FrameReceiver<N> {
    /// Begins to listen.
    #[must_use]
    pub const fn new(joined: Joined) -> Self {
        let counts =
            ReceiverCounts { received: 0, lost: 0, repeated: 0, late: 0, damaged: 0, boots: 0, dropped_spans: 0 };
        Self { decoder: FrameDecoder::new(), window: None, before: None, joined, counts }
    }

    /// What arrived and what did not.
    #[must_use]
    pub const fn counts(&self) -> &ReceiverCounts {
        &self.counts
    }

    /// Takes one byte, and answers if it ends a frame that was not delivered before, or something that is no frame.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame<'_>, FrameError>> {
        let frame = match self.decoder.push(byte)? {
            Ok(frame) => frame,
            Err(error) => {
                self.counts.damaged += 1;
                return Some(Err(error));
            }
        };
        let is_new = accept(&mut self.window, &mut self.before, self.joined, &mut self.counts, frame.header());
        is_new.then_some(Ok(frame))
    }
}

/// Counts a frame; false if it was delivered before.
fn accept(
    window: &mut Option<Window>,
    before: &mut Option<Window>,
    joined: Joined,
    counts: &mut ReceiverCounts,
    header: &FrameHeader,
) -> bool {
    let mut current = match *window {
        Some(current) if current.is_of(header) => current,
        None if joined == Joined::Later => Window::before(header.sequence, header),
        None => Window::before(0, header),
        Some(current) => {
            if let Some(mut earlier) = before.filter(|earlier| earlier.is_of(header) && current.newest < WINDOW) {
                let arrival = earlier.arrive(header.sequence);
                if !matches!(arrival, Arrival::Boot) {
                    counts.late += u64::from(matches!(arrival, Arrival::New { .. }));
                    let is_new = count(counts, &mut earlier, &arrival, header);
                    *before = Some(earlier);
                    return is_new;
                }
            }
            *before = Some(current);
            counts.boots += 1;
            Window::before(0, header)
        }
    };
    let mut arrival = current.arrive(header.sequence);
    if matches!(arrival, Arrival::Boot) {
        counts.boots += 1;
        current = Window::before(0, header);
        arrival = current.arrive(header.sequence);
    }
    let is_new = count(counts, &mut current, &arrival, header);
    *window = Some(current);
    is_new
}

/// Counts a frame of the boot that a window is of; false if it was delivered before.
fn count(counts: &mut ReceiverCounts, window: &mut Window, arrival: &Arrival, header: &FrameHeader) -> bool {
    let is_new = match arrival {
        Arrival::New { lost_before } => {
            counts.lost += lost_before;
            let newly_dropped = header.dropped_spans.saturating_sub(window.dropped_spans);
            counts.dropped_spans += u64::from(newly_dropped);
            window.dropped_spans = window.dropped_spans.max(header.dropped_spans);
            true
        }
        Arrival::Late => {
            counts.lost = counts.lost.saturating_sub(1);
            counts.late += 1;
            true
        }
        Arrival::Repeated | Arrival::Boot => {
            counts.repeated += 1;
            false
        }
    };
    counts.received += u64::from(is_new);
    is_new
}
