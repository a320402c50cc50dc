/** Everything one span carries. */

import { hasTrace } from "/api.js";
import { copyButton, el, fill, serviceChip } from "/dom.js";
import { clock, duration, fullTime, nanosBetween, plural } from "/format.js";
import { hashOf } from "/route.js";

/** Bits 0 to 7 of the flags are the W3C trace flags; bit 0 says that the trace is sampled (OTLP `SpanFlags`). */
const SAMPLED = 0x01;

/** Draws the details of `node` into `panel`. */
export function drawDetails(panel, trace, node, { filters, close }) {
  const dropped = node.dropped_attributes_count + node.dropped_events_count + node.dropped_links_count;
  fill(panel,
    el("div", { class: "details-head" },
      el("h2", {}, node.name || "(no name)"),
      el("button", { class: "quiet close", type: "button", attrs: { "aria-label": "Close the details" }, on: { click: close } }, "✕")),
    el("div", { class: "chips" },
      serviceChip(node.service),
      el("span", { class: `kind ${node.kind.toLowerCase()}` }, node.kind.toLowerCase()),
      status(node.status)),
    node.failed && node.status.message && el("p", { class: "failure" }, node.status.message),
    el("dl", { class: "facts" },
      fact("Duration", el("strong", {}, duration(node.length))),
      fact("Own time", duration(ownTime(node))),
      fact("After start", duration(node.offset))),
    dropped > 0 && el("p", { class: "warning" }, "Not everything was kept: ", [
      [node.dropped_attributes_count, "attribute"], [node.dropped_events_count, "event"], [node.dropped_links_count, "link"],
    ].filter(([number]) => number).map(([number, noun]) => plural(number, noun)).join(", "), " dropped at the source."),
    attributesSection("Attributes", node.attributes, filters, true),
    section("Events", node.events.length, node.events.map((event) => eventItem(trace, event))),
    section("Links", node.links.length, node.links.map((link) => linkItem(link, filters))),
    attributesSection("Resource", node.resource, filters, false),
    section("Identity", null, [table([
      ["span id", node.span_id], ["parent", node.parent_span_id ?? "none: this is a root"],
      ["start", fullTime(node.start_time_unix_nano)], ["end", fullTime(node.end_time_unix_nano)],
      ["scope", [node.scope.name, node.scope.version].filter(Boolean).join(" ") || "none"],
      ["sampled", node.flags & SAMPLED ? "yes" : "not said"],
      ...(node.trace_state ? [["tracestate", node.trace_state]] : []),
    ])], false));
}

function fact(term, ...description) {
  return el("div", {}, el("dt", {}, term), el("dd", {}, ...description));
}

function status({ code }) {
  return code === "UNSET" ? null : el("span", { class: `badge ${code.toLowerCase()}` }, code);
}

function section(title, count, children, open = true) {
  if (children.length === 0) return null;
  return el("details", { class: "section", open }, el("summary", {}, title, count !== null && el("span", { class: "section-count" }, String(count))), children);
}

function attributesSection(title, attributes, filters, open) {
  const entries = Object.entries(attributes);
  return section(title, entries.length, entries.length ? [table(entries, filters)] : [], open);
}

/** Keys and values; with `filters`, each simple value can be searched for. */
function table(entries, filters) {
  return el("table", { class: "attributes" }, el("tbody", {}, entries.map(([key, value]) => el("tr", {},
    el("th", { attrs: { scope: "row" } }, key),
    el("td", {}, shown(value), filters && (value === null || typeof value !== "object") && el("a", {
      class: "find", href: hashOf({ filters: { q: term(key, value) } }), title: "Find traces with this value", attrs: { "aria-label": `Find traces with ${key}=${value}` },
    }, "find"))))));
}

function shown(value) {
  if (typeof value === "string") return el("span", { class: value.includes("\n") ? "text long" : "text" }, value);
  if (value !== null && typeof value === "object") return el("span", { class: "text long" }, JSON.stringify(value, null, 1));
  return el("span", { class: "literal" }, String(value));
}

/** A term of the search box for exactly this value. */
function term(key, value) {
  const quoted = (text) => (/[\s"=\\]/.test(text) || text === "" ? `"${text.replace(/[\\"]/g, "\\$&")}"` : text);
  return `${quoted(key)}=${quoted(value === null ? "" : String(value))}`;
}

function eventItem(trace, event) {
  const { "exception.stacktrace": stack, ...attributes } = event.attributes;
  const entries = Object.entries(attributes);
  return el("div", { class: event.name === "exception" ? "event bad" : "event" },
    el("div", { class: "event-head" }, el("strong", {}, event.name || "(no name)"),
      el("time", { title: clock(event.time_unix_nano) }, afterStart(nanosBetween(trace.start, event.time_unix_nano)))),
    entries.length > 0 && table(entries),
    event.dropped_attributes_count > 0 && el("p", { class: "warning" }, `${plural(event.dropped_attributes_count, "attribute")} dropped at the source.`),
    stack && el("details", {}, el("summary", {}, "Stack trace"), el("pre", { class: "stack" }, String(stack))));
}

/** Where something is on the scale of the trace. A clock that differs may put it before the start. */
function afterStart(nanos) {
  return nanos < 0 ? duration(nanos) : `+${duration(nanos)}`;
}

function linkItem(link, filters) {
  const id = el("code", {}, link.trace_id);
  const place = el("span", { class: "link-state" }, "looking…");
  hasTrace(link.trace_id).then((here) => {
    if (here) {
      place.replaceChildren(el("a", { href: hashOf({ traceId: link.trace_id, spanId: link.span_id, filters }) }, "Open the linked span"));
    } else {
      place.textContent = "not in this viewer";
    }
  });
  const entries = Object.entries(link.attributes);
  return el("div", { class: "event" }, el("div", { class: "event-head" }, id, copyButton(link.trace_id, "Copy the trace id")),
    el("div", { class: "link-line" }, "span ", el("code", {}, link.span_id), place), entries.length > 0 && table(entries));
}

/** The part of a span's time in which none of its children ran. */
function ownTime(node) {
  const end = node.offset + node.length;
  let covered = 0;
  let reached = node.offset;
  const spans = node.children.map((child) => [Math.max(child.offset, node.offset), Math.min(child.offset + child.length, end)]);
  for (const [from, to] of spans.sort((a, b) => a[0] - b[0])) {
    if (to <= reached) continue;
    covered += to - Math.max(from, reached);
    reached = to;
  }
  return Math.max(0, node.length - covered);
}
