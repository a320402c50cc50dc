/** Opens pages in a real Chromium without a screen, and collects what goes wrong in them. */

import { existsSync } from "node:fs";
import path from "node:path";

import { chromium } from "playwright-core";

import { ARTIFACTS } from "./processes.mjs";
import { RUNNING } from "./site.mjs";
import { until } from "./viewer.mjs";

const USUAL_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Nothing that phones home or asks. */
const ARGUMENTS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a browser with a fresh profile; `options` are further ones of Playwright's. */
export async function startBrowser(options = {}) {
  const executablePath = process.env.CHROME ?? process.env.CHROMIUM ?? USUAL_PLACES.find((place) => existsSync(place));
  if (!executablePath) throw new Error("there is no Chromium: set CHROME to its path");
  // Chromium refuses to run as root inside its sandbox.
  const chromiumSandbox = process.getuid?.() !== 0;
  return chromium.launch({ executablePath, args: ARGUMENTS, chromiumSandbox, timeout: 60_000, ...options });
}

/**
 * A page whose errors (exceptions, refused requests, policy violations) are gathered in `page.problems`. Here and whenever it goes somewhere
 * else or is reloaded, it is there when the module script of a page of site.mjs is over.
 */
export async function openPage(profile, url) {
  const page = await profile.newPage();
  await page.setViewportSize({ width: 1280, height: 860 });
  page.setDefaultTimeout(60_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") page.problems.push(message.text());
  });
  for (const way of ["goto", "reload"]) {
    const go = page[way].bind(page);
    page[way] = async (...args) => {
      const answer = await go(...args);
      await scriptOver(page);
      return answer;
    };
  }
  await page.goto(url, { waitUntil: "load" });
  return page;
}

/** Waits until the page that is shown has been read, and its module script is over if it is one of site.mjs. */
async function scriptOver(page) {
  const isOver = (mark) => document.readyState !== "loading" && !document.documentElement.hasAttribute(mark);
  await until(
    () => `the end of the script of ${page.url()}, whose problems are: ${page.problems.join("; ")}`,
    // Playwright's own waiting needs what strict policies forbid.
    async () => (await page.evaluate(isOver, RUNNING)) || undefined,
  );
}

/** Waits until the browser has told a page of its largest paint, which it does until somebody touches the page. */
export const painted = (page) =>
  page.evaluate(() => new Promise((resolve) => {
    new PerformanceObserver(() => resolve()).observe({ type: "largest-contentful-paint", buffered: true });
  }));

/** The element with this `data-testid`. */
export function byTestId(page, id) {
  return page.locator(`[data-testid="${id}"]`);
}

/** Clicks Checkout and waits for the outcome; answers the state (`done` or `failed`) and the trace's id. */
export async function checkOut(page) {
  await byTestId(page, "checkout").click();
  const outcome = page.locator('[data-testid="outcome"]:is([data-state="done"], [data-state="failed"])');
  await outcome.waitFor();
  return { state: await outcome.getAttribute("data-state"), traceId: await byTestId(page, "trace-id").textContent() };
}

/** Keeps a picture to look at afterwards. */
export function keepScreenshot(page, name) {
  return page.screenshot({ path: path.join(ARTIFACTS, `${name}.png`), animations: "disabled" });
}
