//! What `tracing` spans say about themselves beyond their fields.

use super::setting::Setting;

/// What is added to `tracing` spans, where [`init`](crate::init) sets the subscriber; nothing unless asked for. The methods of
/// [`ClewlineSubscriber`](crate::ClewlineSubscriber) say what each is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpansConfig {
    /// Where in the source they are.
    pub location: Setting<bool>,
    /// On which thread they began.
    pub threads: Setting<bool>,
    /// Their level.
    pub level: Setting<bool>,
    /// Their target.
    pub target: Setting<bool>,
    /// How long they were entered, and how long not.
    pub inactivity: Setting<bool>,
    /// Whether those that are open at the shutdown are ended and exported.
    pub export_open: Setting<bool>,
}

impl Default for SpansConfig {
    fn default() -> Self {
        let off = || Setting::default(false);
        Self { location: off(), threads: off(), level: off(), target: off(), inactivity: off(), export_open: off() }
    }
}
