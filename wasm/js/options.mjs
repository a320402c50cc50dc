/** Reads the options of `init`: names every mistake and fills in every default. */

const isText = (value) => typeof value === "string" && value.trim() !== "";
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const readBoolean = (value) => (typeof value === "boolean" ? value : undefined);

/** Per option: what is allowed in words, the default, and a reader that answers `undefined` for anything else. */
const OPTIONS = {
  serviceName: ['a non-empty string such as "shop-web"', undefined, (value) => (isText(value) ? value : undefined)],
  endpoint: [
    'the http or https address of an OTLP receiver, without /v1/traces, such as "http://localhost:4318"',
    "http://localhost:4318",
    readEndpoint,
  ],
  headers: ["an object of header names and string values", {}, readHeaders],
  resource: ["an object of attributes (strings, numbers, booleans or arrays of them)", {}, readResource],
  propagateTo: [
    'an array of http or https addresses such as "https://api.example.com", regular expressions or functions',
    [],
    readTargets,
  ],
  sampleRatio: ["a number from 0 to 1", 1, (value) => (value >= 0 && value <= 1 ? value : undefined)],
  flushInterval: ["a number of milliseconds from 1 to 60000", 1000, (value) => (value >= 1 && value <= 60_000 ? value : undefined)],
  instrumentFetch: ["true or false", true, readBoolean],
  recordQuery: ["true or false", false, readBoolean],
};

/**
 * Checks `given` and completes it.
 * @throws {TypeError} with the name of the first option that is wrong or unknown
 */
export function readOptions(given) {
  if (!isRecord(given)) throw new TypeError(`clewline: init needs an object of options, got ${describe(given)}`);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new TypeError(`clewline: init option ${JSON.stringify(name)} is unknown; known are ${Object.keys(OPTIONS).join(", ")}`);
    }
  }
  const options = {};
  for (const [name, [expected, fallback, read]] of Object.entries(OPTIONS)) {
    const value = given[name] === undefined ? fallback : given[name];
    if (typeof fallback === "number" && typeof value !== "number") throw wrong(name, expected, value);
    options[name] = read(value);
    if (options[name] === undefined) throw wrong(name, expected, value);
  }
  return options;
}

/** The name of the first option in which two results of `readOptions` differ, or `undefined`. Functions compare by their text. */
export function firstDifference(one, other) {
  const text = (value) => JSON.stringify(value, (_, inner) => (inner instanceof RegExp || typeof inner === "function" ? String(inner) : inner));
  return Object.keys(OPTIONS).find((name) => text(one[name]) !== text(other[name]));
}

function wrong(name, expected, value) {
  return new TypeError(`clewline: init option "${name}" must be ${expected}, got ${describe(value)}`);
}

function describe(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return "an array with a wrong entry";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The full address for traces: OTEL_EXPORTER_OTLP_ENDPOINT's rule, base plus /v1/traces. */
function readEndpoint(value) {
  const url = isText(value) ? httpUrl(value) : undefined;
  const path = url?.pathname.replace(/\/+$/, "");
  if (!url || path.endsWith("/v1/traces")) return undefined;
  url.pathname = `${path}/v1/traces`;
  url.hash = "";
  return url.href;
}

function readHeaders(value) {
  if (!isRecord(value)) return undefined;
  try {
    new Headers(value);
  } catch {
    return undefined;
  }
  return Object.values(value).every((entry) => typeof entry === "string") ? { ...value } : undefined;
}

function readResource(value) {
  const isScalar = (entry) => ["string", "number", "boolean"].includes(typeof entry);
  const isValue = (entry) => isScalar(entry) || (Array.isArray(entry) && entry.every(isScalar));
  return isRecord(value) && Object.values(value).every(isValue) ? { ...value } : undefined;
}

function readTargets(value) {
  const isTarget = (entry) => typeof entry === "function" || entry instanceof RegExp || (isText(entry) && httpUrl(entry) !== undefined);
  return Array.isArray(value) && value.every(isTarget) ? [...value] : undefined;
}

/** An http(s) address, relative ones seen from the page; `undefined` if it is none. */
export function httpUrl(text) {
  try {
    const url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}
