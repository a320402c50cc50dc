/**
 * Delivers what is left when a process ends: by itself, by `process.exit`, or by an error that nobody caught.
 *
 * At that moment no promise is kept any more, so another thread sends while this one waits, for a bounded time. Signals are the
 * program's business: a listener of ours would change what they do.
 */

import process from "node:process";
import { Worker } from "node:worker_threads";

import { LARGEST } from "./module.mjs";
import { dispatch, next, wrapSend } from "./transport.mjs";

/** How long the end of a process waits for a collector, in milliseconds. */
const LIMIT = 5000;

/** What the other thread runs: `answers` holds the status of each request, and last whether all are done. */
const PROGRAM = `
const { requests, answers } = require("node:worker_threads").workerData;
const last = requests.length;
const send = async ([address, init], index) => (answers[index] = (await fetch(address, init)).status);
Promise.allSettled(requests.map(send)).then(() => { Atomics.store(answers, last, 1); Atomics.notify(answers, last); });`;

/** Requests that are on their way, `[address, init]`: at the end nobody knows whether they arrived, so they are sent again. */
const flying = new Set();
let listening, ending;

/** The instrumentation that is first in the list, so that it sees requests as they leave. */
export function deliverAtExit() {
  wrapSend((send) => (address, init) => {
    const request = [address, init];
    flying.add(request);
    if (ending) return new Promise(() => {});
    return send.call(globalThis, address, init).finally(() => flying.delete(request));
  });
  if (listening) return;
  // For good: a process may also end while `shutdown` waits.
  listening = true;
  process.on("exit", end);
  // Deno tells nobody that it exits because of an error.
  if (globalThis.Deno) for (const type of ["error", "unhandledrejection"]) globalThis.addEventListener(type, end);
}

function end() {
  ending = true;
  for (let request; (request = next(LARGEST)); ) void dispatch(request, { later: true });
  ending = false;
  const requests = [...flying];
  flying.clear();
  if (requests.length) warn(requests, deliver(requests));
}

/** Sends requests while this thread waits; answers their statuses, 0 for none. */
function deliver(requests) {
  const answers = new Int32Array(new SharedArrayBuffer(4 * (requests.length + 1)));
  const plain = requests.map(([address, { method, headers, body }]) => [address, { method, headers, body }]);
  try {
    new Worker(PROGRAM, { eval: true, execArgv: [], stdout: true, workerData: { requests: plain, answers } });
    Atomics.wait(answers, requests.length, 0, LIMIT);
  } catch {
    // A host that allows no thread.
  }
  return answers;
}

function warn(requests, answers) {
  const lost = requests.filter((_, index) => answers[index] < 200 || answers[index] > 299).reduce((sum, [, { request }]) => sum + request.spans, 0);
  if (lost) console.warn(`clewline: the process ended before ${lost} spans were delivered`);
}
