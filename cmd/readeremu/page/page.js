"use strict";

const byId = (id) => document.getElementById(id);
const stream = byId("stream");
let choices = { cards: [], stripes: [], faults: [], usb: [], usbFaults: [] };
let paused = false;
let waiting = [];
const mostLines = 2000;

function say(text, done = "") {
  byId("message").textContent = text;
  byId("done").textContent = done;
}

// order sends one line and says what was wrong with it.
async function order(line) {
  say("");
  try {
    const answer = await fetch("v1/do", { method: "POST", headers: { "Content-Type": "text/plain" }, body: line });
    if (answer.ok) { show(await answer.json()); say("", "Done: " + line); }
    else say((await answer.text()).trim());
  } catch {
    say("The program does not answer: is readeremu still running?");
  }
}

// absent is what it means that nothing is behind the reader.
const absent = { gempc: "unplugged", vpcd: "no pcscd has it", usb: "no kernel has it" };

// show tells the reader's state.
function show(s) {
  const plugged = s.port !== "";
  const card = s.card ? (s.name || "a card") : "none";
  byId("link").textContent = s.kind === "none" ? "no card reader" : s.link;
  byId("card").textContent = card + (s.card && s.powered ? ", with power" : "");
  byId("carried").textContent = s.carried;
  byId("armed").textContent = s.armed;
  let condition = "card in: " + card;
  let lamp = "in";
  if (!plugged) { condition = absent[s.kind] || "no card reader"; lamp = "out"; }
  else if (!s.card) { condition = "plugged in, no card"; lamp = "empty"; }
  if (byId("condition").textContent !== condition) byId("condition").textContent = condition;
  byId("lamp").className = "lamp " + lamp;
  byId("remove").disabled = !s.card;
  if (s.kind === "gempc") { byId("unplug").disabled = !plugged; byId("replug").disabled = plugged; }
}

// element is text in a tag: nothing from the wire is ever markup.
function element(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

// The commands' names, by their instruction byte (EMV 4.4 Book 3, 6.3.2; Book 1, 11).
const instructions = {
  "A4": "SELECT", "B2": "READ RECORD", "A8": "GET PROCESSING OPTIONS", "AE": "GENERATE AC", "CA": "GET DATA", "20": "VERIFY",
  "84": "GET CHALLENGE", "88": "INTERNAL AUTHENTICATE", "82": "EXTERNAL AUTHENTICATE", "C0": "GET RESPONSE", "DA": "PUT DATA",
  "DC": "UPDATE RECORD", "24": "PIN CHANGE/UNBLOCK", "16": "CARD BLOCK", "18": "APPLICATION UNBLOCK", "1E": "APPLICATION BLOCK",
};

// line makes an item of "> command < answer", or of anything else.
function line(l) {
  const item = element("li");
  item.append(element("span", "n", l.n));
  const said = element("div", "said");
  const parts = /^> (.*) < (.*)$/.exec(l.line);
  if (parts === null) {
    if (l.line.startsWith("reset")) item.className = "reset";
    said.append(element("span", "", l.line));
  } else {
    const name = instructions[parts[1].slice(2, 4)];
    if (name) said.append(element("span", "name", name));
    said.append(element("span", "command", parts[1]));
    const answer = element("span", "answer");
    const status = /^(.*?)([0-9A-F]{4})$/.exec(parts[2]);
    if (status === null) {
      answer.textContent = parts[2];
      item.className = "bad";
    } else {
      answer.append(status[1], element("b", "sw", status[2]));
      if (!/^(9000|61..|6C..)$/.test(status[2])) item.className = "bad";
    }
    said.append(answer);
  }
  item.append(said);
  return item;
}

function add(lines) {
  const atEnd = stream.scrollHeight - stream.scrollTop - stream.clientHeight < 40;
  stream.append(...lines.map(line));
  while (stream.childElementCount > mostLines) stream.firstElementChild.remove();
  if (atEnd) stream.scrollTop = stream.scrollHeight;
}

function listen() {
  const events = new EventSource("v1/events");
  events.addEventListener("state", (e) => show(JSON.parse(e.data)));
  events.addEventListener("line", (e) => {
    const l = JSON.parse(e.data);
    if (paused) { waiting.push(l); if (waiting.length > mostLines) waiting.shift(); } else add([l]);
  });
  events.addEventListener("error", () => {
    byId("condition").textContent = "the program does not answer";
    byId("lamp").className = "lamp out";
  });
}

function fill(select, list) {
  select.replaceChildren(...list.map((c) => {
    const o = element("option", "", c.name);
    o.value = c.name;
    o.title = c.note || "";
    return o;
  }));
}

function note(select, list, where) {
  const chosen = list.find((c) => c.name === select.value);
  byId(where).textContent = chosen ? chosen.note : "";
}

function filterCards() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const before = byId("cards").value;
  const fit = choices.cards.filter((c) => words.every((w) => (c.name + " " + c.note).toLowerCase().includes(w)));
  fill(byId("cards"), fit);
  byId("cards").value = fit.some((c) => c.name === before) ? before : (fit[0] ? fit[0].name : "");
  note(byId("cards"), choices.cards, "note");
  if (fit.length === 0) byId("note").textContent = "No card is like that.";
}

