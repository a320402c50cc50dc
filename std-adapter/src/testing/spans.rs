//! `Spans`: what a test recorded, and what it has to say about it.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;

use clewline_core::{SpanContext, SpanId, SpanKind, StatusCode, TraceId};

use super::tree;
use crate::exporter::{FinishedEvent, FinishedSpan, OwnedValue};

thread_local! {
    static HAS_BEEN_SHOWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether an assertion on this thread has failed, and so shown what was recorded.
pub(super) fn has_been_shown() -> bool {
    HAS_BEEN_SHOWN.replace(false)
}

/// The finished spans of a test. Shown as text they are a tree.
#[derive(Clone, Debug)]
pub struct Spans {
    spans: Vec<FinishedSpan>,
    /// Spans that go on.
    open: u64,
}

#[expect(clippy::must_use_candidate, reason = "the assertion is the effect; what is answered is for the next one")]
impl Spans {
    pub(super) fn new(spans: Vec<FinishedSpan>, open: u64) -> Self {
        Self { spans, open }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// All of them, in the order in which they ended, as far as one thread ended them.
    pub fn iter(&self) -> impl Iterator<Item = TestSpan<'_>> {
        self.spans.iter().map(|span| TestSpan { spans: self, span })
    }

    /// The one span of this name.
    ///
    /// # Panics
    /// There is none, or more than one.
    #[track_caller]
    pub fn named(&self, name: &str) -> TestSpan<'_> {
        match self.all_named(name).as_slice() {
            [span] => *span,
            [] => self.fail(format_args!("no span is named `{name}`")),
            several => {
                let count = several.len();
                self.fail(format_args!("{count} spans are named `{name}`; `all_named` gives them all"))
            }
        }
    }

    /// All spans of this name, maybe none.
    #[must_use]
    pub fn all_named(&self, name: &str) -> Vec<TestSpan<'_>> {
        self.iter().filter(|span| span.name == name).collect()
    }

    /// The one span without a parent.
    ///
    /// # Panics
    /// There is none, or more than one.
    #[track_caller]
    pub fn root(&self) -> TestSpan<'_> {
        let roots: Vec<_> = self.iter().filter(|span| span.parent_span_id.is_none()).collect();
        match roots.as_slice() {
            [root] => *root,
            several => self.fail(format_args!("expected one root, found {}", several.len())),
        }
    }

    /// Asserts that these are the names of all spans, in any order.
    ///
    /// # Panics
    /// They are not.
    #[track_caller]
    pub fn are_named(&self, names: &[&str]) -> &Self {
        let mut expected: Vec<&str> = names.to_vec();
        let mut found: Vec<&str> = self.spans.iter().map(|span| span.name.as_str()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        if expected != found {
            self.fail(format_args!("expected spans named {expected:?}, found {found:?}"));
        }
        self
    }

    #[track_caller]
    fn fail(&self, message: fmt::Arguments<'_>) -> ! {
        HAS_BEEN_SHOWN.set(true);
        panic!("{message}\n\n{self}");
    }
}

impl fmt::Display for Spans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree::draw(&self.spans, self.open, formatter)
    }
}

/// One span of a test. What is asserted of it panics if it does not hold, and otherwise answers the span again, so that one
/// assertion follows another. Its fields are those of [`FinishedSpan`].
#[derive(Clone, Copy)]
pub struct TestSpan<'s> {
    spans: &'s Spans,
    span: &'s FinishedSpan,
}

