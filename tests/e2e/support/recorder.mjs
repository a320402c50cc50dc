/** Stands between the senders and the viewer: keeps the bytes of every request with spans and passes everything on unchanged. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { ARTIFACTS, OTLP_JSON } from "./processes.mjs";

/** Starts a recorder in front of `viewer`; answers `{ url, requests, decoded(), end }`. */
export async function startRecorder(viewer, name) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (request.method === "POST" && request.url === "/v1/traces") keep(request.headers, body);
      const onward = http.request(viewer.url + request.url, { method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      onward.end(body);
    });
  });

  function keep(headers, body) {
    const bytes = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    const from = headers.origin ? "browser" : "server";
    const file = path.join(ARTIFACTS, `${name}-${from}-${requests.length}.bin`);
    writeFileSync(file, bytes);
    requests.push({ from, type: headers["content-type"], bytes });
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    /** Every span that left `from` ("browser" or "server"), decoded by OpenTelemetry's own messages, with its resource. */
    async decoded(from) {
      const mine = requests.filter((request) => request.from === from);
      const messages = await Promise.all(mine.map((request) => decode(request.bytes)));
      return messages.flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ resource, scopeSpans }) =>
          scopeSpans.flatMap(({ scope, spans }) => spans.map((span) => ({ resource, scope, span })))));
    },
    async end() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function decode(bytes) {
  const child = spawn(OTLP_JSON, { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  let problems = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (problems += text));
  child.stdin.end(bytes);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`OpenTelemetry's messages do not read these bytes: ${problems}`);
  return JSON.parse(output);
}
