/** A site that serves the npm package and a test's pages, and a collector on an origin of its own that keeps what arrives. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { decode } from "../../../wasm/tests/js/support.mjs";

export const DIST = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../wasm/dist");
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm", ".css": "text/css" };

async function listen(handle) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => void handle(request, response, Buffer.concat(chunks)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async end() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/**
 * Starts a site. `pages` are answers by path: a text, `{ body, headers, status, type }`, or a function of the request that answers one.
 * Answers `{ url, requests, end }`; `requests` are those that were not for files.
 */
export async function startSite(pages) {
  const requests = [];
  const server = await listen(async (request, response, body) => {
    const { pathname } = new URL(request.url, "http://site");
    const file = /^\/clewline\/([\w.-]+)$/.exec(pathname)?.[1];
    if (file) {
      try {
        const bytes = readFileSync(path.join(DIST, file));
        response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "text/plain" });
        return response.end(bytes);
      } catch {
        response.writeHead(404);
        return response.end();
      }
    }
    requests.push({ method: request.method, path: pathname, url: request.url, headers: request.headers, body });
    const given = pages[pathname];
    const answer = typeof given === "function" ? await given(request, response, body) : given;
    if (answer === null) return;
    const { status = 200, headers = {}, type, body: content } = typeof answer === "string" ? { body: answer } : (answer ?? { status: 404, body: "" });
    response.writeHead(status, { "content-type": type ?? TYPES[path.extname(pathname)] ?? "text/html", ...headers });
    response.end(content);
  });
  return { ...server, requests };
}

/**
 * Starts a collector that any origin may send to. Change `state` while it runs: `preflightDelay` in milliseconds, `status`, `headers` and
 * `body` to answer with, and `down`, which drops connections. `spans()` are those that were answered with 200.
 */
export async function startCollector() {
  const state = { preflightDelay: 0, status: 200, headers: {}, body: "", down: false };
  const requests = [];
  const preflights = [];
  const server = await listen(async (request, response, body) => {
    if (state.down) return response.destroy();
    const cors = {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "content-type, content-encoding, x-api-key, traceparent",
      "access-control-expose-headers": "retry-after",
    };
    if (request.method === "OPTIONS") {
      preflights.push(request.headers["access-control-request-headers"] ?? "");
      await new Promise((resolve) => setTimeout(resolve, state.preflightDelay));
      response.writeHead(204, cors);
      return response.end();
    }
    if (request.method === "POST" && request.url === "/v1/traces") {
      const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      requests.push({ status: state.status, headers: request.headers, wire: body.length, bytes });
    }
    response.writeHead(state.status, { ...cors, ...state.headers });
    response.end(state.body);
  });
  const decoded = () =>
    requests
      .filter(({ status, headers }) => status === 200 && headers["content-type"] === "application/x-protobuf")
      .map(({ bytes }) => decode(bytes));
  return {
    ...server,
    state,
    requests,
    preflights,
    /** Every span that was taken, oldest request first. */
    spans: () => decoded().flatMap(({ spans }) => spans),
    /** The same with their resources, by request. */
    decoded,
  };
}

/** What a page carries from its first byte until its module script is over, which a browser calls loaded before: it waits for no `await` of it. */
export const RUNNING = "data-running";

/** A page that runs a module script, which has to come to its end: `openPage` waits for that. */
export const page = (script, head = "", body = "") =>
  `<!doctype html><html ${RUNNING}><head><meta charset="utf-8"><link rel="icon" href="data:,">${head}</head><body>${body}<script type="module">${script};
document.documentElement.removeAttribute("${RUNNING}");</script></body></html>`;
