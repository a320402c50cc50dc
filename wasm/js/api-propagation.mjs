/** What travels between processes for users of `@opentelemetry/api`: W3C trace context and baggage, read strictly. */

import { baggageEntryMetadataFromString, createTraceState, isSpanContextValid, propagation, trace } from "@opentelemetry/api";

import { isSuppressed } from "./api-context.mjs";
import { count } from "./transport.mjs";

/** Version, ids, flags, and what later versions may add (W3C Trace Context level 2, section 3.2). */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
/** The names that HTTP allows (RFC 9110, section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/;
/** What a list of baggage must not exceed to be handed on whole (W3C Baggage, section 3.3.2). */
const MOST_BYTES = 8192;
const MOST_MEMBERS = 180;

/** All values of a header, which a carrier may hold as one text or several. */
const valuesOf = (carrier, getter, name) => [getter.get(carrier, name) ?? []].flat();

function extractTrace(around, carrier, getter) {
  const [text, ...others] = valuesOf(carrier, getter, "traceparent");
  const match = others.length || typeof text !== "string" ? null : TRACEPARENT.exec(text.replace(/^[ \t]+|[ \t]+$/g, ""));
  if (!match) return around;
  const [, version, traceId, spanId, flags, rest] = match;
  if (version === "00" && rest) return around;
  const state = valuesOf(carrier, getter, "tracestate").join(",");
  const found = { traceId, spanId, traceFlags: parseInt(flags, 16) & 3, isRemote: true, traceState: state ? createTraceState(state) : undefined };
  return isSpanContextValid(found) ? trace.setSpanContext(around, found) : around;
}

function injectTrace(around, carrier, setter) {
  const found = trace.getSpanContext(around);
  if (!found || !isSpanContextValid(found)) return;
  const { traceId, spanId, traceFlags, traceState } = found;
  setter.set(carrier, "traceparent", `00-${traceId}-${spanId}-0${traceFlags & 3}`);
  const state = traceState?.serialize();
  if (state) setter.set(carrier, "tracestate", state);
}

/** A member as `[key, entry]`; nothing for one that breaks a rule. */
function readMember(member) {
  const [pair, ...properties] = member.split(";");
  const at = pair.indexOf("=");
  const key = pair.slice(0, at).trim();
  if (at < 0 || !TOKEN.test(key)) return;
  try {
    const metadata = properties.join(";").trim();
    return [key, { value: decodeURIComponent(pair.slice(at + 1).trim()), metadata: metadata ? baggageEntryMetadataFromString(metadata) : undefined }];
  } catch {
    // A per cent sign that begins nothing.
  }
}

function extractBaggage(around, carrier, getter) {
  const entries = {};
  for (const member of valuesOf(carrier, getter, "baggage").join(",").split(",")) {
    if (!member.trim()) continue;
    const read = readMember(member);
    if (read) entries[read[0]] = read[1];
    else count("refusedBaggage", 1);
  }
  return Object.keys(entries).length ? propagation.setBaggage(around, propagation.createBaggage(entries)) : around;
}

function injectBaggage(around, carrier, setter) {
  const members = [];
  let bytes = -1;
  for (const [key, { value, metadata }] of propagation.getBaggage(around)?.getAllEntries() ?? []) {
    const member = `${key}=${encodeURIComponent(value)}${metadata ? `;${metadata}` : ""}`;
    if (TOKEN.test(key) && bytes + 1 + member.length <= MOST_BYTES && members.length < MOST_MEMBERS) {
      members.push(member);
      bytes += 1 + member.length;
    } else count("refusedBaggage", 1);
  }
  if (members.length) setter.set(carrier, "baggage", members.join(","));
}

export const propagator = {
  inject(around, carrier, setter) {
    if (isSuppressed(around)) return;
    injectTrace(around, carrier, setter);
    injectBaggage(around, carrier, setter);
  },
  extract: (around, carrier, getter) => extractBaggage(extractTrace(around, carrier, getter), carrier, getter),
  fields: () => ["traceparent", "tracestate", "baggage"],
};
