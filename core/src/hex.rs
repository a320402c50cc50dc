//! Lower-case hexadecimal, strictly: the alphabet of the W3C headers and of OTLP/JSON ids.

/// Which letters a hexadecimal text may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// `0-9a-f` only (W3C Trace Context, section 3.2.2).
    Lower,
    /// `0-9a-fA-F` (OTLP/JSON is case-insensitive).
    Any,
}

/// Writes `bytes` as lower-case digits; `out` is twice as long, surplus positions stay untouched.
pub(crate) const fn encode(bytes: &[u8], out: &mut [u8]) {
    let mut index = 0;
    while index < bytes.len() && 2 * index + 1 < out.len() {
        out[2 * index] = character(bytes[index] >> 4);
        out[2 * index + 1] = character(bytes[index] & 15);
        index += 1;
    }
}

/// Reads exactly `N` bytes from exactly `2 * N` digits; `None` for any other width or character.
#[inline]
pub(crate) const fn decode<const N: usize>(text: &[u8], case: Case) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if decode_into(text, &mut bytes, case) { Some(bytes) } else { None }
}

/// The work for all widths; whether it is to exist once or be made for each is the optimiser's choice.
const fn decode_into(text: &[u8], bytes: &mut [u8], case: Case) -> bool {
    if text.len() != 2 * bytes.len() {
        return false;
    }
    let mut index = 0;
    let mut wrong = 0;
    while index < bytes.len() && 2 * index + 1 < text.len() {
        let high = digit(text[2 * index], case);
        let low = digit(text[2 * index + 1], case);
        wrong |= high | low;
        bytes[index] = (high << 4) | (low & 15);
        index += 1;
    }
    wrong & 0xf0 == 0
}

/// The digit for a value below 16. Arithmetic, not a table: the compiler turns whole ids into vector code.
const fn character(nibble: u8) -> u8 {
    nibble + b'0' + ((nibble > 9) as u8) * (b'a' - b'0' - 10)
}

/// The value of one digit, or 0xff.
const fn digit(character: u8, case: Case) -> u8 {
    let folded = match case {
        Case::Lower => character,
        Case::Any => character | (((character >= b'A' && character <= b'F') as u8) << 5),
    };
    let decimal = folded.wrapping_sub(b'0');
    let letter = folded.wrapping_sub(b'a');
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        0xff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_and_only_hex_digits_are_taken() {
        for byte in 0..=255u8 {
            let mut text = [0; 2];
            encode(&[byte], &mut text);
            assert_eq!(decode::<1>(&text, Case::Lower), Some([byte]));
            let upper = text.map(|character| character.to_ascii_uppercase());
            assert_eq!(decode::<1>(&upper, Case::Any), Some([byte]));
            let is_lower_hex = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert_eq!(decode::<1>(&[byte, b'0'], Case::Lower).is_some(), is_lower_hex);
            assert_eq!(decode::<1>(&[b'0', byte], Case::Lower).is_some(), is_lower_hex);
        }
        assert_eq!(decode::<2>(b"000", Case::Any), None);
        assert_eq!(decode::<2>(b"00000", Case::Any), None);
    }
}
