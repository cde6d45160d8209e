// What pages do beyond links and htmx. No markup is made here but bars and counts.
const byId = id => document.getElementById(id), still = matchMedia('(prefers-reduced-motion: reduce)');
const NS = 'http://www.w3.org/2000/svg';

// ---- Theme, copies, dialogs ---------------------------------------------------------------------
const theme = byId('theme');
const isDark = () => (document.documentElement.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
const showTheme = () => theme?.setAttribute('aria-pressed', isDark());
showTheme();
theme?.addEventListener('click', () => {
  const next = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = next; document.cookie = `logos_theme=${next}; Max-Age=31536000; Path=/; SameSite=Strict`; showTheme();
});
let agreed = null;
document.addEventListener('click', event => {
  const asking = event.target.closest('[data-ask]');
  if (asking && agreed !== asking) {
    event.preventDefault(); event.stopImmediatePropagation();
    const dialog = byId('ask');
    byId('ask-what').textContent = asking.dataset.ask; byId('ask-why').textContent = asking.dataset.why; byId('ask-yes').textContent = asking.dataset.yes;
    dialog.returnValue = 'no'; dialog.showModal();
    dialog.addEventListener('close', () => {
      asking.focus();
      if (dialog.returnValue === 'yes') { agreed = asking; asking.click(); agreed = null; }
    }, {once: true});
    return;
  }
  const copied = event.target.closest('[data-copy]');
  if (copied) {
    navigator.clipboard?.writeText(copied.dataset.copy);
    copied.textContent = 'Copied'; setTimeout(() => { copied.textContent = 'Copy'; }, 1500);
  }
  const act = event.target.closest('button[data-act]');
  if (act) acts[act.dataset.act]?.(act);
}, true);
document.addEventListener('click', event => {
  if (event.target.closest('[aria-disabled=true]')) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);
document.addEventListener('keydown', event => {
  if (event.key === '/' && !/^(input|textarea|select)$/i.test(event.target.tagName)) { event.preventDefault(); byId('q')?.focus(); }
  const word = event.target.closest?.('.word');
  if (word && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
    (event.key === 'ArrowLeft' ? word.previousElementSibling : word.nextElementSibling)?.querySelector('a')?.focus();
  }
});
byId('at')?.addEventListener('change', event => event.target.form.submit());
document.addEventListener('change', event => { if (event.target.dataset.act === 'submit') event.target.form.submit(); });

// ---- One polite voice: at most one message in five seconds -------------------------------------------
let spoke = 0;
function say(text) {
  if (Date.now() - spoke < 5000) return;
  spoke = Date.now(); byId('said-aloud').textContent = text;
}

// ---- The stream ---------------------------------------------------------------------------------------
const stream = byId('stream');
let staleTimer = 0, lastHeard = Date.now();
function live(yes) {
  document.documentElement.dataset.live = yes ? 'yes' : 'no';
  document.body.classList.toggle('is-stale', !yes);
  for (const one of document.querySelectorAll('.live')) one.dataset.live = yes ? 'yes' : 'no';
  byId('stale').hidden = yes;
  if (!yes) byId('stale-since').textContent = new Date(lastHeard).toLocaleTimeString([], {hour12: false});
}
function heard() { clearTimeout(staleTimer); staleTimer = 0; lastHeard = Date.now(); live(true); }
function silent() { if (!staleTimer && !document.hidden) staleTimer = setTimeout(() => { live(false); say('Not live. The figures are old.'); }, 3000); }
function ended(sentence) {
  stream?.remove(); live(false); clearTimeout(staleTimer);
  byId('stale').querySelector('p').textContent = sentence;
}
document.addEventListener('htmx:sse:after:connection', event => { if (event.target === stream && event.detail.connection.status === 200) heard(); });
document.addEventListener('htmx:sse:after:message', event => { if (event.target === stream) { lastHeard = Date.now(); trim(); tick(); } });
document.addEventListener('htmx:sse:before:connection', event => { if (event.target === stream && event.detail.connection.attempt > 0) silent(); });
document.addEventListener('htmx:sse:error', event => {
  if (event.target !== stream) return;
  if (event.detail.status === 401) ended('Your session has ended. ./logos app link prints a link to a new one.');
  else silent();
});
stream?.addEventListener('bye', event => {
  const why = JSON.parse(event.detail.data).why;
  ended(why === 'closed' ? 'Your session was closed. ./logos app link prints a link to a new one.' : 'This page is live in four other tabs. Try now continues here.');
});
stream?.addEventListener('resync', () => location.reload());
stream?.addEventListener('rates', event => { if (!held) setRates(JSON.parse(event.detail.data)); });
const pageSize = 200;
function trim() {
  // With the text between rows: a page that is left open would keep all of it.
  while (said && said.children.length > pageSize) said.lastChild.remove();
}

// ---- Lists in which rows arrive: new ones wait while the list is being read ---------------------------
const said = document.querySelector('[data-arriving]'), newOnes = byId(said?.dataset.arriving), waiting = [];
let held = false;
const isRead = () => said && (said.matches(':hover') || said.contains(document.activeElement));
if (said) new MutationObserver(changes => {
  const fresh = new Set();
  for (const change of changes) for (const row of change.addedNodes) {
    // What was just caught up with may come once more by the stream.
    if (row.id && said.querySelectorAll(`#${CSS.escape(row.id)}`).length > 1) row.remove();
    else if (row.nodeType === 1 && !row.dataset.shown) fresh.add(row);
  }
  waiting.splice(0, waiting.length, ...waiting.filter(row => row.isConnected));
  if (!held && !isRead()) { byId('said-nothing')?.remove(); showNew(); }
  else for (const row of said.children) {
    if (waiting.includes(row)) continue;
    if (!fresh.has(row)) break;
    waiting.push(row);
  }
  // Those that wait are shown by a part that comes with all rows, and there may be no others left.
  if (waiting.length && waiting.length === said.children.length) showNew();
  for (const row of waiting) if (!row.hidden) row.hidden = true;
  countNew();
}).observe(said, {childList: true, subtree: true, attributes: true, attributeFilter: ['hidden']});
function countNew() { if (newOnes) { newOnes.hidden = !waiting.length; newOnes.textContent = `${waiting.length} new`; } }
function showNew() { for (const row of waiting.splice(0)) { row.hidden = false; row.dataset.shown = '1'; } countNew(); }
for (const leaving of ['mouseleave', 'focusout']) said?.addEventListener(leaving, () => setTimeout(() => { if (!held && !isRead()) showNew(); }));
const acts = {
  hold(button) { held = !held; button.setAttribute('aria-pressed', held); if (!held) showNew(); },
  'show-new': showNew,
  dismiss(button) { setTimeout(() => button.closest('.notice')?.remove(), 0); },
  reconnect() { location.reload(); },
  follow(button) { following(button.getAttribute('aria-pressed') !== 'true'); },
  'log-end'() { following(true); },
};

// ---- What a second changes: how long ago, and what is sealed after a while -------------------------------
function ago(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}
function tick() {
  for (const one of document.querySelectorAll('[data-since]')) one.textContent = ago(Date.now() - one.dataset.since);
}
setInterval(() => { if (!document.hidden) tick(); }, 1000);
for (const one of document.querySelectorAll('[data-seal]')) setTimeout(() => {
  const bar = document.createElement('span');
  bar.className = 'sealed l'; bar.setAttribute('role', 'img'); bar.setAttribute('aria-label', 'sealed');
  one.replaceChildren(bar); say('It is sealed now.');
}, one.dataset.seal * 1000);

// ---- Logs that follow ------------------------------------------------------------------------------------
const log = byId('log'), logLines = byId('log-lines');
let atEnd = true, newLines = 0;
function following(yes) {
  byId('log-follow').setAttribute('aria-pressed', yes); atEnd = yes;
  byId('log-follow').textContent = yes ? 'Following' : 'Follow';
  if (yes) { newLines = 0; byId('log-new').hidden = true; log.scrollTop = log.scrollHeight; }
}
if (log) {
  log.scrollTop = log.scrollHeight;
  log.addEventListener('scroll', () => {
    const isLow = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    if (isLow !== atEnd) following(isLow);
  });
  new MutationObserver(changes => {
    newLines += changes.reduce((sum, change) => sum + change.addedNodes.length, 0);
    while (logLines.children.length > 2000) logLines.firstChild.remove();
    if (atEnd) { log.scrollTop = log.scrollHeight; newLines = 0; }
    const button = byId('log-new'); button.hidden = atEnd || !newLines; button.textContent = `${newLines} new lines`;
  }).observe(logLines, {childList: true});
}

// ---- The map: bars move where messages were counted ---------------------------------------------------------
const arcs = byId('arcs'), pool = [];
let rates = [], frames = [];
function setRates(next) { rates = next; if (arcs) lay(); }
function lay() {
  const wanted = [];
  for (const [a, b, messages] of rates) {
    const arc = byId(`arc-${a}-${b}`); if (!arc || !messages) continue;
    const room = Math.max(1, arc.rx.baseVal.value * 2 / 24), count = Math.min(Math.ceil(Math.log2(1 + messages)), room);
    for (let k = 0; k < count && wanted.length < 120; k++) wanted.push(arc);
  }
  while (pool.length < wanted.length) {
    const bar = document.createElementNS(NS, 'rect');
    for (const [name, value] of Object.entries({x: -7, y: -2.5, width: 14, height: 5, rx: 1.5})) bar.setAttribute(name, value);
    pool.push({bar, at: Math.random(), step: (.25 + Math.random() * .2) * (pool.length % 2 ? 1 : -1)});
  }
  const holder = byId('bars'); if (!holder) return;
  // Percentages are made pixels here, not in every frame: reading them there would lay the page out.
  const shapes = new Map(wanted.map(arc => [arc, null]));
  for (const arc of shapes.keys()) shapes.set(arc, [arc.cx.baseVal.value, arc.cy.baseVal.value, arc.rx.baseVal.value, arc.ry.baseVal.value]);
  pool.forEach((one, k) => {
    one.shape = shapes.get(wanted[k]);
    if (one.shape && one.bar.parentNode !== holder) holder.append(one.bar);
    if (!one.shape) one.bar.remove();
  });
  if (still.matches) move(0);
}
function move(seconds) {
  for (const one of pool) {
    if (!one.shape) continue;
    one.at = (one.at + one.step * seconds + 1) % 1;
    const [cx, cy, rx, ry] = one.shape, angle = Math.PI * (.96 - .92 * one.at);
    const x = cx + rx * Math.cos(angle), y = cy - ry * Math.sin(angle);
    one.bar.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${(Math.atan2(-ry * Math.cos(angle), rx * Math.sin(angle)) * 57.3).toFixed(0)})`);
  }
}
let last = 0;
function frame(now) {
  requestAnimationFrame(frame);
  if (document.hidden || held || still.matches || now - last < 30) return;
  const begun = performance.now();
  move(Math.min((now - last) / 1000, .1)); last = now;
  frames.push([now, performance.now() - begun]); if (frames.length > 900) frames.shift();
}
if (arcs) { requestAnimationFrame(frame); addEventListener('resize', lay); }
const sample = byId('sample-rates');
if (sample) setRates(JSON.parse(sample.dataset.sampleRates));
window.logosFrames = () => frames;
