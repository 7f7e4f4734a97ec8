// A click on yes and a click on withdrawn in a real Chromium, over a real call. Prints what the page showed.
//
//   node tests/http/yes.mjs URL      CHROMIUM=/usr/bin/chromium by default; playwright-core below target/browser/
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const shots = path.resolve(import.meta.dirname, '../../target/browser');
const { chromium } = createRequire(path.join(shots, 'x.js'))('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await (await browser.newContext({ locale: 'en-GB', viewport: { width: 1100, height: 960 } })).newPage();
  await page.goto(process.argv[2]);
  await page.waitForSelector('#link[data-state=live]');
  const reads = (id, text) => page.waitForFunction(([i, t]) => document.getElementById(i).textContent.includes(t), [id, text], { timeout: 10000 });
  await reads('agent-word', 'Recorded');
  assert.equal(await page.textContent('#customer-word'), 'Not recorded');
  await page.click('#told');
  await reads('said', 'Customer was told: done');
  await page.click('#yes');
  await reads('customer-word', 'Recorded');
  await page.waitForTimeout(2000);
  await page.screenshot({ path: path.join(shots, 'live-yes.png') });
  await page.click('#withdrawn');
  await page.waitForFunction(() => document.getElementById('customer-word').textContent === 'Not recorded', null, { timeout: 10000 });
  await page.screenshot({ path: path.join(shots, 'live-withdrawn.png') });
  console.log('the page was steered');
} finally {
  await browser.close();
}