#[expect(clippy::must_use_candidate, reason = "the assertion is the effect; what is answered is for the next one")]
impl<'s> TestSpan<'s> {
    /// The span's own context.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        let [flags, ..] = self.span.flags.to_le_bytes();
        SpanContext::new(self.trace_id, self.span_id, clewline_core::TraceFlags::from_bits(flags))
    }

    /// Its children, in the order in which they began.
    #[must_use]
    pub fn children(&self) -> Vec<Self> {
        let is_child =
            |span: &TestSpan<'_>| span.parent_span_id == Some(self.span_id) && span.trace_id == self.trace_id;
        let mut children: Vec<_> = self.spans.iter().filter(is_child).collect();
        children.sort_by_key(|span| span.start_time_unix_nano);
        children
    }

    /// Asserts that its parent is `parent`: a name, another span, or a context from elsewhere.
    ///
    /// # Panics
    /// It is not.
    #[track_caller]
    pub fn child_of(self, parent: impl FindSpan) -> Self {
        let (trace_id, span_id, shown) = parent.find(self.spans);
        if (self.trace_id, self.parent_span_id) != (trace_id, Some(span_id)) {
            let found = match self.parent_span_id {
                None => "it is a root".to_owned(),
                Some(id) => format!("its parent is {}", self.shown(id)),
            };
            self.fail(format_args!("expected a child of {shown}, but {found}"));
        }
        self
    }

    /// Asserts that it has no parent.
    ///
    /// # Panics
    /// It has.
    #[track_caller]
    pub fn is_root(self) -> Self {
        if let Some(id) = self.parent_span_id {
            self.fail(format_args!("expected a root, but its parent is {}", self.shown(id)));
        }
        self
    }

    /// Asserts that it belongs to the same trace as another span or context.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn in_trace_of(self, other: impl FindSpan) -> Self {
        let (trace_id, _, shown) = other.find(self.spans);
        if self.trace_id != trace_id {
            self.fail(format_args!("expected to be in the trace of {shown}"));
        }
        self
    }

    /// Asserts that it links to another span or context.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn linked_to(self, other: impl FindSpan) -> Self {
        let (trace_id, span_id, shown) = other.find(self.spans);
        if !self.links.iter().any(|link| (link.trace_id, link.span_id) == (trace_id, span_id)) {
            self.fail(format_args!("expected a link to {shown}"));
        }
        self
    }

    /// Asserts that its children have these names, in the order in which they began.
    ///
    /// # Panics
    /// They have not.
    #[track_caller]
    pub fn has_children(self, names: &[&str]) -> Self {
        let children = self.children();
        let found: Vec<&str> = children.iter().map(|span| span.span.name.as_str()).collect();
        if found != names {
            self.fail(format_args!("expected the children {names:?}, found {found:?}"));
        }
        self
    }

    /// Asserts that the attribute `key` has this value.
    ///
    /// # Panics
    /// It has another, or there is none.
    #[track_caller]
    pub fn has(self, key: &str, value: impl Into<OwnedValue>) -> Self {
        if let Some(problem) = wrong_attribute(self.attribute(key), key, &value.into()) {
            self.fail(format_args!("{problem}"));
        }
        self
    }

    /// Asserts that there is an attribute `key`, whatever its value.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn has_key(self, key: &str) -> Self {
        if self.attribute(key).is_none() {
            self.fail(format_args!("expected an attribute `{key}`"));
        }
        self
    }

    /// Asserts that there is no attribute `key`.
    ///
    /// # Panics
    /// There is one.
    #[track_caller]
    pub fn lacks(self, key: &str) -> Self {
        if let Some(value) = self.attribute(key) {
            self.fail(format_args!("expected no attribute `{key}`, found {}", tree::Shown(value)));
        }
        self
    }

    /// Asserts its role in a call.
    ///
    /// # Panics
    /// It has another.
    #[track_caller]
    pub fn has_kind(self, kind: SpanKind) -> Self {
        if self.kind != kind {
            self.fail(format_args!("expected the kind {}, found {}", kind.name(), self.kind.name()));
        }
        self
    }

    /// Asserts the outcome.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn has_status(self, status: StatusCode) -> Self {
        if self.status != status {
            self.fail(format_args!("expected the status {}, found {}", status.name(), self.shown_status()));
        }
        self
    }

    /// Asserts that it failed with this message.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn failed_with(self, message: &str) -> Self {
        if self.status != StatusCode::Error || self.status_message != message {
            self.fail(format_args!("expected the status ERROR {message:?}, found {}", self.shown_status()));
        }
        self
    }

    /// Asserts that nobody called it a failure.
    ///
    /// # Panics
    /// Somebody did.
    #[track_caller]
    pub fn did_not_fail(self) -> Self {
        if self.status == StatusCode::Error {
            self.fail(format_args!("expected no failure, found {}", self.shown_status()));
        }
        self
    }

    /// Asserts that an event of this name happened.
    ///
    /// # Panics
    /// None did.
    #[track_caller]
    pub fn has_event(self, name: &str) -> Self {
        let _ = self.event(name);
        self
    }

    /// The first event of this name, to assert something of it.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn event(self, name: &str) -> TestEvent<'s> {
        match self.span.event(name) {
            Some(event) => TestEvent { span: self, event },
            None => self.fail(format_args!("expected an event `{name}`")),
        }
    }

    /// Asserts the name of the instrumentation scope: the crate or module that made it.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn has_scope(self, name: &str) -> Self {
        if self.scope.name != name {
            self.fail(format_args!("expected the scope `{name}`, found `{}`", self.scope.name));
        }
        self
    }

    fn shown_status(&self) -> String {
        match self.status_message.as_str() {
            "" => self.status.name().to_owned(),
            message => format!("{} {message:?}", self.status.name()),
        }
    }

    /// How a message names a span.
    fn shown(&self, id: SpanId) -> String {
        match self.spans.iter().find(|span| span.span_id == id) {
            Some(span) => format!("`{}`", span.name),
            None => format!("a span that was not recorded here, {id}"),
        }
    }

    #[track_caller]
    fn fail(&self, message: fmt::Arguments<'_>) -> ! {
        self.spans.fail(format_args!("span `{}`: {message}", self.name))
    }
}

