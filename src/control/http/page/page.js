// The agent's page. It shows what the recorder's writer says, and nothing else: while there is no connection it shows no
// state at all. It holds no sound; what it gets is words, levels and counts.
'use strict';

const $ = id => document.getElementById(id);
const SILENT_MS = 3000, RETRY_MS = 1000, SURE_MS = 4000, LOW_BYTES = 500e6;

let config = null, words = WORDS.en, token = null;
let calls = new Map(), chosen = null;
let live = false, heard = 0, moved = { call: null, sample: -1, at: 0 };
let sure = null, said = 0;

// ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function kept(key, value) {
  // A browser may forbid storage; the page works without.
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch { /* forbidden */ }
  return null;
}

function speak(language) {
  words = WORDS[language] ?? WORDS.en;
  document.documentElement.lang = language;
  for (const part of document.querySelectorAll('[data-word]')) part.textContent = word(part.dataset.word);
  show();
}

function word(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? (name === 'n' ? oopsSeconds() : ''));
}

function preferred(languages) {
  const wanted = [kept('language'), ...navigator.languages].filter(Boolean).map(l => l.toLowerCase().split('-')[0]);
  const norsk = l => (l === 'no' || l === 'nn' ? 'nb' : l);
  return wanted.map(norsk).find(l => languages.includes(l)) ?? languages[0] ?? 'en';
}

