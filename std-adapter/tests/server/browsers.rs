//! What a browser meets: preflights, origins, the page and its headers, and names that are not this machine's.

use clewline::server::ServerConfig;

use crate::support::TestServer;

const ORIGIN: (&str, &str) = ("origin", "http://localhost:3000");
const ASKS: [(&str, &str); 2] = [
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "content-type,content-encoding,x-key"),
];

#[test]
fn a_preflight_is_answered_for_any_origin() {
    let server = TestServer::start();
    let answer = server.send("OPTIONS", "/v1/traces", &[ORIGIN, ASKS[0], ASKS[1]], b"");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "content-type,content-encoding,x-key"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "86400"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("vary").unwrap().contains("origin"));
    assert_eq!(answer.header("access-control-allow-private-network"), None);

    let private = ("access-control-request-private-network", "true");
    let answer = server.send("OPTIONS", "/v1/traces", &[ORIGIN, ASKS[0], private], b"");
    assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
    assert!(
        answer.header("access-control-allow-headers").unwrap().contains("content-type, content-encoding, traceparent")
    );
}

#[test]
fn answers_can_be_read_by_the_page_that_sent() {
    let server = TestServer::start();
    let json = ("content-type", "application/json");
    for (body, status) in [("{}", 200), ("[]", 400)] {
        let answer = server.send("POST", "/v1/traces", &[ORIGIN, json], body.as_bytes());
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some(ORIGIN.1)));
    }
    assert_eq!(server.send("POST", "/v1/traces", &[json], b"{}").header("access-control-allow-origin"), None);
}

#[test]
fn only_listed_origins_may_send() {
    let allowed_origins = vec!["http://localhost:3000/".to_owned(), "https://Shop.example".to_owned()];
    let server = TestServer::with(ServerConfig { allowed_origins, ..ServerConfig::default() });
    let json = ("content-type", "application/json");
    for (origin, admitted) in [
        ("http://localhost:3000", true),
        ("https://shop.example", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let origin = ("origin", origin);
        let preflight = server.send("OPTIONS", "/v1/traces", &[origin, ASKS[0]], b"");
        assert_eq!(preflight.header("access-control-allow-origin").is_some(), admitted, "{origin:?}");
        assert_eq!(preflight.header("access-control-allow-methods").is_some(), admitted, "{origin:?}");
        let sent = server.send("POST", "/v1/traces", &[origin, json], b"{}");
        assert_eq!(sent.status, if admitted { 200 } else { 403 }, "{origin:?}");
    }
    assert_eq!(server.send("POST", "/v1/traces", &[json], b"{}").status, 200, "programs have no origin");
}

#[test]
fn other_origins_cannot_read() {
    let server = TestServer::start();
    for path in ["/api/traces", "/api/stats", "/api/services", "/"] {
        let answer = server.send("GET", path, &[ORIGIN], b"");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn a_name_pointed_at_this_machine_reads_nothing() {
    let server =
        TestServer::with(ServerConfig { allowed_hosts: vec!["dev.example".to_owned()], ..ServerConfig::default() });
    for (host, status) in [("evil.example:4318", 403), ("localhost:4318", 200), ("dev.example", 200)] {
        for path in ["/", "/app.js", "/api/traces", "/api/stats"] {
            let answer = server.send("GET", path, &[("host", host)], b"");
            assert_eq!(answer.status, status, "{host}{path}");
        }
    }
    let refused = server.send("GET", "/api/traces", &[("host", "evil.example")], b"");
    assert!(refused.text().contains("--allow-host evil.example"), "{}", refused.text());
    let spans =
        server.send("POST", "/v1/traces", &[("host", "collector.svc"), ("content-type", "application/json")], b"{}");
    assert_eq!(spans.status, 200, "spans may come under any name");
}

#[test]
fn the_page_is_whole_and_closed() {
    let server = TestServer::start();
    let page = server.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // Every file that the page or one of its modules names is there, and nothing comes from elsewhere.
    let mut waiting = vec!["/".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let text = answer.text();
        for elsewhere in
            ["src=\"http", "href=\"http", "@import", "url(http", "from \"http", "innerHTML", "style=\"", "eval("]
        {
            assert!(!text.contains(elsewhere), "{path} has {elsewhere}");
        }
        for quoted in text
            .split('"')
            .filter(|quoted| quoted.starts_with('/') && [".js", ".css", ".svg"].iter().any(|end| quoted.ends_with(end)))
        {
            if !seen.contains(&quoted.to_owned()) {
                seen.push(quoted.to_owned());
                waiting.push(quoted.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
    assert_eq!(server.get("/healthz").text(), "ok\n");
}
