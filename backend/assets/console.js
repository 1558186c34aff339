// Keeps the page alive. Whatever comes from the backend is put in place by textContent alone.
"use strict";

const MOST_CARDS = 500;
const STATUS_EVERY_MS = 10_000;
const REFRESH_AFTER_MS = 500;
const DOWN_AFTER_MS = 4_000;
// A sensor tells a minute later how often an alert came again.
const COUNTED_AFTER_MS = 65_000;
const COMPLETE_AFTER_MS = [3_000, 15_000, 60_000];

const element = (id) => document.getElementById(id);
const list = element("alert-list");
const live = document.body.dataset.live === "yes";

// ---- Filling templates ----

function fill(node, data) {
  for (const child of [...node.children]) {
    const { list: rows, field } = child.dataset;
    if (rows !== undefined) {
      fillRows(child, data[rows]);
    } else if (field !== undefined) {
      fillField(child, data[field]);
    } else {
      fill(child, data);
    }
  }
}

function fillRows(node, rows) {
  const pattern = node.firstElementChild;
  node.replaceChildren(...rows.map((row) => {
    const filled = pattern.cloneNode(true);
    if (filled.dataset.field !== undefined) {
      fillField(filled, row[filled.dataset.field]);
    } else {
      fill(filled, row);
    }
    if (row.depth !== undefined) {
      filled.dataset.depth = row.depth;
    }
    return filled;
  }));
  node.hidden = rows.length === 0;
  const section = node.parentElement;
  if (section.tagName === "SECTION") {
    section.hidden = rows.length === 0;
  }
}

function fillField(node, value) {
  if (node.tagName === "TIME") {
    node.dateTime = value.iso;
    node.textContent = value.utc;
    showTime(node);
    return;
  }
  node.textContent = value;
  node.hidden = value === "";
}

function fromTemplate(id, data) {
  const node = element(id).content.firstElementChild.cloneNode(true);
  fill(node, data);
  return node;
}

function alertNode(card) {
  const node = fromTemplate("alert-template", card);
  node.dataset.id = card.id;
  node.dataset.priority = card.priority;
  node.toggleAttribute("data-incomplete", card.incomplete);
  const address = `/api/v1/alerts/${encodeURIComponent(card.id)}`;
  node.querySelector(".json").href = address;
  node.querySelector(".ocsf").href = `${address}/ocsf`;
  return node;
}

// ---- Times, in the reader's own zone ----

