//! What travels beside the ids: tracestate lists, baggage, and decisions that B3 tells.

use std::sync::Arc;

use clewline::propagation::{Propagators, WithContext as _, carrier};
use clewline::{Context, PipelineOptions, SpanExt as _, TraceFlags, tracer_in};
use clewline_core::{AlwaysOff, AlwaysOn, ParentBased, ProbabilitySampler, Scope};
use tracing::{Instrument as _, info_span};

use crate::support::{Recorder, assert_child, named, pairs, record, remote, text};

/// A remote parent with all there is.
fn whole(flags: TraceFlags) -> Context {
    Context::from(remote(flags)).with_trace_state("congo=1,rojo=2").with_baggage_entry("tenant", "acme").unwrap()
}

fn tenant() -> Option<String> {
    Context::current().baggage().get("tenant").map(|value| value.to_string())
}

#[test]
fn lists_reach_every_span_below() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let server = info_span!("server");
        server.set_parent(whole(TraceFlags::SAMPLED));
        assert_eq!(server.hand_on().trace_state(), "congo=1,rojo=2");
        let _server = server.entered();
        let _child = info_span!("child").entered();
        let native = recorder.pipeline.tracer(&Scope::default()).span("native").start().enter();
        let _grandchild = info_span!("grandchild").entered();
        assert_eq!((tenant().as_deref(), Context::current().trace_state()), (Some("acme"), "congo=1,rojo=2"));
        drop(native);
    });
    for name in ["server", "child", "native", "grandchild"] {
        assert_eq!(named(&spans, name).trace_state, "congo=1,rojo=2", "{name}");
    }
    assert_child(named(&spans, "grandchild"), named(&spans, "native"));
}

/// A trace that nobody records is handed on all the same.
#[test]
fn lists_travel_with_spans_that_are_not_recorded() {
    let recorder = Recorder::with_sampler(ParentBased::new(AlwaysOn));
    let spans = recorder.run(|| {
        let server = info_span!("server");
        server.set_parent(whole(TraceFlags::NONE));
        let _entered = server.entered();
        let _child = info_span!("child").entered();
        let current = Context::current();
        assert_eq!((current.trace_state(), tenant().as_deref()), ("congo=1,rojo=2", Some("acme")));
        assert!(!current.span_context().unwrap().is_sampled());
    });
    assert_eq!(spans, []);
}

#[test]
fn a_new_trace_takes_the_baggage_along_and_nothing_else() {
    let recorder = Recorder::new();
    let spans = recorder.run(|| {
        let _attached = whole(TraceFlags::SAMPLED).attach();
        let root = recorder.pipeline.tracer(&Scope::default()).span("root").root().start().enter();
        assert_eq!((Context::current().trace_state(), tenant().as_deref()), ("", Some("acme")));
        drop(root);
        drop(info_span!("child"));
    });
    assert_eq!((&*named(&spans, "root").trace_state, &*named(&spans, "child").trace_state), ("", "congo=1,rojo=2"));
    assert_ne!(named(&spans, "root").trace_id, named(&spans, "child").trace_id);
}

#[test]
fn baggage_is_set_for_a_part_of_the_work() {
    let spans = record(|| {
        let _request = info_span!("request").entered();
        {
            let _attached = Context::current().with_baggage_entry("tenant", "acme").unwrap().attach();
            let _inner = info_span!("inner").entered();
            assert_eq!(tenant().as_deref(), Some("acme"));
        }
        assert_eq!(tenant(), None);
    });
    assert_child(named(&spans, "inner"), named(&spans, "request"));
}

#[test]
fn links_keep_the_list_of_the_span_they_lead_to() {
    let spans = record(|| {
        let cause = info_span!("cause");
        cause.set_parent(whole(TraceFlags::SAMPLED));
        info_span!("effect").follows_from(&cause);
    });
    assert_eq!(named(&spans, "effect").links[0].trace_state, "congo=1,rojo=2");
}

/// Tasks of one thread take turns; each sees its own context, also one that was moved to another thread.
#[test]
fn contexts_stay_with_their_futures() {
    async fn turns(expected: String) {
        for _ in 0..20 {
            assert_eq!(tenant(), Some(expected.clone()));
            tokio::task::yield_now().await;
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let tenant = number.to_string();
                let context = Context::default().with_baggage_entry("tenant", &tenant).unwrap();
                let inner = info_span!("task");
                tokio::spawn(turns(tenant).instrument(inner).with_context(context))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(tenant(), None);
    });
}

