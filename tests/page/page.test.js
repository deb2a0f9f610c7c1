// What a browser makes of the page: what it loads and shows, that it follows the cluster and
// survives a restart, and that people can use it without a mouse, without eyes, without scripts.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import axe from "axe-core";
import { chromium } from "playwright-core";

import { Demo, freePort } from "./demo.js";

const PICTURES = fileURLToPath(new URL("../../target/page/", import.meta.url));
const SECTIONS = [
  "Watches",
  "Pods by phase",
  "API latency",
  "Latest warnings",
  "Restarts and OOM kills",
  "Objects by kind and namespace",
  "Who we are, and until when",
  "Rights",
  "Auth failures",
];
const DESKTOP = { width: 1280, height: 900 };
const TELEPHONE = { width: 390, height: 844 };
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser;
let demo;

before(async () => {
  await mkdir(PICTURES, { recursive: true });
  demo = new Demo(await freePort());
  await demo.start();
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: FLAGS });
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

// Opens the page; `page.troubles` is what went wrong in it, `page.outside` whom else it asked.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  page.troubles = [];
  page.outside = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      page.troubles.push(message.text());
    }
  });
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${demo.url}/`)) {
      page.outside.push(request.url());
    }
  });
  const answer = await page.goto(`${demo.url}/`);
  assert.equal(answer.status(), 200);
  return page;
}

async function close(page) {
  assert.deepEqual(page.troubles, []);
  assert.deepEqual(page.outside, []);
  await page.context().close();
}

const isLive = () => document.documentElement.dataset.link === "live";
const isDrawn = () => document.querySelector("#chart canvas") !== null;

test("it loads, says how it goes, and asks nobody else", async () => {
  const page = await open();
  await page.waitForFunction(isLive);
  assert.equal(await page.textContent("h1"), "Everything is watched.");
  assert.equal(await page.textContent(".verdict p"), "1 kind is forbidden: secrets.");
  assert.deepEqual(await page.locator("h2").allTextContents(), SECTIONS);
  assert.match(await page.textContent("#rights"), /resources: \[secrets\], verbs: \[list, watch\]/);
  assert.match(await page.title(), /^Everything is watched\./);
  await page.waitForFunction(isDrawn);
  await close(page);
});

test("it follows the cluster, and leaves focus where it is", async () => {
  const page = await open();
  const table = page.locator("#watches .scroll");
  await table.focus();
  const shown = () => page.textContent("#pods");
  const first = await shown();
  await page.waitForFunction((old) => document.querySelector("#pods").textContent !== old, first);
  assert.notEqual(await shown(), first);
  assert.ok(await table.evaluate((element) => element === document.activeElement));
  assert.ok((await page.locator("#chart .uplot").count()) <= 1);
  await close(page);
});

test("it survives a restart of the daemon", async () => {
  const page = await open();
  await page.waitForFunction(isLive);
  const loads = [];
  page.on("load", () => loads.push(page.url()));
  await demo.stop();
  await page.waitForFunction(() => document.documentElement.dataset.link === "lost");
  assert.match(await page.textContent("#live"), /^connection lost at .*; what is shown is old$/);
  // Nobody listens for a moment, which a browser calls an error of its own.
  await demo.start();
  await page.waitForFunction(isLive);
  const old = await page.textContent("#process");
  await page.waitForFunction((old) => document.querySelector("#process").textContent !== old, old);
  const gone = /ERR_(CONNECTION|INCOMPLETE|EMPTY)/;
  const unexpected = page.troubles.filter((text) => !gone.test(text));
  assert.deepEqual([unexpected, loads, page.outside], [[], [], []]);
  await page.context().close();
});

test("it can be read without scripts", async () => {
  const page = await open({ javaScriptEnabled: false });
  assert.equal(await page.textContent("h1"), "Everything is watched.");
  assert.deepEqual(await page.locator("h2").allTextContents(), SECTIONS);
  assert.ok((await page.locator("tbody tr").count()) > 20);
  assert.equal(await page.locator("#live").isVisible(), false);
  await close(page);
});

test("a keyboard is enough", async () => {
  const page = await open();
  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement.textContent);
  assert.equal(focused, "Skip to the verdict");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  const label = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  assert.match(label, /^What is watched/);
  await close(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of Object.entries({ desktop: DESKTOP, telephone: TELEPHONE })) {
    test(`${colorScheme} on a ${name}: axe finds no fault and nothing is cut off`, async () => {
      const page = await open({ colorScheme, viewport });
      await page.waitForFunction(isLive);
      await page.waitForFunction(isDrawn);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => window.axe.run());
      const told = violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html]);
      assert.deepEqual(told, []);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= viewport.width, `${width} pixels in ${viewport.width}`);
      await page.screenshot({ path: `${PICTURES}${colorScheme}-${name}.png`, fullPage: true });
      await close(page);
    });
  }
}
