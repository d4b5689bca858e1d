// What the page of `minigan ask` knows, apart from what it shows: states, the key, shares and their intervals.
// No function here touches the document or changes what it is given.

const SAID = ["real", "generated"];

// ------------------------------------------------------------------------------------------ states
// person: a name that says nothing of them; answers: of SAID, in the order of showing; times: seconds, one an answer;
// unseen: the first place whose image may be shown where time is limited; ended: the result was looked at.

function fresh(person) {
  return { person, answers: [], times: [], unseen: 0, ended: false };
}

function answered(state, said, seconds) {
  const answers = [...state.answers, said];
  const times = [...state.times, Math.round(seconds * 1000) / 1000];
  return { ...state, answers, times, unseen: Math.max(state.unseen, answers.length) };
}

// The state before the last answer. Once the result was looked at, none can be taken back. Where time is limited the
// image that is left has been seen, too.
function undone(state) {
  if (state.ended || !state.answers.length) return state;
  return { ...unseen(state), answers: state.answers.slice(0, -1), times: state.times.slice(0, -1) };
}

// The time of the image that is being asked about is over.
function unseen(state) {
  return { ...state, unseen: Math.max(state.unseen, state.answers.length + 1) };
}

function complete(page, state) {
  return state.answers.length === page.images.length;
}

// A state as the browser kept it; null where it kept none, or something else.
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
    upTo(state.unseen, page.images.length + 1) && state.answers.every((said) => SAID.includes(said)) &&
    state.times.every((time) => Number.isFinite(time) && time >= 0) && (!state.ended || complete(page, state));
  return sound ? state : null;
}

// --------------------------------------------------------------------------------------- the result

// The numbers of the images in the order of showing; those below page.count are real. xorshift32 hides them.
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
  return opened(page).map((number) => SAID[number < page.count ? 0 : 1]);
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

// What was judged rightly, and what of either kind was taken for real.
function result(page, state) {
  const taken = { real: 0, generated: 0 };
  const kinds = truth(page);
  state.answers.forEach((said, place) => {
    if (said === "real") taken[kinds[place]] += 1;
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

// Places of a kind about which an answer was given, those that were answered soonest first.
function soonest(page, state, kind, said) {
  const kinds = truth(page);
  const places = state.answers.map((_, place) => place);
  return places
    .filter((place) => kinds[place] === kind && state.answers[place] === said)
    .sort((one, other) => state.times[one] - state.times[other] || one - other);
}

// What is saved, for `minigan answers`.
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
// Browsers keep lengths in 64ths of a CSS pixel. Only what is whole both there and in the screen's pixels (`ratio` of
// them to a CSS pixel) is drawn so that each of an image's pixels is a square and all are as large.

function whole(length) {
  return Math.abs(64 * length - Math.round(64 * length)) < 1e-6;
}

// How many CSS pixels wide and high an image is shown in a room: the screen's pixels to one of its own are a whole
// number, and the largest that is drawn so, unless only much smaller ones are.
function size(page, width, height, ratio) {
  const most = Math.max(1, Math.floor(Math.min((width * ratio) / page.width, (height * ratio) / page.height)));
  const sides = (factor) => ({ width: (factor * page.width) / ratio, height: (factor * page.height) / ratio });
  for (let factor = most; factor >= (2 / 3) * most; factor--) {
    const { width, height } = sides(factor);
    if (whole(width) && whole(height)) return sides(factor);
  }
  return sides(most);
}

// How far from its beginning a length lies in the middle of a room, or up to 32 of the screen's pixels before that.
function middle(start, room, length, ratio) {
  const first = Math.floor((start + (room - length) / 2) * ratio);
  for (let place = first; place > first - 32; place--) {
    if (whole(place / ratio)) return place / ratio - start;
  }
  return first / ratio - start;
}
