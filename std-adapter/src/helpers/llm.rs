//! `llm_span`: a call of a language model.

use clewline_core::SpanKind;

use super::own_tracer;
use crate::Span;

/// Starts the span of a call of a language model (semantic conventions, "Generative AI client spans"): `chat gpt-5`, of kind
/// CLIENT.
///
/// `operation` is `chat`, `text_completion`, `embeddings` and the like; `provider` is `openai`, `anthropic`, `aws.bedrock` and
/// so on. What is said and answered is not recorded. When the answer is there, the caller sets `gen_ai.response.model`,
/// `gen_ai.usage.input_tokens` and `gen_ai.usage.output_tokens`.
///
/// ```
/// let mut span = clewline::helpers::llm_span("chat", "openai", "gpt-5");
/// span.set("gen_ai.usage.input_tokens", 120).set("gen_ai.usage.output_tokens", 36);
/// ```
#[must_use = "a span that is not kept ends at once"]
pub fn llm_span(operation: &str, provider: &str, model: &str) -> Span {
    let attributes = [
        ("gen_ai.operation.name", operation.into()),
        ("gen_ai.provider.name", provider.into()),
        ("gen_ai.request.model", model.into()),
    ];
    let name = format!("{operation} {model}");
    own_tracer().span(&name).kind(SpanKind::Client).attributes(&attributes).start()
}
