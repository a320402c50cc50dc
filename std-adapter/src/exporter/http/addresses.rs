//! The collector's addresses, looked up once and kept while they work.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long addresses are used before they are looked up again.
const KEPT: Duration = Duration::from_secs(60);

/// A resolver with a memory of one host. Clones share it.
///
/// The client asks before every request, although it then takes the connection that is open, and its own resolver starts a
/// thread for each question that has a time limit: seven eighths of the time of a small request.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    known: Arc<Mutex<Option<Known>>>,
}

#[derive(Debug)]
struct Known {
    uri: Uri,
    addresses: Vec<SocketAddr>,
    since: Instant,
    /// A request failed since: they are looked up again before they are used.
    are_doubtful: bool,
}

impl Addresses {
    /// Has the addresses looked up again before the next request.
    pub(super) fn doubt(&self) {
        if let Some(known) = self.known().as_mut() {
            known.are_doubtful = true;
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the host of `uri`, good or doubtful.
    fn recall(&self, uri: &Uri, is_good_enough: impl Fn(&Known) -> bool) -> Option<ResolvedSocketAddrs> {
        let known = self.known();
        let known = known.as_ref().filter(|known| known.uri == *uri && is_good_enough(known))?;
        let mut list = self.empty();
        known.addresses.iter().for_each(|address| list.push(*address));
        Some(list)
    }
}

impl Resolver for Addresses {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if let Some(addresses) = self.recall(uri, |known| !known.are_doubtful && known.since.elapsed() < KEPT) {
            return Ok(addresses);
        }
        match DefaultResolver::default().resolve(uri, config, timeout) {
            Ok(addresses) => {
                let (uri, since) = (uri.clone(), Instant::now());
                *self.known() = Some(Known { uri, addresses: addresses.to_vec(), since, are_doubtful: false });
                Ok(addresses)
            }
            // A name service that is away must not part us from a collector that is there.
            Err(error) => self.recall(uri, |_| true).ok_or(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use ureq::Timeout;
    use ureq::unversioned::transport::time;

    use super::*;

    fn look_up(addresses: &Addresses, uri: &str, config: &Config) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let timeout =
            NextTimeout { after: time::Duration::NotHappening, reason: Timeout::Global, ..Default::default() };
        addresses.resolve(&uri.parse().unwrap(), config, timeout)
    }

    /// What is answered for this address, as text.
    fn ask(addresses: &Addresses, uri: &str) -> Option<String> {
        look_up(addresses, uri, &Config::default()).unwrap().first().map(ToString::to_string)
    }

    /// What would be answered for this address from memory becomes something that no look-up says.
    fn falsify(addresses: &Addresses) {
        let mut known = addresses.known();
        known.as_mut().unwrap().addresses = vec!["192.0.2.1:9".parse().unwrap()];
    }

    #[test]
    fn addresses_are_looked_up_once_until_they_are_doubted() {
        let addresses = Addresses::default();
        let uri = "http://127.0.0.1:4318/v1/traces";
        assert_eq!(ask(&addresses, uri).as_deref(), Some("127.0.0.1:4318"));
        falsify(&addresses);
        assert_eq!(ask(&addresses.clone(), uri).as_deref(), Some("192.0.2.1:9"), "from memory, which clones share");
        assert_eq!(
            ask(&addresses, "http://127.0.0.1:1/").as_deref(),
            Some("127.0.0.1:1"),
            "another address is not known"
        );
        assert_eq!(ask(&addresses, uri).as_deref(), Some("127.0.0.1:4318"));
        falsify(&addresses);
        addresses.doubt();
        assert_eq!(ask(&addresses, uri).as_deref(), Some("127.0.0.1:4318"));
        falsify(&addresses);
        addresses.known().as_mut().unwrap().since -= KEPT;
        assert_eq!(ask(&addresses, uri).as_deref(), Some("127.0.0.1:4318"), "old");
    }

    #[test]
    fn doubtful_addresses_are_better_than_none() {
        let addresses = Addresses::default();
        let uri = "http://127.0.0.1:4318/";
        assert_eq!(ask(&addresses, uri).as_deref(), Some("127.0.0.1:4318"));
        addresses.doubt();
        // A look-up that cannot succeed: this host has no such address.
        let config = Config::builder().ip_family(ureq::config::IpFamily::Ipv6Only).build();
        assert!(look_up(&Addresses::default(), uri, &config).is_err());
        let list = look_up(&addresses, uri, &config).unwrap();
        assert_eq!(list.first().map(ToString::to_string).as_deref(), Some("127.0.0.1:4318"));
    }
}
