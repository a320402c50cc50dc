//! What this crate uses of JavaScript: `fetch` and its answer, timers, events, addresses.

use js_sys::{Function, Promise, Reflect, global};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &Function, millis: f64) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: &JsValue);

    #[wasm_bindgen(js_name = addEventListener, catch)]
    pub(crate) fn add_event_listener(kind: &str, callback: &Function) -> Result<(), JsValue>;

    #[wasm_bindgen(js_namespace = AbortSignal, js_name = timeout, catch)]
    pub(crate) fn abort_after(millis: f64) -> Result<JsValue, JsValue>;

    /// What `fetch` answers.
    #[wasm_bindgen(js_name = Response)]
    pub(crate) type Answer;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Answer) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn headers(this: &Answer) -> web_sys::Headers;
    #[wasm_bindgen(method, js_name = arrayBuffer, catch)]
    pub(crate) fn array_buffer(this: &Answer) -> Result<Promise, JsValue>;

    /// An address, taken apart (WHATWG URL standard).
    #[wasm_bindgen(js_name = URL)]
    pub(crate) type Url;
    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    fn resolve(address: &str, base: &JsValue) -> Result<Url, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn href(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn origin(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn protocol(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn hostname(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn port(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn pathname(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn search(this: &Url) -> String;
}

/// A member of an object; `None` if there is none, or no object.
pub(crate) fn member(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

/// The global `fetch`, as it is now.
pub(crate) fn fetch() -> Option<Function> {
    member(&global(), "fetch")?.dyn_into().ok()
}

/// Where the page or worker is, if it is anywhere.
fn location() -> Option<JsValue> {
    member(&global(), "location")
}

/// The origin of the page or worker.
pub(crate) fn own_origin() -> Option<String> {
    member(&location()?, "origin")?.as_string()
}

/// An address of HTTP, as `fetch` reads it: relative to the page, if it is not whole.
pub(crate) fn http_url(address: &str) -> Option<Url> {
    let base = location().and_then(|location| member(&location, "href")).unwrap_or(JsValue::UNDEFINED);
    let url = Url::resolve(address, &base).ok()?;
    matches!(url.protocol().as_str(), "http:" | "https:").then_some(url)
}

/// Whether the page is hidden; workers never are.
pub(crate) fn is_hidden() -> bool {
    let state = member(&global(), "document").and_then(|document| member(&document, "visibilityState"));
    state.is_some_and(|state| state == "hidden")
}

/// The content of the page's `<meta name="…">`.
pub(crate) fn meta(name: &str) -> Option<String> {
    let document = member(&global(), "document")?;
    let query: Function = member(&document, "querySelector")?.dyn_into().ok()?;
    let element = query.call1(&document, &format!("meta[name=\"{name}\"]").into()).ok()?;
    member(&element, "content")?.as_string()
}