const clock = seconds => {
  const whole = Math.floor(seconds), two = n => String(n).padStart(2, '0');
  const hours = whole >= 3600 ? `${Math.floor(whole / 3600)}:` : '';
  return `${hours}${hours ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
};
const oopsSeconds = () => config?.oops_s ?? 10;

// ── the recorder ─────────────────────────────────────────────────────────────────────────────────────────────────────

function headers(more = {}) {
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function listen() {
  const aborted = new AbortController();
  const watch = setInterval(() => { if (Date.now() - heard > SILENT_MS) aborted.abort(); }, 250);
  heard = Date.now();
  try {
    if (!config) await configure(aborted.signal);
    const answer = await fetch('/v1/events', { headers: headers(), signal: aborted.signal, cache: 'no-store' });
    if (answer.status === 401) askForToken();
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      heard = Date.now();
      text += value;
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) take(text.slice(0, end));
    }
  } catch { /* lost: shown below */ }
  clearInterval(watch);
  live = false;
  show();
  setTimeout(listen, RETRY_MS);
}

async function configure(signal) {
  const answer = await fetch('/v1/page', { headers: headers(), signal, cache: 'no-store' });
  if (answer.status === 401) askForToken();
  if (!answer.ok) throw new Error(String(answer.status));
  config = await answer.json();
  const languages = config.languages.filter(language => WORDS[language]);
  fill($('languages'), languages.map(language => [language, WORDS[language].name]));
  fill($('purpose'), config.purposes.map(purpose => [purpose, purpose]));
  $('purpose-pick').hidden = config.purposes.length < 2;
  $('purpose-ask').hidden = config.purposes.length > 0;
  $('languages').value = preferred(languages);
  $('token-form').hidden = true;
  speak($('languages').value);
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

function take(block) {
  let event = 'message', data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    if (line.startsWith('data:')) data += line.slice(5).trim();
  }
  if (!data) return;
  const news = JSON.parse(data);
  live = true;
  if (event === 'calls') calls = new Map(news.map(state => [state.call, state]));
  if (event === 'state') calls.set(news.call, news);
  if (event === 'ended') {
    calls.delete(news.call);
    if (news.call === chosen) tell(news.error ? 'bad' : 'good', `${word('ended')} ${news.error ?? ''}`);
  }
  if (!calls.has(chosen)) chosen = calls.keys().next().value ?? null;
  show();
}

function askForToken() {
  token = null;
  $('token-form').hidden = false;
}

// ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────

// Only what changed is written, so that screen readers say it once.
function put(id, text) {
  const part = $(id);
  if (part.textContent !== text) part.textContent = text;
}

function set(id, name, value) {
  const part = $(id);
  if (part.getAttribute(name) !== String(value)) part.setAttribute(name, value);
}

function show() {
  const state = live ? calls.get(chosen) ?? null : null;
  set('link', 'data-state', live ? 'live' : 'lost');
  put('link-word', word(live ? 'connected' : config ? 'lost' : 'connecting'));
  showTrouble(state);
  showAgent(state);
  showCustomer(state);
  showTalk(state);
  showButtons(state);
  showCalls();
  const mark = !live ? '▲' : !state ? '○' : state.recording === 'recording' ? '●' : '‖';
  document.title = `${mark} ${$('agent-word').textContent} – oneside`;
}

function showTrouble(state) {
  if (state && (state.call !== moved.call || state.sample !== moved.sample)) {
    moved = { call: state.call, sample: state.sample, at: Date.now() };
  }
  let text = '';
  if (!live) text = config || heard ? word('lost_long') : '';
  else if (state?.recording === 'not_recording') text = [word('not_recording'), state.why].filter(Boolean).join(': ');
  else if (state && Date.now() - moved.at > SILENT_MS) text = word('silent');
  else if (state?.free_bytes !== undefined && state.free_bytes < LOW_BYTES) text = word('disk_low');
  if ($('trouble').hidden !== !text) $('trouble').hidden = !text;
  put('trouble', text);
}

const AGENT = {
  recording: ['on', 'agent_on', ''], paused: ['paused', 'paused', ''], private: ['private', 'private_state', ''],
  outside_window: ['off', 'outside_window', 'why_outside_window'], quarantined: ['bad', 'quarantined', 'why_quarantined'],
  not_recording: ['bad', 'not_recording', ''], idle: ['idle', 'idle', ''],
};

function showAgent(state) {
  const [look, name, why] = !live ? ['bad', 'unknown', ''] : AGENT[state?.recording ?? 'idle'] ?? ['bad', 'unknown', ''];
  set('agent', 'data-state', look);
  put('agent-word', word(name));
  put('agent-why', why ? word(why) : state?.recording === 'not_recording' ? state.why ?? '' : '');
  level('agent-level', state?.agent_dbfs);
}

function showCustomer(state) {
  let look = 'idle', name = 'idle', why = '';
  if (!live) [look, name] = ['bad', 'unknown'];
  else if (state?.customer_stored) [look, name, why] = ['on', 'customer_on', 'why_granted'];
  else if (state && state.customer_from !== undefined && state.recording === 'recording') [look, name, why] = ['soon', 'customer_soon', 'why_granted'];
  else if (state) {
    [look, name] = ['off', 'customer_off'];
    const reason = state.customer_why === 'no_decision' && !state.told ? 'not_told' : state.customer_why;
    why = words[`why_${reason}`] ? `why_${reason}` : '';
  }
  set('customer', 'data-state', look);
  put('customer-word', word(name));
  put('customer-why', why ? word(why) : '');
  level('customer-level', state?.customer_dbfs);
}

function level(id, dbfs) {
  // From -60 dBFS (nothing) to 0 (full).
  const share = Math.max(0, Math.min(1, ((dbfs ?? -96) + 60) / 60));
  $(id).firstElementChild.style.transform = `scaleX(${share.toFixed(3)})`;
  set(id, 'aria-label', `${word('level')} ${Math.round(share * 10) * 10} %`);
}

function showTalk(state) {
  const talk = (state?.talk ?? '').slice(-100), line = $('talk');
  if (line.dataset.talk !== talk) {
    line.dataset.talk = talk;
    const kinds = { s: 's', b: 'b', p: 'p' };
    line.replaceChildren(...[...talk].map(unit => {
      const part = document.createElement('i');
      part.className = `unit ${kinds[unit] ?? 'n'}`;
      return part;
    }));
  }
  put('clock', state ? clock(state.seconds) : '');
}

function showButtons(state) {
  const paused = state?.recording === 'paused', secret = state?.recording === 'private';
  for (const id of ['told', 'yes', 'no', 'withdrawn', 'pause', 'private', 'oops', 'end']) $(id).disabled = !state;
  $('oops').disabled = !state || state.mask_reach_s < 1;
  $('pause').disabled = !state || !paused && state.recording !== 'recording';
  $('told').classList.toggle('done', Boolean(state?.told));
  const standing = state?.customer_stored || state?.customer_from !== undefined;
  $('told').classList.toggle('next', Boolean(state && !state.told));
  $('yes').classList.toggle('next', Boolean(state?.told && state.customer_why === 'no_decision' && !standing));
  $('yes').classList.toggle('done', Boolean(standing));
  $('no').classList.toggle('done', state?.customer_why === 'refused');
  $('withdrawn').classList.toggle('done', state?.customer_why === 'withdrawn');
  set('pause', 'aria-pressed', paused);
  set('private', 'aria-pressed', secret);
  label('pause', paused ? 'resume' : 'pause');
  label('private', secret ? 'private_end' : 'private');
  label('end', sure ? 'end_sure' : 'end_call');
  $('end').classList.toggle('sure', Boolean(sure));
  $('start-part').hidden = !(live && config?.can_open && calls.size === 0);
}

const label = (id, name) => {
  const part = $(id).querySelector('.label'), text = word(name);
  if (part.textContent !== text) part.textContent = text;
};

function showCalls() {
  const names = [...calls.keys()], pick = $('calls');
  $('calls-pick').hidden = names.length === 0;
  const listed = [...pick.options].map(option => option.value);
  if (names.join('\n') !== listed.join('\n')) fill(pick, names.map(name => [name, name]));
  if (chosen !== null && pick.value !== chosen) pick.value = chosen;
}

function tell(look, text) {
  clearTimeout(said);
  set('said', 'data-state', look);
  put('said', text);
  if (look === 'good') said = setTimeout(() => { set('said', 'data-state', ''); put('said', ''); }, 8000);
}

// ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

async function ask(button, path, body, method = 'POST') {
  const what = button.querySelector('.label').textContent.replace(/[:!?].*/, '');
  if (button.classList.contains('waiting')) return null;
  button.classList.add('waiting');
  try {
    const sent = { method, headers: headers({ 'Content-Type': 'application/json' }), body: JSON.stringify(body), cache: 'no-store' };
    const answer = await fetch(path, sent);
    const got = await answer.json();
    if (answer.status === 401) askForToken();
    if (answer.ok) return { what, got };
    const reason = words[`r_${got.answer?.refusal ?? got.code}`] ?? `${got.title} (${got.remedy})`;
    tell('bad', got.code === 'no_answer' ? word('no_answer', { what }) : `${word('failed', { what })} ${reason}`);
  } catch {
    tell('bad', word('no_answer', { what }));
  } finally {
    button.classList.remove('waiting');
  }
  return null;
}

async function event(button, kind, body = {}) {
  if (chosen === null) return;
  const done = await ask(button, `/v1/calls/${encodeURIComponent(chosen)}/${kind}`, body);
  if (!done) return;
  const { what, got } = done;
  tell('good', word(got.outcome === 'unchanged' ? 'unchanged' : 'done', { what, at: clock(got.seconds) }));
}

function yes(button) {
  const text = $('purpose-text').value.trim();
  const purpose = config.purposes.length > 0 ? $('purpose').value : text;
  if (!purpose) {
    tell('bad', word('name_purpose'));
    $('purpose-text').focus();
    return;
  }
  event(button, 'granted', { act: 'spoken_yes', purpose });
}

async function end(button) {
  if (!sure) {
    sure = setTimeout(() => { sure = null; show(); }, SURE_MS);
    show();
    return;
  }
  clearTimeout(sure);
  sure = null;
  const done = await ask(button, `/v1/calls/${encodeURIComponent(chosen)}/close`, {});
  if (done) tell('good', word('ended'));
  show();
}

async function start(button) {
  const done = await ask(button, '/v1/calls', {});
  if (!done) return;
  chosen = done.got.call;
  tell('good', word('opened'));
}

const state = () => calls.get(chosen);
const ACTIONS = {
  told: b => event(b, 'told', { notice: config.notice, version: config.version }),
  yes,
  no: b => event(b, 'refused'),
  withdrawn: b => event(b, 'withdrawn'),
  pause: b => event(b, state()?.recording === 'paused' ? 'resumed' : 'paused'),
  private: b => event(b, state()?.recording === 'private' ? 'private_ended' : 'private'),
  oops: b => event(b, 'masked', { seconds: oopsSeconds() }),
  end, start,
};

// ── begin ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function begin() {
  // A softphone may open the page with #token=…: what stands behind # is never sent anywhere.
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  try {
    if (given) sessionStorage.setItem('token', given);
    token = sessionStorage.getItem('token');
  } catch { token = given; }
  if (given) history.replaceState(null, '', location.pathname);
  for (const [id, action] of Object.entries(ACTIONS)) $(id).addEventListener('click', () => action($(id)));
  document.addEventListener('keydown', pressed);
  $('calls').addEventListener('change', () => { chosen = $('calls').value; show(); });
  $('languages').addEventListener('change', () => { kept('language', $('languages').value); speak($('languages').value); });
  $('keys').checked = kept('keys') !== 'off';
  const keys = () => document.body.classList.toggle('no-keys', !$('keys').checked);
  $('keys').addEventListener('change', () => { kept('keys', $('keys').checked ? 'on' : 'off'); keys(); });
  keys();
  $('token-form').addEventListener('submit', submitted => {
    submitted.preventDefault();
    token = $('token').value.trim();
    try { sessionStorage.setItem('token', token); } catch { /* forbidden: it is kept as long as the page */ }
    $('token').value = '';
    $('token-form').hidden = true;
  });
  speak(preferred(Object.keys(WORDS)));
  setInterval(show, 500);
  listen();
}

function pressed(key) {
  const typing = key.target.closest('input:not([type=checkbox]), select, textarea');
  if (!$('keys').checked || typing || key.repeat || key.ctrlKey || key.altKey || key.metaKey) return;
  const button = [...document.querySelectorAll('button[data-key]')].find(b => b.dataset.key === key.key.toUpperCase());
  if (!button || button.disabled || button.closest('[hidden]')) return;
  key.preventDefault();
  button.click();
}

begin();
