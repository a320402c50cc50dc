//! One trace with JavaScript: its spans as parents of Rust's, Rust's as parents of its, and what was not sampled.

use clewline_wasm::{Context, SpanExt as _, WithContext as _, context, page_context, traceparent};
use tracing::info_span;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{PARENT, UNSAMPLED, begin, js, named, sleep, spans};

#[wasm_bindgen_test]
async fn javascripts_span_is_the_parent_in_all_three_ways() {
    begin().await;
    {
        let _attached = context(PARENT).attach();
        info_span!("attached").in_scope(|| ());
    }
    info_span!("outside").in_scope(|| ());
    async {
        sleep(1).await;
        info_span!("awaited").in_scope(|| ());
    }
    .with_context(context(PARENT))
    .await;
    info_span!("told").set_parent(context(PARENT));
    let spans = spans().await;
    for name in ["attached", "awaited", "told"] {
        let span = named(&spans, name);
        assert_eq!(span.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c", "{name}");
        assert_eq!(span.parent_span_id.unwrap().to_string(), "b7ad6b7169203331", "{name}");
        assert_eq!(span.flags & 0x300, 0x300, "{name}: the parent is known to be remote");
    }
    assert_eq!(named(&spans, "outside").parent_span_id, None);
}

#[wasm_bindgen_test]
async fn javascript_gets_the_innermost_span() {
    begin().await;
    assert_eq!(traceparent(), None);
    let text = info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| traceparent().unwrap()));
    assert_eq!(traceparent(), None);
    let spans = spans().await;
    let inner = named(&spans, "inner");
    assert_eq!(text, format!("00-{}-{}-03", inner.trace_id, inner.span_id));
}

#[wasm_bindgen_test]
async fn a_parent_that_was_not_sampled_is_obeyed_and_handed_on() {
    let before = begin().await;
    let text = {
        let _attached = context(UNSAMPLED).attach();
        info_span!("unrecorded").in_scope(|| traceparent().unwrap())
    };
    assert!(text.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && text.ends_with("-00"), "{text}");
    assert_ne!(text, UNSAMPLED, "it is a span of its own");
    assert!(spans().await.is_empty());
    assert_eq!(clewline_wasm::ledger(), before);
}

#[wasm_bindgen_test]
fn a_text_that_breaks_a_rule_is_no_parent() {
    for text in ["", "00", &PARENT.to_uppercase(), &PARENT.replace("00-", "ff-"), &PARENT.replace('b', "é")] {
        assert_eq!(context(text), Context::default(), "{text}");
    }
}

#[wasm_bindgen_test]
async fn the_servers_span_is_found_in_the_page() {
    begin().await;
    assert!(page_context().is_empty());
    js(&format!("document.head.insertAdjacentHTML('beforeend', '<meta name=\"traceparent\" content=\"{PARENT}\">')"));
    info_span!("hydrate").set_parent(page_context());
    js("document.querySelector('meta[name=traceparent]').remove()");
    let spans = spans().await;
    assert_eq!(named(&spans, "hydrate").parent_span_id.unwrap().to_string(), "b7ad6b7169203331");
}
