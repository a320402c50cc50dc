//! `clewline inspect headers`: JSON lines in, JSON lines out.

use std::fmt;
use std::io::{BufRead, BufWriter, Read as _, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::Format;
use super::headers::Findings;

/// Far more than the headers of any request.
const LONGEST_LINE: u64 = 64 << 20;

/// Answers each line of `input` by one of `output`, in order. Empty lines have no answer.
///
/// A line that is no object of headers is answered too, by an error, so that the others keep their places.
pub(super) fn answer(format: Format, mut input: impl BufRead, output: &mut impl Write) -> Result<(), String> {
    let mut output = BufWriter::new(output);
    let (mut number, mut unreadable) = (0_u64, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let length = length.map_err(|error| format!("stdin cannot be read: {error}"))?;
        if length == 0 {
            break;
        }
        number += 1;
        if length as u64 == LONGEST_LINE {
            return Err(format!("line {number} has more than {LONGEST_LINE} bytes"));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let findings = match serde_json::from_slice::<Headers>(&line) {
            Ok(headers) => Findings::new(format, &headers.0),
            Err(error) => {
                unreadable += 1;
                Findings::unreadable(format!(
                    "line {number} is not a JSON object of header names and arrays of values: {error}"
                ))
            }
        };
        let written = serde_json::to_writer(&mut output, &findings).map_err(std::io::Error::from);
        let written = written.and_then(|()| output.write_all(b"\n"));
        // Who asks line by line waits for each answer.
        written.and_then(|()| output.flush()).map_err(|error| format!("stdout cannot be written: {error}"))?;
    }
    if unreadable > 0 {
        return Err(format!("{unreadable} of {number} lines could not be read"));
    }
    Ok(())
}

/// Names and values in the order in which they stand, repeated names included.
#[derive(Debug)]
struct Headers(Vec<(String, String)>);

/// The values of one name.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged, expecting = "expected an array of strings, or one string")]
enum Values {
    Several(Vec<String>),
    One(String),
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;

        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Headers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, Values>()? {
                    match values {
                        Values::One(value) => headers.push((name, value)),
                        Values::Several(values) => {
                            headers.extend(values.into_iter().map(|value| (name.clone(), value)));
                        }
                    }
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(HeadersVisitor)
    }
}
