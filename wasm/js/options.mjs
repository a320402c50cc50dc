/** Reads the options of `init`: names every mistake and fills in every default. */

const within = (least, most) => (value) => value >= least && value <= most && value === +value;

/** Per option: the default, and a check. It answers `true`, or what the option means; or something else, or it throws. */
const OPTIONS = {
  __proto__: null,
  serviceName: [, (value) => value.trim()],
  endpoint: ["http://localhost:4318", readEndpoint],
  headers: [{}, (value) => Object.fromEntries(new Headers(value))],
  resource: [{}, (value) => Object(value) === value],
  sampleRatio: [1, within(0, 1)],
  flushInterval: [1000, within(1, 60_000)],
  batchSize: [512, within(1, 60_000)],
  instrumentations: [[], (value) => value.every((instrument) => instrument.call)],
};

/** Says what is wrong with an option. */
export const fail = (name, problem) => {
  throw new TypeError(`clewline: init option "${name}" ${problem}`);
};

/**
 * Checks `given` and completes it; `endpoint` becomes the full address for traces.
 * @throws {TypeError} with the name of the first option that is wrong or unknown
 */
export function readOptions(given) {
  given = { ...given };
  for (const name in given) name in OPTIONS || fail(name, "is unknown");
  const options = {};
  for (const name in OPTIONS) {
    const [standard, check] = OPTIONS[name];
    const value = given[name] ?? standard;
    let good;
    try {
      good = check(value);
    } catch {
      // What cannot be read is not good.
    }
    good || fail(name, `cannot be ${JSON.stringify(value)}`);
    options[name] = good === true ? value : good;
  }
  return options;
}

/** The full address for traces: OTEL_EXPORTER_OTLP_ENDPOINT's rule, base plus /v1/traces. */
function readEndpoint(value) {
  const url = httpUrl(value);
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = `${path}/v1/traces`;
  url.hash = "";
  return value.trim() && !/\/v1\/traces$/.test(path) && url.href;
}

/** An http(s) address, relative ones seen from the page; `undefined` for one of another scheme. Throws if it is no address. */
export function httpUrl(text) {
  const url = new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  return /^http/.test(url.protocol) ? url : undefined;
}
