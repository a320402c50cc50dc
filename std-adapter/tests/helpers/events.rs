//! Messages: the producer's context travels in their headers, and the consumer continues its trace or links to it.

use std::collections::{BTreeMap, HashMap};

use clewline::helpers::{event_span, in_span};
use clewline::propagation::carrier;
use clewline::testing::Recorder;
use clewline::{Context, SpanKind};

#[test]
fn the_consumer_continues_the_trace_of_the_producer() {
    let recorder = Recorder::new();
    let mut headers: Vec<(String, Vec<u8>)> = vec![("traceparent".to_owned(), b"of another message".to_vec())];
    let baggage = Context::default().with_baggage_entry("tenant", "acme").unwrap().attach();
    in_span("request", SpanKind::Server, || {
        drop(event_span("orders", "kafka").send(&mut carrier::pairs_mut(&mut headers)));
    });
    drop(baggage);
    assert_eq!(headers.len(), 2, "{headers:?}");
    let consumer = event_span("orders", "kafka").process(headers.as_slice());
    assert_eq!(consumer.hand_on().baggage().get("tenant").unwrap(), "acme");
    drop(consumer);
    let spans = recorder.spans();
    let producer = spans.named("send orders").child_of("request").has_kind(SpanKind::Producer);
    producer.has("messaging.system", "kafka").has("messaging.destination.name", "orders");
    producer.has("messaging.operation.name", "send").has("messaging.operation.type", "send");
    let consumer = spans.named("process orders").child_of(producer).has_kind(SpanKind::Consumer);
    consumer.has("messaging.operation.name", "process").has("messaging.operation.type", "process");
}

#[test]
fn the_consumer_of_a_batch_links_to_the_producers() {
    let recorder = Recorder::new();
    let mut messages: Vec<HashMap<String, String>> = vec![HashMap::new(), HashMap::new()];
    for message in &mut messages {
        drop(event_span("orders", "kafka").send(&mut carrier::map_mut(message)));
    }
    in_span("batch", SpanKind::Consumer, || {
        for message in &messages {
            drop(event_span("orders", "kafka").process_linked(&carrier::map(message)));
        }
    });
    let spans = recorder.spans();
    let producers = spans.all_named("send orders");
    let consumers = spans.all_named("process orders");
    assert_eq!((producers.len(), consumers.len()), (2, 2));
    for (producer, consumer) in producers.iter().zip(consumers) {
        consumer.child_of("batch").linked_to(producer);
        assert_eq!(consumer.links.len(), 1);
        assert_ne!(consumer.trace_id, producer.trace_id);
    }
}

#[test]
fn a_message_without_a_valid_context_is_processed_all_the_same() {
    let recorder = Recorder::new();
    let broken = BTreeMap::from([("traceparent", "00-0-0-00")]);
    drop(event_span("orders", "kafka").process(&carrier::map(&broken)));
    in_span("worker", SpanKind::Internal, || {
        drop(event_span("orders 2", "kafka").process(&carrier::map(&broken)));
        drop(event_span("orders 3", "kafka").process_linked(&carrier::map(&broken)));
    });
    let spans = recorder.spans();
    spans.named("process orders").is_root();
    spans.named("process orders 2").child_of("worker");
    assert_eq!(spans.named("process orders 3").child_of("worker").links.len(), 0);
}
