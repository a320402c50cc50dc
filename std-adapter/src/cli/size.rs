//! Sizes on the command line: `500000`, `64MiB`, `1GB`.

/// The units, largest first so that the longest suffix is met before its ending.
const UNITS: [(&str, u64); 9] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
];

/// Reads a size in bytes, with or without a unit; `k`, `m` and `g` alone are binary.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, *unit)))
        .unwrap_or((lower.strip_suffix('b').unwrap_or(&lower), 1));
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| format!("\"{text}\" is not a size; write bytes, or a number with KiB, MiB, GiB, kB, MB or GB"))?;
    let bytes = number.checked_mul(unit).and_then(|bytes| usize::try_from(bytes).ok());
    match bytes {
        Some(0) => Err("a limit of zero bytes admits nothing".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!("\"{text}\" is more than this machine can address")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn units_are_understood() {
        let cases = [
            ("1", Some(1)),
            ("10b", Some(10)),
            ("64MiB", Some(64 << 20)),
            ("64 mib", Some(64 << 20)),
            ("2k", Some(2048)),
            ("3kB", Some(3000)),
            ("1GB", Some(1_000_000_000)),
            ("0", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("99999999999GiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text).ok(), expected, "{text}");
        }
    }
}
