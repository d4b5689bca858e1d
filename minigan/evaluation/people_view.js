// The view of the page of `minigan ask`: what it displays, and its events. Its logic is above.

const QUICKEST = 150; // milliseconds; an earlier answer must be a double tap, as nobody sees an image so fast
const SHOWN = 8; // images in a strip at the end
const WIDEST = 448; // CSS pixels of the current image; if larger, a small image looks like mere squares

const $ = (id) => document.getElementById(id);
const page = JSON.parse($("page").textContent);
const KEY = "minigan-" + page.id;
let state = null; // null before the beginning
let since = Infinity; // when the current image appeared
let timer = 0;

// --------------------------------------------------------------------------------- the browser's storage

function keep(next) {
  state = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
    return true;
  } catch {
    return false; // no storage, as in private windows, or for pages from files in some browsers
  }
}

function kept() {
  try {
    return restored(page, localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function forget() {
  state = null;
  try {
    localStorage.removeItem(KEY);
  } catch {
    // nothing was stored
  }
}

function keeps() {
  try {
    localStorage.setItem(KEY + "-test", "");
    localStorage.removeItem(KEY + "-test");
    return true;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------- the four screens

function show() {
  const screen = !state ? "opening" : state.ended ? "ending" : complete(page, state) ? "answered" : "question";
  for (const main of document.querySelectorAll("main[id]")) main.hidden = main.id !== screen;
  if (screen === "question") ask();
  if (screen === "ending") tell();
  if (screen !== "question") scrollTo(0, 0);
}

function source(text) {
  return "data:image/png;base64," + text;
}

function ask() {
  const place = state.answers.length;
  $("place").textContent = `${place + 1} of ${page.images.length}`;
  $("progress").max = page.images.length;
  $("progress").value = place;
  $("undo").disabled = place === 0;
  since = Infinity;
  clearTimeout(timer);
  const image = $("image");
  image.className = "waiting";
  fit();
  image.onload = appear;
  image.src = source(page.images[place]);
}

function appear() {
  const image = $("image");
  since = performance.now();
  const over = page.seconds && state.answers.length < state.unseen; // its time was already over
  image.className = over ? "over" : "shown";
  if (page.seconds && !over) {
    timer = setTimeout(() => {
      image.className = "over";
      keep(unseen(state));
    }, 1000 * page.seconds);
  }
}

function fit() {
  const stage = $("stage").getBoundingClientRect();
  const ratio = devicePixelRatio || 1;
  const sides = size(page, Math.min(stage.width - 2, WIDEST), Math.min(stage.height - 2, WIDEST), ratio);
  Object.assign($("image").style, {
    width: sides.width + "px",
    height: sides.height + "px",
    left: middle(stage.x, stage.width, sides.width, ratio) + "px",
    top: middle(stage.y, stage.height, sides.height, ratio) + "px",
  });
}

function say(answer) {
  const now = performance.now();
  if (now - since < QUICKEST || since === Infinity) return;
  keep(answered(state, answer, (now - since) / 1000));
  show();
}

function back() {
  keep(undone(state));
  show();
}

// ------------------------------------------------------------------------------------------ the result

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function tell() {
  const found = result(page, state);
  $("headline").textContent = `You were right about ${found.right.number} of ${found.right.count}`;
  $("verdict").textContent = verdict(page, found.right.low, found.right.high);
  $("shares").replaceChildren(
    row("judged correctly", found.right),
    row("generated images taken for real", found.made_as_real),
    row("real images taken for real", found.real_as_real),
    element("div", "axis", element("span", "", "0%"), element("span", "", "50%, guessing"), element("span", "", "100%")),
  );
  $("strips").replaceChildren(
    ...strip("Generated, taken for real", "generated", "real"),
    ...strip("Generated, recognized", "generated", "generated"),
    ...strip("Real, taken for generated", "real", "generated"),
    ...strip("Real, recognized", "real", "real"),
  );
}

function row(label, share) {
  const band = element("i", "band");
  const dot = element("i", "dot");
  band.style.left = 100 * share.low + "%";
  band.style.width = 100 * (share.high - share.low) + "%";
  dot.style.left = 100 * share.share + "%";
  const interval = element("small", "", `${percent(share.low)} to ${percent(share.high)}`);
  const figures = element("span", "", element("b", "", percent(share.share)), " ", interval);
  const title = element("div", "", element("span", "", label), figures);
  return element("div", "share", title, element("div", "scale", band, element("i", "chance"), dot));
}

function strip(title, kind, answer) {
  const places = soonest(page, state, kind, answer);
  if (!places.length) return [];
  const count = places.length > SHOWN ? `${SHOWN} of ${places.length}` : `${places.length}`;
  const figures = places.slice(0, SHOWN).map((place) => {
    const image = element("img");
    image.src = source(page.images[place]);
    image.alt = kind;
    const caption = element("figcaption", "", `${state.times[place].toFixed(1)} s`);
    return element("figure", kind === answer ? "right" : "wrong", image, caption);
  });
  return [element("h2", "", title, element("small", "", `${count}, quickest first`)), element("div", "strip", ...figures)];
}

function save() {
  const content = JSON.stringify(saved(page, state)) + "\n";
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = `answers-${page.id.slice(0, 6)}-${state.person}.json`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// -------------------------------------------------------------------------------------------------- events

function begin() {
  const digits = crypto.getRandomValues(new Uint8Array(4));
  keep(fresh([...digits].map((digit) => digit.toString(16).padStart(2, "0")).join("")));
  show();
}

const KEYS = {
  arrowleft: () => say("real"), r: () => say("real"),
  arrowright: () => say("generated"), g: () => say("generated"),
  backspace: back, u: back,
};

document.addEventListener("keydown", (event) => {
  const asked = state && !state.ended;
  const heard = KEYS[event.key.toLowerCase()];
  if (!asked || !heard || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.repeat) return; // holding a key down counts as one answer
  if (!complete(page, state) || heard === back) heard();
});

$("begin").onclick = begin;
$("real").onclick = () => say("real");
$("generated").onclick = () => say("generated");
$("undo").onclick = $("reconsider").onclick = back;
$("show").onclick = () => {
  keep({ ...state, ended: true });
  show();
};
$("save").onclick = save;
$("again").onclick = () => {
  if (!confirm("Start for another person? Unsaved answers will be lost.")) return;
  forget();
  show();
};
addEventListener("resize", () => {
  if (!$("question").hidden) fit();
});

for (const text of page.examples) {
  const image = element("img");
  image.src = source(text);
  image.alt = "a real image";
  $("examples").append(image);
}
$("forgetful").hidden = keeps();
state = kept();
show();
