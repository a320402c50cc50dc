/** A Cloudflare Worker that asks another server. */

import { instrument, tracer } from "clewline/cloudflare";

const handler = {
  async fetch(request, env) {
    tracer().activeSpan()?.updateName("GET /cart").setAttribute("http.route", "/cart");
    return fetch(env.BACKEND); // a child, in the trace that the request brought
  },
};
export default instrument(handler, (env) => ({ serviceName: "edge", endpoint: env.COLLECTOR, propagateTo: [env.BACKEND] }));
