// The logic of the page of `minigan ask`: states, the key, shares and their intervals.
// No function here touches the document or changes its arguments.

const CHOICES = ["real", "generated"];

// ------------------------------------------------------------------------------------------ states
// person: a random name; answers: elements of CHOICES, in the order shown; times: the seconds of each answer;
// unseen: with a time limit, the first place whose image may still be shown; ended: the result was shown.

function fresh(person) {
  return { person, answers: [], times: [], unseen: 0, ended: false };
}

function answered(state, answer, seconds) {
  const answers = [...state.answers, answer];
  const times = [...state.times, Math.round(seconds * 1000) / 1000];
  return { ...state, answers, times, unseen: Math.max(state.unseen, answers.length) };
}

// The state before the last answer. After the result was shown, no answer can be taken back. With a time limit, the
// image that is left counts as seen.
function undone(state) {
  if (state.ended || !state.answers.length) return state;
  return { ...unseen(state), answers: state.answers.slice(0, -1), times: state.times.slice(0, -1) };
}

// The state after the current image's time is over.
function unseen(state) {
  return { ...state, unseen: Math.max(state.unseen, state.answers.length + 1) };
}

function complete(page, state) {
  return state.answers.length === page.images.length;
}

// The state that the browser stored; null if it stored none, or an invalid one.
function restored(page, text) {
  let state;
  try {
    state = JSON.parse(text);
  } catch {
    return null;
  }
  const upTo = (number, most) => Number.isInteger(number) && number >= 0 && number <= most;
  const sound =
    state !== null && typeof state === "object" && typeof state.person === "string" &&
    Array.isArray(state.answers) && Array.isArray(state.times) && typeof state.ended === "boolean" &&
    upTo(state.answers.length, page.images.length) && state.times.length === state.answers.length &&
    upTo(state.unseen, page.images.length + 1) && state.answers.every((answer) => CHOICES.includes(answer)) &&
    state.times.every((time) => Number.isFinite(time) && time >= 0) && (!state.ended || complete(page, state));
  return sound ? state : null;
}

// --------------------------------------------------------------------------------------- the result

// The numbers of the images in the order shown, decoded by xorshift32; those below page.count are real.
function opened(page) {
  let stream = parseInt(page.id.slice(0, 8), 16) | 1;
  const order = [];
  for (let i = 0; i < page.key.length; i += 4) {
    stream ^= stream << 13;
    stream ^= stream >>> 17;
    stream ^= stream << 5;
    order.push((parseInt(page.key.slice(i, i + 4), 16) ^ stream) & 0xffff);
  }
  return order;
}

function truth(page) {
  return opened(page).map((number) => CHOICES[number < page.count ? 0 : 1]);
}

// Wilson's score interval of a share.
function wilson(right, count, z) {
  const middle = (right + (z * z) / 2) / (count + z * z);
  const half = (z / (count + z * z)) * Math.sqrt((right * (count - right)) / count + (z * z) / 4);
  return { low: right === 0 ? 0 : middle - half, high: right === count ? 1 : middle + half };
}

function share(number, count, z) {
  return { number, count, share: number / count, ...wilson(number, count, z) };
}

// The share judged correctly, and the shares of each kind judged real.
function result(page, state) {
  const taken = { real: 0, generated: 0 };
  const kinds = truth(page);
  state.answers.forEach((answer, place) => {
    if (answer === "real") taken[kinds[place]] += 1;
  });
  return {
    right: share(taken.real + page.count - taken.generated, 2 * page.count, page.z),
    made_as_real: share(taken.generated, page.count, page.z),
    real_as_real: share(taken.real, page.count, page.z),
  };
}

function verdict(page, low, high) {
  return page.verdicts[low > 0.5 ? "above" : high < 0.5 ? "below" : "within"];
}

// The places of images of a kind with a given answer, quickest answers first.
function soonest(page, state, kind, answer) {
  const kinds = truth(page);
  const places = state.answers.map((_, place) => place);
  return places
    .filter((place) => kinds[place] === kind && state.answers[place] === answer)
    .sort((one, other) => state.times[one] - state.times[other] || one - other);
}

// The answers as saved for `minigan answers`.
function saved(page, state) {
  return {
    format: page.answers, page: page.id, person: state.person, seed: page.seed, count: page.count,
    seconds: page.seconds, order: opened(page), answers: state.answers, times: state.times,
  };
}

function percent(number) {
  return (100 * number).toFixed(1) + "%";
}

// ------------------------------------------------------------------------------------ where an image is
// Browsers store lengths in 64ths of a CSS pixel. An image's pixels are drawn as equal squares only if its position and
// size are whole numbers both of those and of the screen's pixels (`ratio` to a CSS pixel).

function whole(length) {
  return Math.abs(64 * length - Math.round(64 * length)) < 1e-6;
}

// The width and height, in CSS pixels, of an image shown within a given width and height: the largest whole number of
// screen pixels for each of its own that is drawn exactly, unless only much smaller ones are.
function size(page, width, height, ratio) {
  const most = Math.max(1, Math.floor(Math.min((width * ratio) / page.width, (height * ratio) / page.height)));
  const sides = (factor) => ({ width: (factor * page.width) / ratio, height: (factor * page.height) / ratio });
  for (let factor = most; factor >= (2 / 3) * most; factor--) {
    const { width, height } = sides(factor);
    if (whole(width) && whole(height)) return sides(factor);
  }
  return sides(most);
}

// The offset that centres a length in a room, or up to 32 screen pixels less, so that it is drawn exactly.
function middle(start, room, length, ratio) {
  const first = Math.floor((start + (room - length) / 2) * ratio);
  for (let place = first; place > first - 32; place--) {
    if (whole(place / ratio)) return place / ratio - start;
  }
  return first / ratio - start;
}
