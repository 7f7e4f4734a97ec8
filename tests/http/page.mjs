// The agent's page in a real Chromium, over calls that nobody makes: a click on yes reaches the writer, keys work, a lost
// recorder is shown as lost, nothing is refused by the page's own policy. Screenshots go to target/browser/.
//
//   cargo build --example http_desk
//   (mkdir -p target/browser && cd target/browser && npm install playwright-core)
//   node tests/http/page.mjs          CHROMIUM=/usr/bin/chromium by default
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
const shots = path.join(root, 'target/browser');
const { chromium } = createRequire(path.join(shots, 'x.js'))('playwright-core');

const desk = spawn(path.join(target, 'debug/examples/http_desk'), ['127.0.0.1:0'], { stdio: ['pipe', 'pipe', 'inherit'] });
const url = await new Promise(told => desk.stdout.once('data', line => told(String(line).trim())));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const complaints = [];

async function open(locale, width = 1100, height = 960) {
  const page = await (await browser.newContext({ locale, viewport: { width, height } })).newPage();
  page.on('console', message => complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(url);
  await page.waitForSelector('#link[data-state=live]');
  return page;
}
const reads = (page, id, text) => page.waitForFunction(([i, t]) => document.getElementById(i).textContent.includes(t), [id, text], { timeout: 5000 });

try {
  const page = await open('en-GB');
  await reads(page, 'agent-word', 'No call');
  await page.screenshot({ path: path.join(shots, 'idle.png') });
  await page.keyboard.press('s');
  await reads(page, 'agent-word', 'Recorded');
  await page.click('#yes');
  await reads(page, 'said', 'must be told first');
  assert.equal(await page.textContent('#customer-word'), 'Not recorded');
  complaints.length = 0; // Chromium notes the 409 on its console.
  await page.keyboard.press('t');
  await reads(page, 'said', 'Customer was told: done');
  await page.click('#yes');
  await reads(page, 'customer-word', 'Recorded');
  await page.waitForTimeout(6000);
  await page.screenshot({ path: path.join(shots, 'yes.png') });
  const narrow = await open('sv-SE', 420, 1000);
  await narrow.click('#pause');
  await reads(narrow, 'agent-word', 'Pausad');
  await reads(page, 'agent-word', 'Paused');
  await narrow.screenshot({ path: path.join(shots, 'narrow.png'), fullPage: true });
  for (const [locale, words] of [['da-DK', 'På pause'], ['nb-NO', 'På pause'], ['sl-SI', 'Začasno ustavljeno'], ['fr-FR', 'Paused']]) {
    const other = await open(locale);
    await reads(other, 'agent-word', words);
    await other.screenshot({ path: path.join(shots, `${locale}.png`) });
    await other.close();
  }
  await narrow.click('#pause');
  await page.keyboard.press('v');
  await reads(page, 'agent-word', 'Private');
  await page.keyboard.press('v');
  await reads(page, 'customer-word', 'Recorded');
  await page.keyboard.press('w');
  await reads(page, 'customer-word', 'Not recorded');
  await page.uncheck('#keys');
  await page.keyboard.press('p');
  await page.waitForTimeout(400);
  assert.equal(await page.textContent('#agent-word'), 'Recorded', 'keys that are off do nothing');
  assert.deepEqual(complaints, []);
  desk.stdin.end();
  await reads(page, 'trouble', 'No connection to the recorder');
  assert.equal(await page.textContent('#agent-word'), 'Unknown');
  await page.screenshot({ path: path.join(shots, 'lost.png') });
  console.log('the page does what it says');
} finally {
  await browser.close();
  desk.kill();
}