impl Deref for TestSpan<'_> {
    type Target = FinishedSpan;

    fn deref(&self) -> &FinishedSpan {
        self.span
    }
}

impl fmt::Debug for TestSpan<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span.fmt(formatter)
    }
}

/// One event of a span of a test. Its fields are those of [`FinishedEvent`].
#[derive(Clone, Copy)]
pub struct TestEvent<'s> {
    span: TestSpan<'s>,
    event: &'s FinishedEvent,
}

impl TestEvent<'_> {
    /// Asserts that the attribute `key` has this value.
    ///
    /// # Panics
    /// It has another, or there is none.
    #[track_caller]
    pub fn has(self, key: &str, value: impl Into<OwnedValue>) -> Self {
        if let Some(problem) = wrong_attribute(self.attribute(key), key, &value.into()) {
            self.span.fail(format_args!("event `{}`: {problem}", self.name));
        }
        self
    }
}

impl Deref for TestEvent<'_> {
    type Target = FinishedEvent;

    fn deref(&self) -> &FinishedEvent {
        self.event
    }
}

impl fmt::Debug for TestEvent<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event.fmt(formatter)
    }
}

/// What is wrong with an attribute, if anything.
fn wrong_attribute(found: Option<&OwnedValue>, key: &str, expected: &OwnedValue) -> Option<String> {
    let expected_shown = tree::Shown(expected);
    match found {
        Some(value) if value == expected => None,
        Some(value) => Some(format!("expected `{key}` = {expected_shown}, found {}", tree::Shown(value))),
        None => Some(format!("expected `{key}` = {expected_shown}, found no such attribute")),
    }
}

/// What names a span: its name, the span itself, its context.
pub trait FindSpan {
    /// Trace and span, and how a message names it.
    ///
    /// # Panics
    /// A name stands for none of the spans, or for several.
    #[track_caller]
    fn find(&self, spans: &Spans) -> (TraceId, SpanId, String);
}

impl FindSpan for &str {
    #[track_caller]
    fn find(&self, spans: &Spans) -> (TraceId, SpanId, String) {
        spans.named(self).find(spans)
    }
}

impl FindSpan for TestSpan<'_> {
    fn find(&self, _: &Spans) -> (TraceId, SpanId, String) {
        (self.trace_id, self.span_id, format!("`{}`", self.name))
    }
}

impl FindSpan for SpanContext {
    fn find(&self, spans: &Spans) -> (TraceId, SpanId, String) {
        let span = spans.iter().find(|span| span.span_id == self.span_id());
        let shown = span.map_or_else(|| format!("the span {}", self.span_id()), |span| format!("`{}`", span.name));
        (self.trace_id(), self.span_id(), shown)
    }
}

impl<T: FindSpan> FindSpan for &T {
    #[track_caller]
    fn find(&self, spans: &Spans) -> (TraceId, SpanId, String) {
        (**self).find(spans)
    }
}
