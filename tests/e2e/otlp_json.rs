//! Decodes one `ExportTraceServiceRequest` from stdin with OpenTelemetry's own messages and prints it as OTLP/JSON.

use std::error::Error;
use std::io::{Read as _, Write as _};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let request = ExportTraceServiceRequest::decode(bytes.as_slice())?;
    // Fields that the messages do not know would be lost here without a word.
    if request.encoded_len() != bytes.len() {
        return Err(format!("{} bytes became {}: there are unknown fields", bytes.len(), request.encoded_len()).into());
    }
    std::io::stdout().write_all(&serde_json::to_vec(&request)?)?;
    Ok(())
}
