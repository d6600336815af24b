'use strict';

// What a website's visitors or Umami sent is set as textContent alone, so it
// stays text whatever it holds.

const silence = 40_000; // ms; the server says something every 15 s
const $ = (id) => document.getElementById(id);
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const minuteOf = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const clock = (at) => minuteOf.format(at);
const browsers = new Map(Object.entries({ // those that Umami calls otherwise than people do
  chrome: 'Chrome', crios: 'Chrome (iOS)', 'edge-chromium': 'Edge', facebook: 'Facebook', firefox: 'Firefox',
  fxios: 'Firefox (iOS)', ios: 'Safari (iOS)', 'ios-webview': 'iOS app', opera: 'Opera', safari: 'Safari', samsung: 'Samsung',
}));
const regions = new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' });

let stream; // undefined while there is none
let heard = 0; // when the server last said something
let lost = 0; // when the connection was lost; 0 while it is there
let state; // the newest

function connect() {
  stream?.close();
  stream = new EventSource('events');
  heard = Date.now();
  stream.onmessage = (event) => {
    state = JSON.parse(event.data);
    hear();
    show();
  };
  stream.addEventListener('beat', hear);
  stream.onerror = disconnect;
}

function hear() {
  heard = Date.now();
  lost = 0;
  tell();
}

// disconnect tries again soon, but not with all other browsers at once.
function disconnect() {
  stream?.close();
  stream = undefined;
  lost ||= Date.now();
  tell();
  setTimeout(() => document.hidden || stream || connect(), 1000 + Math.random() * 2000);
}

// tell says whether the page is live. Screen readers hear it only when that
// changes.
function tell() {
  if (lost) {
    say('status', `Not live: connection lost at ${clock(lost)}. Trying again…`, 'off');
  } else if (state?.since) {
    say('status', `Not live: Umami cannot be read since ${clock(state.since)}. Trying again…`, 'off');
  } else if (!state?.ready) {
    say('status', 'Waiting for the first data…', 'waiting');
  } else {
    say('status', 'Live', 'live');
  }
}

function say(id, text, is) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
  if (is) element.dataset.is = is;
}

function show() {
  if (!state.ready) return;
  const more = state.atLeast ? '+' : '';
  say('now', state.now.toLocaleString() + more);
  say('pageviews', state.pageviews.toLocaleString());
  say('visitors', state.visitors.toLocaleString() + more);
  say('events', state.events.toLocaleString() + more);
  $('missing').hidden = !state.atLeast;
  say('missing', missing());

  draw($('chart'), state.views, state.minute, clock);
  say('chart-text', describe(state.views, state.minute, clock));
  const minutes = state.views.map((count, i) => ({ at: state.minute - (state.views.length - 1 - i) * 60_000, count }));
  fill('minutes', minutes.reverse(), (m) => m.at, (row, m) => {
    cell(row, 0, '', clock(m.at));
    cell(row, 1, 'number', m.count.toLocaleString());
  });

  fill('latest', state.latest, (v) => v.key, visit);
  for (const id of ['pages', 'referrers', 'countries']) list(id, state[id]);
}

function missing() {
  if (!state.atLeast) return '';
  const views = state.missed > 0 ? `${state.missed.toLocaleString()} page views` : 'Some visits';
  return `${views} of the last 30 minutes could not be read. Numbers with a + are at least that.`;
}

function visit(row, v) {
  const browser = browsers.get(v.browser) ?? v.browser;
  cell(row, 0, '', time.format(v.time));
  const page = cell(row, 1, 'page');
  part(page, 'event', v.event);
  part(page, 'path', v.path);
  part(page, 'title', v.title);
  part(page, 'more', [region(v.country), v.referrer, browser].filter(Boolean).join(' · '));
  page.title = v.title ? `${v.path} – ${v.title}` : v.path;
  cell(row, 2, 'wide', v.referrer);
  cell(row, 3, 'wide', region(v.country));
  cell(row, 4, 'wide', browser);
}

function list(id, counts) {
  const most = Math.max(1, ...counts.map((c) => c.count));
  fill(id, counts, (c) => c.name, (row, c) => {
    const name = id === 'countries' ? region(c.name) || 'Unknown' : c.name;
    const td = cell(row, 0, 'name');
    part(td, 'share').style.width = `${(100 * c.count) / most}%`;
    part(td, 'text', name);
    td.title = name;
    cell(row, 1, 'number', c.count.toLocaleString());
  });
}

// fill makes the rows of a table those of items. A row of which the item is
// still there stays the same element, so that whoever reads it is not thrown out.
function fill(id, items, keyOf, update) {
  const body = $(id).tBodies[0];
  const known = new Map(Array.from(body.rows, (row) => [row.dataset.key, row]));
  items.forEach((item, i) => {
    const key = String(keyOf(item));
    let row = known.get(key);
    known.delete(key);
    if (!row) {
      row = document.createElement('tr');
      row.dataset.key = key;
      row.className = 'new';
    }
    update(row, item);
    if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] ?? null);
  });
  for (const row of known.values()) row.remove();
  const empty = $(id).parentElement.querySelector('.empty');
  if (empty) {
    empty.hidden = items.length > 0;
    $(id).hidden = items.length === 0;
  }
}

function cell(row, i, className, text) {
  while (row.cells.length <= i) row.append(document.createElement('td'));
  const td = row.cells[i];
  td.className = className;
  if (text !== undefined && td.textContent !== text) td.textContent = text;
  return td;
}

// part is the piece of a cell with a class of its own.
function part(td, className, text = '') {
  let span = td.querySelector(`:scope > .${className}`);
  if (!span) {
    span = document.createElement('span');
    span.className = className;
    td.append(span);
  }
  if (span.textContent !== text) span.textContent = text;
  span.hidden = text === '' && className !== 'share';
  return span;
}

// region is a country's name; a code that is none stays as it is.
function region(code) {
  try {
    return code && regions.of(code);
  } catch {
    return code;
  }
}

// A hidden tab needs no stream. Browsers have but six connections for all tabs
// of a server.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    stream?.close();
    stream = undefined;
  } else if (!stream) {
    connect();
  }
});
addEventListener('resize', () => state?.ready && draw($('chart'), state.views, state.minute, clock));
setInterval(() => stream && Date.now() - heard > silence && disconnect(), 5000);
if (!document.hidden) connect();
