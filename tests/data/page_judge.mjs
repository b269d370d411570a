// Opens pages in a Chromium, on a desktop and on a phone, light and dark, and prints what axe-core has against them, what
// the console says, what is loaded, and by how much a page is wider than the screen.
// Arguments: the directory of node's modules, that of the pages, the browser.
import { readdirSync, readFileSync } from "node:fs";
const [modules, pages, browser] = process.argv.slice(2);
const { default: puppeteer } = await import(`${modules}/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js`);
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");
const chromium = await puppeteer.launch({ executablePath: browser, args: ["--no-sandbox"], headless: true });
for (const name of readdirSync(pages).filter((each) => each.endsWith(".html"))) {
  for (const width of [1440, 390]) {
    for (const scheme of ["light", "dark"]) {
      const page = await chromium.newPage();
      const said = [], loaded = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(error.message));
      page.on("request", (request) => loaded.push(request.url()));
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(`file://${pages}/${name}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      const against = violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 120)}`);
      const others = loaded.filter((each) => !each.endsWith(name) && !each.startsWith("data:")).map((each) => each.slice(0, 120));
      console.log(JSON.stringify({ name, width, scheme, against, said, others, wider }));
      await page.close();
    }
  }
}
await chromium.close();
