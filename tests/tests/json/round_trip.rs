//! Protobuf to JSON and back says the same, and both writers write the same.

use clewline_core::json::RequestSeed;
use clewline_core::{RequestView, SpanView};
use proptest::prelude::*;
use prost::Message as _;
use serde::de::DeserializeSeed as _;

use crate::{Buffer, config, map_doubles, official, read, strategy, views, write};

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_request_comes_back_as_it_went(request in strategy::model_request()) {
        let bytes = official::write(&request).encode_to_vec();
        let json = write(&RequestView::parse(&bytes).unwrap());
        let again = read(&json).unwrap();
        let mut expected = request;
        // JSON has one NaN.
        map_doubles(&mut expected, &|number| if number.is_nan() { f64::NAN } else { number });
        prop_assert_eq!(views::request(&RequestView::parse(&again).unwrap()), Some(expected), "{}", String::from_utf8_lossy(&json));
        prop_assert!(again.len() <= json.len(), "protobuf is shorter");
        prop_assert_eq!(&write(&RequestView::parse(&again).unwrap()), &json, "and so does the JSON");
    }

    /// The quick writer against serde: the same bytes from `serde-json-core`, the same values from `serde_json`.
    #[test]
    fn serde_writes_the_same(request in strategy::model_request()) {
        let bytes = official::write(&request).encode_to_vec();
        let view = RequestView::parse(&bytes).unwrap();
        let json = write(&view);
        let mut slice = vec![0; json.len()];
        prop_assert_eq!(serde_json_core::to_slice(&view, &mut slice), Ok(json.len()));
        prop_assert_eq!(String::from_utf8(slice).unwrap(), String::from_utf8(json.clone()).unwrap());
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(serde_json::to_value(view).unwrap(), value);
    }

    /// Any deserialiser that describes itself may read.
    #[test]
    fn serde_json_reads_the_same(request in strategy::model_request()) {
        let bytes = official::write(&request).encode_to_vec();
        let json = write(&RequestView::parse(&bytes).unwrap());
        let mut out = Box::<Buffer>::default();
        RequestSeed::new(out.as_mut_view()).deserialize(&mut serde_json::Deserializer::from_slice(&json)).unwrap();
        prop_assert_eq!(out.to_vec(), read(&json).unwrap());
    }

    #[test]
    fn a_span_alone_is_written_as_in_a_request(span in strategy::model_span()) {
        let request = crate::model::Request { resource_spans: vec![crate::model::ResourceSpans {
            scope_spans: vec![crate::model::ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }]};
        let mut request = official::write(&request);
        let bytes = request.encode_to_vec();
        let whole = String::from_utf8(write(&RequestView::parse(&bytes).unwrap())).unwrap();
        let official = request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
        let has_status = official.status.clone().is_some_and(|status| status != Default::default());
        let bytes = official.encode_to_vec();
        let mut alone = String::from_utf8(write(&SpanView::parse(&bytes).unwrap())).unwrap();
        if !has_status {
            // A view does not say whether an empty status was there.
            alone.pop();
            alone.push_str(",\"status\":{}}");
        }
        prop_assert_eq!(whole, format!(r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"scope":{{}},"spans":[{alone}]}}]}}]}}"#));
    }
}

/// `Resource.entity_refs` (opentelemetry-proto, `common.proto`), which no view reads: an empty key is an element too.
#[test]
fn entities_of_a_resource_come_back() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::EntityRef;
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

    let entity = EntityRef {
        schema_url: "https://opentelemetry.io/schemas/1.40.0".to_owned(),
        r#type: "service".to_owned(),
        id_keys: vec!["service.name".to_owned(), String::new()],
        description_keys: vec!["\"version\"".to_owned()],
    };
    let resource = Resource { entity_refs: vec![entity, EntityRef::default()], ..Resource::default() };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), ..ResourceSpans::default() }],
    };
    let bytes = request.encode_to_vec();
    let view = RequestView::parse(&bytes).unwrap();
    let json = write(&view);
    assert_eq!(
        String::from_utf8_lossy(&json),
        r#"{"resourceSpans":[{"resource":{"entityRefs":[{"schemaUrl":"https://opentelemetry.io/schemas/1.40.0","type":"service","idKeys":["service.name",""],"descriptionKeys":["\"version\""]},{}]}}]}"#
    );
    assert_eq!(serde_json::to_vec(&view).unwrap(), json);
    assert_eq!(read(&json).unwrap(), bytes);
    let broken = bytes.iter().map(|byte| if *byte == b'"' { 0xff } else { *byte }).collect::<Vec<_>>();
    assert!(RequestView::parse(&broken).is_err(), "texts are UTF-8");
    assert!(read(br#"{"resourceSpans":[{"resource":{"entityRefs":[{"idKeys":[null]}]}}]}"#).is_err());
}
