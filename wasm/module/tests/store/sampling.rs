//! A span that is not sampled records nothing and still carries its context.

use crate::page::Page;

#[test]
fn the_decision_travels_with_the_context() {
    Page::run(0.0, |page| {
        let root = page.start("n", 0);
        let header = page.traceparent(root);
        assert_eq!((root & 1, header.len()), (0, 55));
        assert!(header.ends_with("-02"), "random, not sampled: {header}");
        let child = page.start("n", root);
        assert_eq!(child & 1, 0);
        assert_eq!(page.traceparent(child)[..35], header[..35]);
        assert_eq!((page.store.counters.not_sampled, page.store.counters.started), (2, 0));
    });
}

#[test]
fn the_decision_of_others_counts_more_than_the_share() {
    for (ratio, flags) in [(0.0, "01"), (1.0, "00")] {
        Page::run(ratio, move |page| {
            let remote = page.text(&format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"));
            let name = page.text("n");
            let span = page.store.start(name, 2, 0, remote);
            assert_eq!(span & 1, u32::from(flags == "01"));
            page.store.end(span, 7.0, 9.0);
            page.with_spans(|spans| {
                assert_eq!(spans.len(), usize::from(flags == "01"));
                assert!(spans.iter().all(|span| span.duration_nanos() == 2));
            });
        });
    }
}

#[test]
fn a_share_is_about_that_share() {
    Page::run(0.25, |page| {
        let sampled = (0..4000).filter(|_| {
            let span = page.start("n", 0);
            page.store.end(span, 0.0, 0.0);
            span & 1 == 1
        });
        let sampled = sampled.count();
        assert!((800..1200).contains(&sampled), "{sampled} of 4000");
    });
}
