// A browser for tests that are written in Python: one JSON line in, one out, in order.
//
//   {"do": "open", "options": {…}}                      a context of its own (a person's browser) → its number
//   {"do": "tab", "in": context}                        a page in it → its number
//   {"do": "call", "on": page, "chain": [[method, …]]}  methods of Playwright, one after the other → what the last says
//   {"do": "download", "on": page, "chain": [[…]]}      the same, and what is downloaded by it → {name, text}
//   {"do": "picture", "on": page, "to": file}           what is seen of it, as a small PNG
//   {"do": "axe", "on": page}                           what axe-core finds
//   {"do": "memory", "on": page, "text": "…"}           whether a text is in the page's memory, garbage taken out
//   {"do": "cut", "in": context, "path": "/v1/…"}       nothing below this path is reached by its pages from now on
//   {"do": "spoil", "in": context, "path": …, "body": …} what is below this path answers with this text
//   {"do": "mend", "in": context}                       everything is again
//   {"do": "troubles", "in": context, "of": "…"}        what a page must not do and has done since the last time
//   {"do": "evidence", "in": context, "to": folder}     screenshot, DOM, console of each page, into files
//   {"do": "close", "in": context}
//
// What goes wrong is answered as {"error": text}. Ends with its input.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { smaller } from "./smaller.mjs";

const [executablePath, timeoutText] = process.argv.slice(2);
const timeoutMs = Number(timeoutText);
// As if the server were far away: what a page's requests wait for, in ms. Finds what does not wait for an answer.
const slowMs = Number(process.env.BROWSER_SLOW_MS ?? 0);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
// The browser says this of each refusal, whether the page expects it or not. 503: mail cannot be sent.
const REFUSED = /^Failed to load resource: the server responded with a status of (4\d\d|503)/;

const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
const contexts = [];
const pages = [];

const watch = (kept, page) => {
  const said = { page, log: [] };
  kept.pages.push(said);
  const trouble = (text) => kept.troubles.push(text);
  page.on("console", (message) => {
    const { url } = message.location();
    said.log.push(`${message.type()}: ${message.text()} (${url})`);
    const path = new URL(url || kept.origin).pathname;
    const isRefusal = REFUSED.test(message.text()) && path.startsWith("/v1/");
    const isCut = kept.cut.some((each) => path.startsWith(each));
    if (["error", "warning"].includes(message.type()) && !isRefusal && !isCut) trouble(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => {
    said.log.push(`error: ${error.stack}`);
    trouble(`uncaught: ${error.message}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    said.log.push(`${request.method()} ${url.pathname}`);
    if (["http:", "https:", "ws:", "wss:"].includes(url.protocol) && url.origin !== kept.origin) trouble(`request to ${url}`);
  });
  page.on("dialog", (dialog) => {
    said.log.push(`dialog ${dialog.type()}: ${dialog.message()}`);
    void dialog.accept();
  });
};

const late = async (route) => {
  await new Promise((done) => setTimeout(done, slowMs));
  await route.continue().catch(() => {}); // its page may have been closed meanwhile
};

const told = (value) => {
  if (Array.isArray(value)) return value.map(told);
  if (value !== null && typeof value === "object") {
    if ("$regex" in value) return new RegExp(value.$regex, value.flags ?? "");
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, told(each)]));
  }
  return value;
};

const run = async (page, chain) => {
  let found = page;
  for (const [method, ...given] of chain) {
    if (typeof found[method] !== "function") found = found[method];
    else found = await found[method](...told(given));
  }
  return found;
};

const plain = (value) => {
  if (value === undefined || value === null) return null;
  if (Buffer.isBuffer(value)) return value.toString("base64");
  return ["string", "number", "boolean"].includes(typeof value) || value.constructor === Object || Array.isArray(value)
    ? value
    : null;
};

const acts = {
  open: async ({ options, origin }) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(timeoutMs);
    const kept = { context, origin, pages: [], troubles: [], cut: [] };
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy: ${event.violatedDirective} refuses ${event.blockedURI}`);
      });
    });
    context.on("page", (page) => watch(kept, page));
    if (slowMs > 0) await context.route((url) => url.pathname.startsWith("/v1/"), late);
    return contexts.push(kept) - 1;
  },
  tab: async (said) => pages.push(await contexts[said.in].context.newPage()) - 1,
  call: async ({ on, chain }) => plain(await run(pages[on], chain)),
  context: async (said) => plain(await run(contexts[said.in].context, said.chain)),
  download: async ({ on, chain }) => {
    const [download] = await Promise.all([pages[on].waitForEvent("download"), run(pages[on], chain)]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  },
  picture: async ({ on, to }) => {
    writeFileSync(to, smaller(await pages[on].screenshot({ animations: "disabled", caret: "hide" })));
  },
  axe: async ({ on }) => {
    await pages[on].evaluate(axe);
    const found = await pages[on].evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.map(({ id, impact, help, nodes }) => ({
      id, impact, help, where: nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
    }));
  },
  memory: async ({ on, text }) => {
    const session = await pages[on].context().newCDPSession(pages[on]);
    const parts = [];
    session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => parts.push(chunk));
    await session.send("HeapProfiler.enable");
    await session.send("HeapProfiler.collectGarbage");
    await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    await session.detach();
    return parts.join("").includes(text);
  },
  cut: async (said) => {
    const kept = contexts[said.in];
    kept.cut.push(said.path);
    await kept.context.route((url) => url.pathname.startsWith(said.path), (route) => route.abort());
  },
  spoil: async (said) => {
    const { context } = contexts[said.in];
    const answer = { status: 200, contentType: "application/json", body: said.body };
    await context.route((url) => url.pathname.startsWith(said.path), (route) => route.fulfill(answer));
  },
  mend: async (said) => contexts[said.in].context.unrouteAll(),
  troubles: async (said) => contexts[said.in].troubles.splice(0),
  evidence: async (said) => {
    mkdirSync(said.to, { recursive: true });
    const made = [];
    for (const [number, { page, log }] of contexts[said.in].pages.entries()) {
      if (page.isClosed()) continue;
      const begin = `${said.to}/${said.name}-${number}`;
      await page.screenshot({ path: `${begin}.png`, fullPage: true });
      writeFileSync(`${begin}.html`, `<!-- ${page.url().split("#")[0]} -->\n${await page.content()}`);
      writeFileSync(`${begin}.log`, `${log.join("\n")}\n`);
      made.push(`${begin}.png`, `${begin}.html`, `${begin}.log`);
    }
    return made;
  },
  close: async (said) => contexts[said.in].context.close(),
};

process.stdout.write(`${JSON.stringify({ value: browser.version() })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await acts[said.do](said)) ?? null };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
