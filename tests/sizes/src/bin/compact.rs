//! The whole of tracer, context, ring and framing in compact form: spans out, a context in.
#![no_std]
#![no_main]

use clewline_core::Compact;
use clewline_core::frame::{FrameDecoder, FrameEncoder, Message};
use clewline_core::shared::{Keep, SpanRing};
use sizes::work::{Buffer, CONTEXT, ChipTracer, Names, drain, three_and_event, tracer};

static RING: SpanRing<48, 16, Compact<Names>> = SpanRing::new(Keep::Newest);
static TRACER: ChipTracer<48, 16, Compact<Names>> = tracer(&RING);
static mut BUFFER: Buffer = [0; 100];
const LINE: *mut u32 = 0x4000_4000 as *mut u32;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut encoder = FrameEncoder::new(Names::FINGERPRINT, 1);
    // SAFETY: `main` runs once, and nothing else has it.
    let buffer = unsafe { &mut *(&raw mut BUFFER) };
    let mut decoder = FrameDecoder::<64>::new();
    loop {
        // SAFETY: the data register of UART 0.
        let byte = unsafe { LINE.read_volatile() } as u8;
        if let Some(Ok(frame)) = decoder.push(byte)
            && let Ok(Message::Context(context)) = frame.message()
        {
            CONTEXT.set(Some(context));
        }
        three_and_event(&TRACER);
        drain(&TRACER, &mut encoder, buffer, |frame| {
            // SAFETY: as above.
            frame.iter().for_each(|&byte| unsafe { LINE.write_volatile(byte.into()) });
        });
    }
}
