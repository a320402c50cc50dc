/** Measures one case, in Node.js or in a page alike: nanoseconds a span, milliseconds an export, least of all rounds. */

const SPANS = 512;
const ROUNDS = 150;

/** What a request to a server says, as the semantic conventions name it. */
const FOUR = { "http.request.method": "GET", "url.path": "/cart/17", "http.response.status_code": 200, "cart.open": true };
const EIGHT = { ...FOUR, "server.address": "shop.example", "server.port": 443, "network.protocol.version": "2", "user.tier": "gold" };

/** Calls `work` until it has been optimised, and then again; the least time a call took, and what it answered last. */
function least(work, prepare) {
  let best = Infinity;
  let answer;
  for (let round = 0; round < ROUNDS; round++) {
    prepare();
    const start = performance.now();
    answer = work();
    best = Math.min(best, performance.now() - start);
  }
  return [best, answer];
}

const record = (tracer, attributes) => () => {
  for (let index = 0; index < SPANS; index++) tracer.span("GET /cart/{id}", attributes);
};

/** All figures of a case. */
export async function measure({ open }) {
  let tracer = open(1);
  const [spans] = least(record(tracer, FOUR), tracer.encode);
  const [encode, bytes] = least(tracer.encode, record(tracer, EIGHT));
  await tracer.close();
  tracer = open(0);
  const [unsampled] = least(record(tracer, FOUR), () => {});
  await tracer.close();
  const now = least(() => { for (let index = 0; index < SPANS; index++) performance.now(); }, () => {})[0];
  const nanoseconds = (time) => (time * 1e6) / SPANS;
  return { span: nanoseconds(spans), unsampled: nanoseconds(unsampled), encode, bytes, clock: 2 * nanoseconds(now) };
}
