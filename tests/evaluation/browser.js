// As much of a document as the page of `minigan ask` uses. Time passes only when it is told to.

let clock = 0;
let timers = [];
let stored = null;
let downloads = [];
let answer = true; // to `confirm`
const listeners = {};
const elements = {};

class Element {
  constructor(name, id) {
    this.name = name;
    this.id = id;
    this.style = {};
    this.children = [];
    this.hidden = false;
    this.className = "";
    this.textContent = "";
  }
  set src(source) {
    this.source = source;
    if (this.onload) this.onload();
  }
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  remove() {}
  click() {
    if (this.download) downloads.push({ name: this.download, content: this.href });
    else if (!this.disabled) this.onclick();
  }
  getBoundingClientRect() {
    return { x: 20, y: 64.25, width: 600, height: 500 };
  }
  text() {
    const texts = this.children.map((child) => (typeof child === "string" ? child : child.text()));
    return [this.textContent, ...texts].filter(Boolean).join(" ");
  }
}

const document = {
  body: new Element("body"),
  createElement: (name) => new Element(name),
  getElementById: (id) => elements[id] ?? null,
  querySelectorAll: () => Object.values(elements).filter((element) => element.name === "main"),
  addEventListener: (name, heard) => (listeners[name] = heard),
};
const addEventListener = document.addEventListener;
const devicePixelRatio = 1;
const performance = { now: () => clock };
const crypto = { getRandomValues: (array) => array.map((_, i) => 17 * i) };
const confirm = () => answer;
const scrollTo = () => {};
const setTimeout = (call, after) => timers.push({ call, at: clock + after });
const clearTimeout = (number) => {
  if (timers[number - 1]) timers[number - 1].at = Infinity;
};
const URL = { createObjectURL: (blob) => blob.parts.join(""), revokeObjectURL: () => {} };
class Blob {
  constructor(parts) {
    this.parts = parts;
  }
}
const unavailable = () => {
  if (stored === null) throw new Error("SecurityError");
};
const localStorage = {
  getItem: (key) => (unavailable(), stored[key] ?? null),
  setItem: (key, text) => (unavailable(), (stored[key] = text)),
  removeItem: (key) => (unavailable(), delete stored[key]),
};

function open(html, page, kept) {
  for (const [, name, rest] of html.matchAll(/<([a-z0-9]+)([^<>]*\bid="[^<>]*)>/g)) {
    const id = /\bid="([a-z]+)"/.exec(rest)[1];
    elements[id] = new Element(name, id);
    elements[id].hidden = /\bhidden\b/.test(rest);
  }
  elements.page.textContent = JSON.stringify(page);
  stored = kept;
}

function click(id) {
  elements[id].click();
}

function press(event) {
  let prevented = false;
  listeners.keydown({ ...event, preventDefault: () => (prevented = true) });
  return prevented;
}

function wait(milliseconds) {
  clock += milliseconds;
  const due = timers.filter((timer) => timer.at <= clock);
  for (const timer of due) {
    timer.at = Infinity;
    timer.call();
  }
}

function screens() {
  return Object.entries(elements).filter(([, element]) => element.name === "main" && !element.hidden).map(([id]) => id);
}
