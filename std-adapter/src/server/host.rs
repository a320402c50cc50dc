//! Which names the viewer answers to, so that a web page cannot read traces through DNS rebinding.
//!
//! A page at `evil.example` may point that name at 127.0.0.1 and then counts as the same origin as this server.
//! What gives it away is the `Host` header: it says `evil.example`, never `localhost` or an IP address.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

/// The host names under which the page and the query API may be asked for.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// `None` admits every name: the server listens on a public address and is meant to be reached by name.
    allowed: Option<Vec<String>>,
}

impl Hosts {
    /// The rule for a server listening on `address`: strict on loopback, open elsewhere.
    pub(super) fn new(address: SocketAddr, allowed: &[String]) -> Self {
        let strict = address.ip().is_loopback();
        Self { allowed: strict.then(|| allowed.iter().map(|name| name.to_ascii_lowercase()).collect()) }
    }

    /// The name the request asked for, if it is one that must be refused.
    pub(super) fn refused<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let allowed = self.allowed.as_ref()?;
        // A request without the header does not come from a browser.
        let host = headers.get(header::HOST)?;
        let Ok(host) = host.to_str() else { return Some("(unreadable)") };
        let name = without_port(host);
        let known = name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost")
            || allowed.iter().any(|allowed| name.eq_ignore_ascii_case(allowed));
        (!known).then_some(name)
    }
}

/// The name in a `Host` value: without the port, and without the brackets of an IPv6 address.
fn without_port(host: &str) -> &str {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _port)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, allowed: &[&str], host: &str) -> bool {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header value"));
        Hosts::new(listen.parse().expect("an address"), &allowed).refused(&headers).is_some()
    }

    #[test]
    fn only_names_of_this_machine_pass_on_loopback() {
        for host in ["localhost:4318", "LOCALHOST", "127.0.0.1:4318", "[::1]:4318", "shop.localhost:4318"] {
            assert!(!refused("127.0.0.1:4318", &[], host), "{host} was refused");
        }
        for host in ["evil.example:4318", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(refused("127.0.0.1:4318", &[], host), "{host} was admitted");
        }
        assert!(!refused("127.0.0.1:4318", &["dev.example"], "DEV.example:4318"));
        assert!(!refused("0.0.0.0:4318", &[], "traces.example"));
    }
}
