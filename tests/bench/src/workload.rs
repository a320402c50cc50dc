//! The names, attributes and headers that every row records: one place, so that no row does less.

/// The root span's name in cases a to e.
pub const ROOT: &str = "GET /cart/{id}";

/// The child's name in cases b and c.
pub const CHILD: &str = "SELECT cart";

/// The event's name in case e.
pub const EVENT: &str = "cache.miss";

/// Children under the root in case c.
pub const CHILDREN: usize = 100;

/// Events added to one live span in case e before it is replaced by a fresh one: few enough for every row's limits.
pub const EVENTS_PER_SPAN: u64 = 20;

/// The child's attributes in case b, by semantic-convention keys.
pub const CHILD_ATTRIBUTES: [(&str, &str); 4] = [
    ("db.system.name", "postgresql"),
    ("db.operation.name", "SELECT"),
    ("db.collection.name", "cart"),
    ("server.address", "db.internal.example"),
];

/// Spans in the payload of case f: the default batch size of OpenTelemetry's SDKs.
pub const ENCODED_SPANS: u64 = 512;

/// Attributes of every span in the payload of case f.
pub const ENCODED_ATTRIBUTES: [(&str, &str); 8] = [
    ("http.request.method", "GET"),
    ("http.route", "/cart/{id}"),
    ("url.path", "/cart/4711"),
    ("url.scheme", "https"),
    ("server.address", "shop.example.com"),
    ("network.protocol.version", "1.1"),
    ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"),
    ("tenant.id", "acme"),
];

/// When the first span of the payload starts, in Unix nanoseconds.
pub const ENCODED_START: u64 = 1_795_000_000_000_000_000;

/// How long every span of the payload took, in nanoseconds.
pub const ENCODED_DURATION: u64 = 1_250_000;

/// The `service.name` of the payload's resource.
pub const SERVICE: &str = "shop";

/// The instrumentation scope.
pub const SCOPE: &str = "bench";

/// The header of cases g1 and g2, from the W3C Trace Context recommendation, section 3.2.
pub const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
