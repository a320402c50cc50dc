//! Requests by gloo-net, by reqwest and by others: CLIENT spans, and headers where they may go and nowhere else.

use clewline::StatusCode;
use clewline_wasm::{ClientRequest, SendTraced as _, SpanKind, context, inject};
use gloo_net::http::{Headers, Request};
use http::HeaderMap;
use js_sys::Reflect;
use tracing::{Instrument as _, info_span};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{PARENT, begin, js, named, spans};

#[wasm_bindgen_test]
fn headers_of_all_kinds_get_the_context_once() {
    let _attached = context(PARENT).with_trace_state("a=1").with_baggage_entry("tenant", "acme").unwrap().attach();
    let mut gloo = Headers::new();
    let mut web = web_sys::Headers::new().unwrap();
    let mut map = HeaderMap::new();
    assert!(inject(&mut gloo) && inject(&mut web) && inject(&mut map));
    for (name, value) in [("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "tenant=acme")] {
        assert_eq!(gloo.get(name).unwrap(), value);
        assert_eq!(web.get(name).unwrap().unwrap(), value);
        assert_eq!(map[name], value);
    }
    assert!(!inject(&mut gloo) && !inject(&mut web) && !inject(&mut map));

    let mut by_hand = Headers::new();
    by_hand.set("traceparent", "by hand");
    assert!(inject(&mut by_hand));
    assert_eq!((by_hand.get("traceparent").unwrap().as_str(), by_hand.get("tracestate")), ("by hand", None));
}

/// Keeps the headers of the next requests and answers them without a network: what `fetch` is given is what would be sent.
struct Network(());

impl Network {
    fn stub(status: u16) -> Self {
        js(&format!(
            "globalThis.realFetch = fetch; globalThis.seen = [];
             globalThis.fetch = async (input, init) => {{
               const request = new Request(input, init);
               seen.push(request.headers.get('traceparent') ?? '');
               if ({status} === 0) throw new TypeError('no network');
               return Object.defineProperty(new Response('', {{ status: {status} }}), 'url', {{ value: request.url }});
             }}"
        ));
        Self(())
    }

    fn traceparents(&self) -> Vec<String> {
        let seen: js_sys::Array = Reflect::get(&js_sys::global(), &"seen".into()).unwrap().into();
        seen.iter().map(|text| text.as_string().unwrap()).collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        js("globalThis.fetch = realFetch");
    }
}

#[wasm_bindgen_test]
async fn a_request_is_a_client_span_and_hands_its_own_context_on() {
    begin().await;
    let network = Network::stub(201);
    let send = async { Request::post("/api/checkout?card=4111#there").send_traced().await.unwrap() };
    let response = send.instrument(info_span!("click")).await;
    assert_eq!(response.status(), 201);
    let spans = spans().await;
    let (click, post) = (named(&spans, "click"), named(&spans, "POST"));
    assert_eq!(
        (post.kind, post.parent_span_id, post.status),
        (SpanKind::Client, Some(click.span_id), StatusCode::Unset)
    );
    assert_eq!(network.traceparents(), [format!("00-{}-{}-03", post.trace_id, post.span_id)]);
    let origin = js("return location.origin").as_string().unwrap();
    let expected = [
        ("http.request.method", "POST".into()),
        ("url.full", format!("{origin}/api/checkout").into()),
        ("server.address", "127.0.0.1".into()),
        ("http.response.status_code", 201.into()),
    ];
    for (key, value) in expected {
        assert_eq!(post.attribute(key), Some(&value), "{key}");
    }
    let port: i64 = js("return location.port").as_string().unwrap().parse().unwrap();
    assert_eq!(post.attribute("server.port"), Some(&port.into()));
}

#[wasm_bindgen_test]
async fn headers_go_to_the_own_origin_and_to_those_that_are_listed_and_to_no_others() {
    begin().await;
    let network = Network::stub(200);
    let addresses = [
        ("/api", true),
        ("https://api.example/v1", true),
        ("https://api.example/v1/cart?x=1", true),
        ("https://api.example/v10/cart", false),
        ("https://api.example/", false),
        ("https://api.example:8443/v1/cart", false),
        ("http://api.example/v1/cart", false),
        ("https://api.example.evil.example/v1/cart", false),
        ("https://other.example/v1/cart", false),
    ];
    for (address, _) in addresses {
        Request::get(address).send_traced().await.unwrap();
    }
    let seen = network.traceparents();
    for ((address, is_listed), seen) in addresses.into_iter().zip(seen) {
        assert_eq!(!seen.is_empty(), is_listed, "{address}");
    }
    let spans = spans().await;
    assert_eq!(spans.len(), addresses.len(), "each is a span");
    let ports: Vec<_> = spans[1..].iter().map(|span| format!("{:?}", span.attribute("server.port"))).collect();
    assert!(ports[0].contains("443") && ports[4].contains("8443") && ports[5].contains("80"), "{ports:?}");
}

#[wasm_bindgen_test]
async fn a_header_set_by_hand_stays() {
    begin().await;
    let network = Network::stub(200);
    Request::get("/api").header("traceparent", PARENT).send_traced().await.unwrap();
    assert_eq!(network.traceparents(), [PARENT]);
}

#[wasm_bindgen_test]
async fn failures_make_the_span_fail() {
    begin().await;
    for status in [404, 500, 0] {
        let _network = Network::stub(status);
        let _ = Request::get("/api").send_traced().await;
    }
    let spans = spans().await;
    let outcomes: Vec<_> =
        spans.iter().map(|span| (span.status, span.attribute("error.type").cloned().unwrap())).collect();
    let error = |kind: &str| (StatusCode::Error, kind.into());
    assert_eq!(outcomes, [error("404"), error("500"), error("network")]);
    assert!(spans[2].status_message.contains("no network"), "{}", spans[2].status_message);
}

#[wasm_bindgen_test]
async fn reqwest_does_the_same() {
    begin().await;
    let network = Network::stub(503);
    let origin = js("return location.origin").as_string().unwrap();
    let request = reqwest::Client::new().put(format!("{origin}/api/cart?x=1"));
    assert_eq!(request.send_traced().await.unwrap().status(), 503);
    reqwest::Client::new().get("https://other.example/").send_traced().await.unwrap();
    let spans = spans().await;
    let put = named(&spans, "PUT");
    assert_eq!(network.traceparents(), [format!("00-{}-{}-03", put.trace_id, put.span_id), String::new()]);
    assert_eq!((put.kind, put.status), (SpanKind::Client, StatusCode::Error));
    assert_eq!(put.attribute("url.full"), Some(&format!("{origin}/api/cart").into()));
}

#[wasm_bindgen_test]
async fn odd_methods_and_addresses_are_spans_too() {
    begin().await;
    let mut headers: Vec<(String, String)> = Vec::new();
    ClientRequest::begin("BREW", "http://user:secret@", &mut headers).failed("coffee", &"no pot");
    ClientRequest::begin("get", "data:text/plain,x", &mut headers).answered(200);
    drop(ClientRequest::begin("GET", "http://user:secret@shop.example/x", &mut headers));
    assert!(headers.is_empty());
    let spans = spans().await;
    let brew = named(&spans, "HTTP");
    assert_eq!(brew.attribute("http.request.method"), Some(&"_OTHER".into()));
    assert_eq!(brew.attribute("http.request.method_original"), Some(&"BREW".into()));
    assert_eq!(brew.attribute("url.full"), None);
    assert_eq!(spans[2].attribute("url.full"), Some(&"http://shop.example/x".into()));
}
