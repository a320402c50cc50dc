//! Without a pipeline, as before `init` and with `OTEL_SDK_DISABLED`: nothing is recorded, and what arrived is handed on
//! (OpenTelemetry trace API, "Behavior of the API in the absence of an installed SDK").

use clewline::{Context, SpanExt as _, TraceFlags, current_context};
use tracing::{Instrument as _, info, info_span};

use crate::door::{self, Door};
use crate::support::remote;

#[test]
fn what_arrived_is_handed_on_by_all_spans_below() {
    let dispatch = door::dispatch(Door::default());
    tracing::dispatcher::with_default(&dispatch, || {
        let incoming = Context::new(Some(remote(TraceFlags::SAMPLED))).with_trace_state("vendor=1");
        let incoming = incoming.with_baggage_entry("tenant", "acme").unwrap();
        let request = info_span!("request", field = 1);
        assert_eq!((request.context(), current_context()), (None, None));
        request.set_parent(&incoming);
        assert_eq!(request.hand_on(), incoming);
        assert!(!request.is_recording());
        request.set_attribute("ignored", 1);
        let query = info_span!(parent: &request, "query");
        assert_eq!(query.hand_on(), incoming);
        {
            let _entered = query.enter();
            info!("ignored");
            assert_eq!((Context::current(), current_context()), (incoming.clone(), incoming.span_context()));
            assert_eq!(info_span!("deeper").hand_on(), incoming);
        }
        assert_eq!(info_span!("elsewhere").hand_on(), Context::default(), "a request of its own");
        // On another thread, in a future.
        std::thread::scope(|scope| {
            let work = async { info_span!("later").context() }.instrument(query);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let dispatch = dispatch.clone();
            let found = scope.spawn(move || tracing::dispatcher::with_default(&dispatch, || runtime.block_on(work)));
            assert_eq!(found.join().unwrap(), incoming.span_context());
        });
    });
}

#[test]
fn baggage_alone_is_handed_on_too() {
    tracing::dispatcher::with_default(&door::dispatch(Door::default()), || {
        let request = info_span!("request");
        request.set_parent(Context::default().with_baggage_entry("tenant", "acme").unwrap());
        let _entered = request.entered();
        let _inner = info_span!("inner").entered();
        assert_eq!(Context::current().baggage().as_str(), "tenant=acme");
        assert_eq!(current_context(), None);
    });
}