// fillEndpoints offers those of the chosen device, the first that sends before the others.
function fillEndpoints() {
  const device = choices.usb.find((d) => d.name === byId("usb-device").value);
  const all = device ? device.endpoints : [];
  fill(byId("usb-endpoint"), all.map((e) => ({ name: e })));
  byId("usb-endpoint").value = all.find((e) => parseInt(e, 16) >= 128) || all[0] || "";
}

async function start() {
  choices = await (await fetch("v1/choices")).json();
  filterCards();
  if (choices.cards.some((c) => c.name === "credit")) byId("cards").value = "credit";
  note(byId("cards"), choices.cards, "note");
  byId("swipe").hidden = choices.stripes.length === 0;
  fill(byId("stripes"), choices.stripes);
  note(byId("stripes"), choices.stripes, "stripe-note");
  fill(byId("kind"), choices.faults.map((f) => ({ name: f })));
  byId("fault").hidden = choices.faults.length === 0;
  byId("insert").hidden = choices.kind === "none";
  byId("printer").hidden = !choices.printer;
  byId("usb").hidden = choices.usb.length === 0;
  fill(byId("usb-device"), choices.usb);
  fill(byId("usb-kind"), choices.usbFaults.map((f) => ({ name: f })));
  fillEndpoints();
  listen();
}

byId("filter").addEventListener("input", filterCards);
byId("filter").addEventListener("keydown", (e) => {
  if (e.key === "ArrowDown") { e.preventDefault(); byId("cards").focus(); }
});
byId("cards").addEventListener("change", () => note(byId("cards"), choices.cards, "note"));
byId("stripes").addEventListener("change", () => note(byId("stripes"), choices.stripes, "stripe-note"));
byId("cards").addEventListener("dblclick", () => byId("insert").requestSubmit());
byId("cards").addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); byId("insert").requestSubmit(); } });
const onSubmit = (id, make) => byId(id).addEventListener("submit", (e) => { e.preventDefault(); const l = make(); if (l) order(l); });
onSubmit("insert", () => byId("cards").value && "insert " + byId("cards").value);
onSubmit("swipe", () => "swipe " + byId("stripes").value);
onSubmit("fault", () => "fault " + byId("kind").value + " " + byId("from").value + byId("nth").value);
onSubmit("usb", () => ["usb", byId("usb-device").value, byId("usb-kind").value, byId("usb-endpoint").value, byId("usb-nth").value].join(" "));
byId("usb-device").addEventListener("change", fillEndpoints);
for (const b of document.querySelectorAll("[data-order]")) b.addEventListener("click", () => order(b.dataset.order));
byId("clear").addEventListener("click", () => { stream.replaceChildren(); waiting = []; });
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  byId("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) { add(waiting); waiting = []; }
});
start().catch(() => say("The program does not answer: is readeremu still running?"));
