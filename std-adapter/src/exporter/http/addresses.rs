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