function ago(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

function showTime(node) {
  const moment = new Date(node.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const age = Date.now() - moment;
  const clock = age < 86_400_000
    ? moment.toLocaleTimeString([], { hour12: false })
    : moment.toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  node.textContent = node.closest(".sensor") ? ago(age) : `${clock} · ${ago(age)}`;
  node.title = `${moment.toLocaleString()} (${moment.toISOString()})`;
}

function showTimes() {
  document.querySelectorAll("time").forEach(showTime);
}

// ---- New alerts ----

const known = new Set([...list.children].map((node) => node.dataset.id));
let waiting = [];
let unseen = 0;

function arrived(card) {
  if (known.has(card.id)) return;
  known.add(card.id);
  waiting.push(card);
  if (waiting.length > MOST_CARDS) {
    known.delete(waiting.shift().id);
  }
  if (document.hidden) {
    unseen += 1;
    document.title = `(${unseen}) Alerts · Defender`;
  }
  // Who reads further down must not have the page move away below the eyes.
  if (window.scrollY < 240) {
    showWaiting();
  } else {
    const button = element("show-new");
    button.textContent = waiting.length === 1 ? "1 new alert" : `${waiting.length} new alerts`;
    button.hidden = false;
  }
}

function showWaiting() {
  if (waiting.length === 0) return;
  for (const card of waiting) {
    const node = alertNode(card);
    node.classList.add("fresh");
    place(node);
    if (card.incomplete) completeLater(card.id);
    setTimeout(() => renew(card.id), COUNTED_AFTER_MS);
  }
  const last = waiting[waiting.length - 1];
  element("announcement").textContent = `New alert, ${last.priority}: ${last.rule}`;
  waiting = [];
  element("show-new").hidden = true;
  element("no-alerts").hidden = true;
  refreshSoon();
  while (list.children.length > MOST_CARDS) {
    known.delete(list.lastElementChild.dataset.id);
    list.lastElementChild.remove();
  }
}

// The newest act stands first, also where an alert arrives late.
function place(node) {
  const time = (alert) => alert.querySelector("summary time").dateTime;
  const own = time(node);
  const older = [...list.children].find((other) => time(other) <= own);
  list.insertBefore(node, older ?? null);
}

// A container's name may come a little later than the alert.
function completeLater(id, attempt = 0) {
  if (attempt >= COMPLETE_AFTER_MS.length) return;
  setTimeout(async () => {
    const card = await renew(id);
    if (!card || card.incomplete) completeLater(id, attempt + 1);
  }, COMPLETE_AFTER_MS[attempt]);
}

// Shows an alert as it is known now.
async function renew(id) {
  const card = await getJson(`/console/alerts/${encodeURIComponent(id)}`);
  const old = [...list.children].find((node) => node.dataset.id === id);
  if (card && old) {
    const node = alertNode(card);
    node.open = old.open;
    old.replaceWith(node);
  }
  return card;
}

async function getJson(path) {
  try {
    const answer = await fetch(path, { headers: { accept: "application/json" } });
    if (answer.status === 401) location.assign("/login");
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

// ---- The stream ----

let downSince = null;
let lastNumber = document.body.dataset.newest;

function connection(state, words) {
  element("connection").dataset.state = state;
  element("connection-words").textContent = words;
}

function up() {
  downSince = null;
  element("banner").hidden = true;
  connection("live", "Live");
}

function down() {
  downSince ??= Date.now();
  connection("down", "Reconnecting");
  setTimeout(showBanner, DOWN_AFTER_MS);
}

function showBanner() {
  if (downSince === null || Date.now() - downSince < DOWN_AFTER_MS - 100) return;
  element("banner").hidden = false;
  element("banner-since").textContent = `, down since ${new Date(downSince).toLocaleTimeString([], { hour12: false })}`;
}

function listen() {
  const stream = new EventSource(`/console/alerts?after=${encodeURIComponent(lastNumber)}${document.body.dataset.query}`);
  stream.addEventListener("open", up);
  stream.addEventListener("alert", (event) => {
    lastNumber = event.lastEventId;
    arrived(JSON.parse(event.data));
  });
  stream.addEventListener("resync", () => location.reload());
  stream.addEventListener("error", () => {
    down();
    // A browser gives up where the answer is an error, as from a proxy whose backend restarts.
    if (stream.readyState === EventSource.CLOSED) {
      stream.close();
      setTimeout(listen, 3_000);
    }
  });
}

// ---- The day's counts, the sensors and the clusters ----

const shown = new Map();

async function refreshStatus() {
  const status = await getJson("/console/status");
  if (!status) return;
  showToday(status.today);
  showSensors(status.sensors);
  showPosture(status.posture);
}

// Many alerts at once are one reason to ask, not many.
let refreshDue = null;

function refreshSoon() {
  refreshDue ??= setTimeout(() => {
    refreshDue = null;
    refreshStatus();
  }, REFRESH_AFTER_MS);
}

function showToday(counts) {
  element("today").replaceChildren(...counts.map(({ priority, words }) => {
    const item = document.createElement("li");
    item.dataset.priority = priority;
    item.textContent = words;
    return item;
  }));
}

function showSensors(sensors) {
  element("sensors-summary").dataset.state = sensors.worst;
  element("sensors-words").textContent = sensors.summary || "none yet";
  element("no-sensors").hidden = sensors.cards.length > 0;
  element("hidden-sensors").hidden = sensors.hidden === 0;
  element("hidden-sensors").querySelector("span").textContent = sensors.hidden;
  showCards("sensor", sensors.cards);
}

function showPosture({ clusters, findings, hidden }) {
  element("posture").hidden = clusters.length === 0 && findings.length === 0;
  element("no-findings").hidden = findings.length > 0;
  element("hidden-findings").hidden = hidden === 0;
  element("hidden-findings").querySelector("span").textContent = hidden;
  showCards("cluster", clusters);
  showCards("finding", findings);
}

function showCards(kind, cards) {
  const list = element(`${kind}-list`);
  const old = new Map([...list.children].map((node) => [node.dataset.key, node]));
  list.replaceChildren(...cards.map((card) => cardNode(kind, card, old.get(card.key))));
}

// A card that did not change keeps its element, and so the reader's place in it.
function cardNode(kind, card, old) {
  const text = JSON.stringify(card);
  if (old && shown.get(card.key) === text) return old;
  shown.set(card.key, text);
  const node = fromTemplate(`${kind}-template`, card);
  node.dataset.key = card.key;
  node.dataset.state = card.state;
  node.open = old?.open ?? false;
  return node;
}

// ---- Begin ----

showTimes();
setInterval(showTimes, 5_000);
setInterval(refreshStatus, STATUS_EVERY_MS);
element("show-new").addEventListener("click", () => {
  showWaiting();
  window.scrollTo({ top: 0 });
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  document.title = "Alerts · Defender";
});
for (const node of list.querySelectorAll("[data-incomplete]")) {
  completeLater(node.dataset.id);
}
if (live) {
  listen();
} else {
  connection("waiting", "Older alerts");
}
