//! The instance of the service (semantic conventions, "Service": `service.instance.id`).

use std::fmt::Write as _;
use std::sync::OnceLock;

use super::Detected;

/// A random id, the same for as long as the process lives; none if the system gives no random numbers.
pub(super) fn instance() -> Vec<Detected> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    let id = ID.get_or_init(|| {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(uuid(bytes))
    });
    id.iter().map(|id| ("service.instance.id", id.as_str().into())).collect()
}

/// A random UUID, version 4 (RFC 9562, section 5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{instance, uuid};

    #[test]
    fn the_id_is_a_random_uuid_and_stays_the_same() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(instance(), instance());
        let random = instance()[0].1.to_string();
        assert_eq!((random.len(), random.as_bytes()[14]), (36, b'4'), "{random}");
    }
}