/// Of the `b3` header alone, whether a span that begins with it is exported, for samplers of roots that would and would not
/// (b3-propagation, "Sampling State").
#[test]
fn decisions_of_b3_are_followed() {
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    let table = [
        (ids.to_owned(), [true, false]),
        (format!("{ids}-0"), [false, false]),
        (format!("{ids}-1"), [true, true]),
        (format!("{ids}-d"), [true, true]),
        ("0".to_owned(), [false, false]),
        ("1".to_owned(), [true, true]),
        ("d".to_owned(), [true, true]),
        ("nonsense".to_owned(), [true, false]),
    ];
    let b3: Propagators = "b3".parse().unwrap();
    for (header, expected) in table {
        let context = b3.extract(&[("b3", header.as_str())]);
        let recorders =
            [Recorder::with_sampler(ParentBased::new(AlwaysOn)), Recorder::with_sampler(ParentBased::new(AlwaysOff))];
        for (recorder, expected) in recorders.into_iter().zip(expected) {
            let spans = recorder.run(|| {
                let span = info_span!("layer");
                span.set_parent(&context);
                let tracer = recorder.pipeline.tracer(&Scope::default());
                let native = tracer.span("native").child_of(&context).start();
                for handed_on in [span.hand_on(), native.hand_on()] {
                    let mut headers: Vec<(String, String)> = Vec::new();
                    b3.inject(&handed_on, &mut carrier::pairs_mut(&mut headers));
                    let state = headers[0].1.rsplit('-').next().unwrap();
                    let sent_on = if header.ends_with('d') {
                        "d"
                    } else if expected {
                        "1"
                    } else {
                        "0"
                    };
                    assert_eq!(state, sent_on, "{header}");
                    assert_eq!(headers[0].1.starts_with(&ids[..32]), header.starts_with(&ids[..32]), "{header}");
                }
            });
            assert_eq!(spans.len(), if expected { 2 } else { 0 }, "{header}");
        }
    }
}

/// Without a pipeline contexts pass through.
#[test]
fn without_a_pipeline_contexts_pass_through() {
    let context = whole(TraceFlags::SAMPLED);
    let _attached = context.clone().attach();
    assert_eq!(Context::current(), context);
    let span = tracer_in(&Scope::default()).span("nothing").start();
    assert_eq!(span.hand_on(), context);
    let shared = Arc::new(span);
    assert!(!shared.is_recording());
}

/// What the sampler writes into the list goes on with the span, whether that is recorded or not.
#[test]
fn the_list_is_handed_on_as_the_sampler_left_it() {
    for (probability, threshold) in [(1.0, Some("ot=th:0")), (0.0, None)] {
        let recorder = Recorder::with_sampler(ProbabilitySampler::new(probability).unwrap());
        let spans = recorder.run(|| {
            let root = info_span!("root");
            let native = recorder.pipeline.tracer(&Scope::default()).span("native").start();
            let parent = Context::from(remote(TraceFlags::SAMPLED)).with_trace_state("congo=1,ot=th:4");
            let adopted = info_span!("adopted");
            adopted.set_parent(parent);
            let begins = threshold.unwrap_or_default();
            assert_eq!([root.hand_on().trace_state(), native.hand_on().trace_state()], [begins; 2]);
            let list = threshold.map_or("congo=1".to_owned(), |threshold| format!("{threshold},congo=1"));
            assert_eq!(adopted.hand_on().trace_state(), list);
        });
        assert_eq!(spans.len(), if threshold.is_some() { 3 } else { 0 });
        for span in &spans {
            assert!(span.trace_state.starts_with("ot=th:0"), "{span:?}");
        }
    }
}

#[test]
fn chosen_entries_of_the_baggage_become_attributes_of_every_span() {
    let mut options = PipelineOptions::default();
    options.baggage_attributes = vec!["tenant".to_owned(), "absent".to_owned()];
    let recorder = Recorder::with_options(options);
    let spans = recorder.run(|| {
        let server = info_span!("server");
        server.set_parent(whole(TraceFlags::SAMPLED).with_baggage_entry("secret", "x").unwrap());
        let _server = server.entered();
        drop(info_span!("child"));
        let changed = Context::current().with_baggage_entry("tenant", "Müller").unwrap();
        drop(recorder.pipeline.tracer(&Scope::default()).span("native").child_of(&changed).start());
        let told = info_span!("told", other = 1);
        told.set_parent(Context::default().with_baggage_entry("tenant", "late").unwrap());
    });
    for (name, tenant) in [("server", "acme"), ("child", "acme"), ("native", "Müller"), ("told", "late")] {
        let found: Vec<_> =
            pairs(&named(&spans, name).attributes).into_iter().filter(|(key, _)| *key != "other").collect();
        assert_eq!(found, [("tenant", text(tenant))], "{name}");
    }
}
