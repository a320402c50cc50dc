//! Percent-encoded text from those who encode as they please: what is not encoded stands for itself.

/// Decodes. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let encoded = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match encoded {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn text_is_decoded_as_far_as_it_is_encoded() {
        for (given, expected) in
            [("caf%C3%A9 %41", "café A"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%ff", "\u{fffd}"), ("", "")]
        {
            assert_eq!(decoded(given.as_bytes()), expected);
        }
    }
}
