//! Frames: how chip and host talk over a line that loses, repeats and garbles bytes.
//!
//! ```text
//!  COBS, so that a zero byte means "end of frame" and nothing else                                  00
//! ┌──────────────┬──────────┬──────────┬────────────┬───────────────┬─────────────┬──────────────┐ ┌──┐
//! │ version │type│ sequence │ build id │ boot epoch │ dropped spans │ content     │ CRC-16       │ │00│
//! │ 4 bits  │ 4  │ 2        │ 4        │ varint     │ varint        │ of the type │ of the rest  │ │  │
//! └──────────────┴──────────┴──────────┴────────────┴───────────────┴─────────────┴──────────────┘ └──┘
//! ```
//!
//! Numbers of fixed size are little-endian, varints are postcard's. The checksum is CRC-16/IBM-3740 over everything before
//! it. A receiver that joins late or has read garbage is right again after the next zero byte.
//!
//! Both directions use the same frames. Each side counts its own sequence up from 0 at every boot, so a
//! [`FrameReceiver`] knows exactly how many frames a line has lost.
//!
//! Nothing in here panics or allocates, whatever arrives.

mod checksum;
mod decoder;
mod encoder;
mod header;
mod message;
mod receiver;
mod strings;

pub use decoder::{Frame, FrameDecoder, FrameError};
pub use encoder::FrameEncoder;
pub use header::{FrameHeader, MessageType};
pub use message::{Message, MessageError};
pub use receiver::{FrameReceiver, Joined, ReceiverCounts};
pub use strings::{StringsChunk, StringsMessage};

/// The version that this code writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// How many bytes frame, header and checksum add to a content of at most 240 bytes, with a boot epoch and a drop count
/// below 128.
pub const OVERHEAD: usize = 1 + 9 + 2 + 1;
