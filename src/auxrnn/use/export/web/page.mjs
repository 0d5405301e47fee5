// The page of an exported model. First what reads input, which knows no page; then the model; then the page.

export class Problem extends Error {} // something a person can put right, in one sentence

const PIECE = 65536; // bytes or steps read at once
const POINTS = 512; // answers kept of a curve

// Texts and tables -------------------------------------------------------------------------------------------------------

/** The places of the characters of `text` among the known ones, from 1; 0 for any other. */
export function encode(text, characters) {
  const known = new Map(Array.from(characters, (one, place) => [one, place + 1]));
  return Float64Array.from(Array.from(text), (one) => known.get(one) ?? 0);
}

/** Text of a file in pieces, ends of lines of any kind as "\n". */
export async function* textOf(blob, encoding = "utf-8") {
  const decoder = new TextDecoder(encoding, { fatal: true });
  let held = "";
  for (let first = 0; first <= blob.size; first += PIECE) {
    const bytes = await blob.slice(first, first + PIECE).arrayBuffer();
    let text;
    try {
      text = held + decoder.decode(bytes, { stream: first + PIECE <= blob.size });
    } catch {
      throw new Problem(`Expected text in ${encoding}, found bytes that are none.`);
    }
    held = first + PIECE <= blob.size && text.endsWith("\r") ? "\r" : ""; // it may belong to a "\n"
    text = text.slice(0, text.length - held.length).replace(/\r\n?/g, "\n");
    if (text) yield text;
  }
}

export async function* linesOf(pieces) {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    yield* lines;
  }
  if (rest) yield rest;
}

/** The cells of a line; a delimiter may stand within double quotes. */
export function cellsOf(line, delimiter) {
  if (delimiter === " ") return line.trim().split(/\s+/);
  const cells = [""];
  let quoted = false;
  for (const letter of line) {
    if (letter === '"') quoted = !quoted;
    else if (letter === delimiter && !quoted) cells.push("");
    else cells[cells.length - 1] += letter;
  }
  return cells.map((cell) => cell.trim());
}

/** Sequences from lines of a table, in pieces {name, steps}: a step a line, by an id where there is one; or a series a line. */
export async function* tableOf(lines, about) {
  const { features, id, time, rows } = about.table;
  const size = about.input.size;
  const numeric = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
  const plain = (cell) => (about.table.decimal === "," ? cell.replace(",", ".") : cell);
  const missing = (cell) => about.table.missing_words.includes(cell.toLowerCase());
  let delimiter = about.table.delimiter, places = null, series = rows === "series", wide = 0, header = null;
  let name = "", before = -Infinity, number = 0, steps = [];
  const read = (cell, place) => {
    if (cell !== undefined && numeric.test(plain(cell)) && Number.isFinite(Number(plain(cell)))) return Number(plain(cell));
    if (cell !== undefined && missing(cell)) return NaN;
    const column = header ? header[place] : `column ${place + 1}`;
    throw new Problem(`Line ${number}, ${column}: expected a number, found ${JSON.stringify(cell ?? "nothing").slice(0, 40)}.`);
  };
  const begin = (cells) => {
    const named = features.length && features.every((one) => cells.includes(one));
    if (named || !cells.some((cell) => numeric.test(plain(cell)))) header = cells;
    const lacking = features.filter((one) => header && !header.includes(one));
    if (lacking.length && !(cells.length === size)) throw new Problem(`Expected the columns ${features.join(", ")}, found no ${lacking[0]}.`);
    if (lacking.length) throw new Problem(`Expected the columns ${features.join(", ")} as in training, found ${header.join(", ")}.`);
    series ||= size === 1 && !features.length && !header && cells.length > 1;
    wide = cells.length;
    if (header && features.length) places = features.map((one) => header.indexOf(one));
    else if (series) places = cells.map((_, place) => place).slice(-(features.length || cells.length));
    else if (features.length && features.every((one) => /^\d+$/.test(one) && one <= wide)) places = features.map((one) => one - 1);
    else if (wide === size) places = cells.map((_, place) => place);
    else throw new Problem(`Expected ${size} ${size === 1 ? "number" : "numbers"} a line${features.length ? ` (${features.join(", ")})` : ""}, found ${wide}.`);
  };
  const checked = (values, where) => {
    if (!values.some(Number.isNaN)) return values;
    if (about.table.missing === "zero") return values.map((one) => (Number.isNaN(one) ? 0 : one));
    if (about.table.missing === "drop") return [];
    throw new Problem(`${where}: expected a number everywhere, found a missing one. Fill it in.`);
  };
  for await (const line of lines) {
    number += 1;
    if (number <= about.table.skip || !line.trim()) continue;
    delimiter ??= ["\t", ";", ",", " "].find((one) => line.includes(one) && one !== about.table.decimal) ?? ",";
    const cells = cellsOf(line, delimiter);
    if (!places) begin(cells);
    if (cells === header) continue;
    if (cells.length !== wide && !series) throw new Problem(`Line ${number}: expected ${wide} cells, found ${cells.length}.`);
    const taken = series && !features.length ? cells : places.map((place) => cells[place] ?? (series ? "nan" : undefined));
    const values = taken.map((cell, at) => read(cell, places[at] ?? at));
    if (series) {
      while (Number.isNaN(values.at(-1))) values.pop();
      yield { name: `row ${number}`, steps: Float64Array.from(values.flatMap((one) => checked([one], `Line ${number}`))) };
      continue;
    }
    const key = header && id ? cells[header.indexOf(id)] : "";
    const moment = header && time ? Number(plain(cells[header.indexOf(time)] ?? "")) : NaN;
    if (key !== name || steps.length >= PIECE) {
      if (steps.length) yield { name, steps: Float64Array.from(steps) };
      if (key !== name) before = -Infinity;
      [name, steps] = [key, []];
    }
    if (moment < before) throw new Problem(`Line ${number}: expected rows in the order of ${time}, found an earlier one. Sort them.`);
    before = moment;
    steps.push(...checked(values, `Line ${number}`));
  }
  if (steps.length) yield { name, steps: Float64Array.from(steps) };
}

// Recordings -------------------------------------------------------------------------------------------------------------

/** A WAV file: its rate, channels, frames, and `read(first, last)` of frames in the units of 16-bit samples. Null for another form. */
export async function waveOf(blob) {
  const view = async (first, last) => new DataView(await blob.slice(first, last).arrayBuffer());
  const word = (data, at) => String.fromCharCode(...new Uint8Array(data.buffer, at, 4));
  const riff = await view(0, 12);
  if (riff.byteLength < 12 || word(riff, 0) !== "RIFF" || word(riff, 8) !== "WAVE") return null;
  let form = null;
  for (let at = 12; at + 8 <= blob.size; ) {
    const head = await view(at, at + 8);
    const [kind, length] = [word(head, 0), head.getUint32(4, true)];
    if (kind === "fmt ") {
      const data = await view(at + 8, at + 8 + length);
      const tag = data.getUint16(0, true);
      form = { code: tag === 0xfffe ? data.getUint16(24, true) : tag, channels: data.getUint16(2, true),
        rate: data.getUint32(4, true), bits: data.getUint16(14, true) };
    } else if (kind === "data") {
      const getter = form && { "1/8": (d, i) => (d.getUint8(i) - 128) * 256, "1/16": (d, i) => d.getInt16(i, true),
        "1/24": (d, i) => (d.getUint16(i, true) | (d.getInt8(i + 2) << 16)) / 256, "1/32": (d, i) => d.getInt32(i, true) / 65536,
        "3/32": (d, i) => d.getFloat32(i, true) * 32768, "3/64": (d, i) => d.getFloat64(i, true) * 32768 }[`${form.code}/${form.bits}`];
      if (!getter) return null;
      const [bytes, start] = [form.bits / 8, at + 8];
      const width = bytes * form.channels;
      const frames = Math.floor(Math.min(length, blob.size - start) / width);
      if (length % 2 ** 31 && length > blob.size - start) throw new Problem(`Expected ${Math.floor(length / width)} samples, found ${frames}: the file is cut.`);
      return { ...form, frames, read: async (first, last) => {
        const data = await view(start + first * width, start + last * width);
        return Float64Array.from({ length: data.byteLength / bytes }, (_, index) => getter(data, index * bytes));
      } };
    }
    at += 8 + length + (length % 2);
  }
  throw new Problem("Expected a recording, found a WAV file without samples.");
}

/** What SciPy's `resample_poly` multiplies with: a sinc under a Kaiser window (beta 5), over 10 samples of the lower rate. */
export function filterOf(up, down) {
  const bessel = (x) => { let [sum, part] = [1, 1]; for (let k = 1; part > sum * 1e-17; k++) sum += part *= (x / 2 / k) ** 2; return sum; };
  const most = Math.max(up, down), half = 10 * most;
  const h = Float64Array.from({ length: 2 * half + 1 }, (_, index) => {
    const t = (index - half) / most;
    return (t ? Math.sin(Math.PI * t) / (Math.PI * t) : 1) * bessel(5 * Math.sqrt(Math.max(0, 1 - ((index - half) / half) ** 2)));
  });
  const scale = up / h.reduce((sum, one) => sum + one, 0);
  return h.map((one) => one * scale);
}

/** Samples of a WAV file at `rate` Hz in pieces, resampled as SciPy's polyphase filter does where it has another rate. */
export async function* samplesOf(wave, rate) {
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  const [up, down] = [rate / gcd(rate, wave.rate), wave.rate / gcd(rate, wave.rate)];
  const h = up === down ? null : filterOf(up, down);
  const [half, size, total] = [10 * Math.max(up, down), wave.channels, Math.ceil((wave.frames * up) / down)];
  for (let first = 0; first < total; first += PIECE) {
    const last = Math.min(first + PIECE, total);
    if (!h) { yield await wave.read(first, last); continue; }
    const from = Math.max(0, Math.ceil((first * down - half) / up));
    const given = await wave.read(from, Math.min(wave.frames, Math.floor(((last - 1) * down + half) / up) + 1));
    const found = new Float64Array((last - first) * size), end = from + given.length / size;
    for (let m = first; m < last; m++) {
      const stop = Math.min(end - 1, Math.floor((m * down + half) / up));
      for (let k = Math.max(from, Math.ceil((m * down - half) / up)); k <= stop; k++)
        for (let c = 0; c < size; c++) found[(m - first) * size + c] += h[half + m * down - k * up] * given[(k - from) * size + c];
    }
    yield found.map(Math.fround);
  }
}

// The model --------------------------------------------------------------------------------------------------------------

const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, uint8: Uint8Array, int32: Int32Array };

/** One stream of an exported model: raw steps in, answers out, its state kept between. */
export class Stream {
  constructor(ort, session, about) {
    Object.assign(this, { ort, session, about, size: about.input.kind === "characters" ? 1 : about.input.size });
    this.whole = !Object.keys(about.state).length;
    this.reset();
  }

  reset() {
    this.steps = 0;
    this.state = {};
    for (const [name, part] of Object.entries(this.about.state)) {
      const dims = part.shape.map((axis) => (axis === "batch" ? 1 : axis));
      const first = new ARRAYS[part.type](dims.reduce((a, b) => a * b, 1));
      const turned = part.type === "int64" ? BigInt : Number;
      if (part.first) part.first.forEach((one, place) => { first[place] = turned(one); });
      this.state[name] = new this.ort.Tensor(part.type, first, dims);
    }
  }

  get bytes() {
    return Object.values(this.state).reduce((sum, one) => sum + one.data.byteLength, 0);
  }

  /** The answers after `numbers` (t * C): of the last step, or of every step where each has one (t * size). */
  async advance(numbers) {
    const { input, output } = this.about, t = numbers.length / this.size;
    if (input.kind === "pixels" && !numbers.every((one) => Number.isInteger(one) && one >= 0 && one < input.levels))
      throw new Problem(`Expected whole levels from 0 to ${input.levels - 1}.`);
    const raw = input.type === "int64" ? BigInt64Array.from(numbers, BigInt) : ARRAYS[input.type].from(numbers);
    const inputs = new this.ort.Tensor(input.type, raw, input.kind === "characters" ? [1, t] : [1, t, this.size]);
    const found = await this.session.run({ inputs, ...this.state });
    for (const name of Object.keys(this.state)) this.state[name] = found[`next_${name}`];
    this.steps += t;
    return found[output].data;
  }
}

/** Answers at so many steps, evenly spaced and never more than POINTS. */
export class Curve {
  constructor(every) { Object.assign(this, { every, points: [] }); }

  due(steps) { return this.every - (steps % this.every); }

  add(steps, shares) {
    if (steps % this.every) return;
    this.points.push({ steps, shares });
    if (this.points.length < POINTS) return;
    this.points = this.points.filter((_, place) => place % 2);
    this.every *= 2;
  }
}

/** Read pieces {name, steps} with a stream; `look(name, shares, curve)` after each chunk, `end` after each sequence. */
export async function follow(stream, pieces, look, end, fallback = "") {
  const { about, size } = stream, answers = about.classes.length;
  let name = null, curve = null, shares = null, gathered = [];
  const first = Math.ceil(Math.max(1, (about.rate ?? 0) / 200) / about.stride) * about.stride; // of sound every 5 ms
  const begin = (next) => { name = next; stream.reset(); curve = new Curve(first); shares = null; gathered = []; };
  const read = async (steps) => {
    for (let at = 0; at < steps.length; ) {
      const number = stream.whole ? steps.length / size : Math.min(curve.due(stream.steps), 8192);
      const found = await stream.advance(steps.subarray(at, at + number * size));
      shares = Array.from(found.slice(-answers), Number);
      if (stream.whole && about.per_step)
        for (let t = 0; t < found.length; t += answers) curve.add(t / answers + 1, Array.from(found.slice(t, t + answers)));
      else curve.add(stream.steps, shares);
      at += number * size;
      if ((await look(name || fallback, shares, curve)) === false) return false;
    }
    return true;
  };
  const finish = async () => {
    if (gathered.length) {
      let steps = Float64Array.from(gathered.flatMap((piece) => Array.from(piece)));
      const order = about.pixel_order, number = steps.length / size;
      if (about.longest && number > about.longest) throw new Problem(`Expected at most ${about.longest} steps, found ${number}.`);
      if (order && number !== order.length) throw new Problem(`Expected ${order.length} steps, found ${number}.`);
      if (order) steps = Float64Array.from(order.flatMap((step) => Array.from(steps.subarray(step * size, (step + 1) * size))));
      if (!(await read(steps))) return;
    }
    if (shares) end(name || fallback, shares, curve);
  };
  for await (const piece of pieces) {
    if (piece.name !== name) { if (name !== null) await finish(); begin(piece.name); }
    if (stream.whole || about.pixel_order) gathered.push(piece.steps);
    else if (!(await read(piece.steps))) break;
  }
  if (name === null) throw new Problem("Expected at least one step, found none.");
  await finish();
}

// The page ---------------------------------------------------------------------------------------------------------------

/** What a file is read as, by the model: pieces {name, steps}. */
export async function* piecesOf(blob, name, about) {
  if (about.input.kind === "characters") {
    for await (const text of textOf(blob, about.encoding)) yield { name, steps: encode(text, about.characters) };
  } else if (about.rate && !/\.(csv|tsv|txt)$/i.test(name)) {
    const wave = await waveOf(blob);
    const voices = about.input.size;
    if (wave && wave.channels !== voices) throw new Problem(`Expected ${voices} channels, found ${wave.channels}.`);
    if (wave) for await (const steps of samplesOf(wave, about.rate)) yield { name, steps };
    else yield { name, steps: await decoded(blob, about) };
  } else {
    for await (const piece of tableOf(linesOf(textOf(blob, about.encoding)), about)) yield { ...piece, name: [name, piece.name].filter(Boolean).join(", ") };
  }
}

/** Sound of any form that the browser knows, at the model's rate. */
async function decoded(blob, about) {
  const context = new OfflineAudioContext(about.input.size, 1, about.rate);
  let sound;
  try {
    sound = await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    throw new Problem("Expected a recording that this browser can play, found none.");
  }
  const voices = about.input.size;
  if (sound.numberOfChannels !== voices) throw new Problem(`Expected ${voices} channels, found ${sound.numberOfChannels}.`);
  const parts = Array.from({ length: voices }, (_, c) => sound.getChannelData(c));
  return Float64Array.from({ length: sound.length * voices }, (_, index) => parts[index % voices][Math.floor(index / voices)] * 32768);
}

/** Samples of the microphone at the model's rate, until `stopped` says so. */
async function* microphone(about, stopped) {
  const media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const context = new AudioContext({ sampleRate: about.rate });
  const waiting = [];
  let wake = () => {};
  try {
    const code = "registerProcessor('taken', class extends AudioWorkletProcessor { process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true; } });";
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    const node = new AudioWorkletNode(context, "taken");
    node.port.onmessage = ({ data }) => { waiting.push(data); wake(); };
    context.createMediaStreamSource(media).connect(node);
    while (!stopped()) {
      if (!waiting.length) await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 100); });
      const samples = waiting.splice(0).flatMap((part) => Array.from(part));
      if (samples.length) yield { name: "microphone", steps: Float64Array.from(samples.flatMap((one) => Array(about.input.size).fill(one * 32768))) };
    }
  } finally {
    media.getTracks().forEach((track) => track.stop());
    await context.close();
  }
}

function worded(about, shares) {
  const shown = (one) => (about.target === "value" ? Number(one.toPrecision(6)).toString() : `${(100 * one).toFixed(1)} %`);
  if (about.target === "value") return shares.map((one, place) => (shares.length > 1 ? `${about.classes[place]} ${shown(one)}` : shown(one))).join(", ");
  if (about.target === "classes") return about.classes.filter((_, place) => shares[place] > 0.5).join(", ") || "none";
  const best = shares.indexOf(Math.max(...shares));
  return `${about.classes[best]} · ${shown(shares[best])}`;
}

/** Places of the answers that are drawn: all of few, else those that were highest at any time. */
function drawn(about, curve, shares) {
  const places = about.classes.map((_, place) => place);
  if (places.length <= 8) return places;
  const most = places.map((place) => Math.max(shares[place], ...curve.points.map((point) => point.shares[place])));
  return places.sort((a, b) => most[b] - most[a]).slice(0, 8).sort((a, b) => a - b);
}

function draw(canvas, about, curve, shares, steps) {
  const style = getComputedStyle(canvas), color = (name) => style.getPropertyValue(name).trim();
  const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  const points = curve ? [...curve.points, { steps, shares }] : [], places = curve ? drawn(about, curve, shares) : [];
  let [low, high] = [0, 1];
  if (about.target === "value" && points.length) {
    const all = points.flatMap((point) => point.shares);
    [low, high] = [Math.min(...all), Math.max(...all)];
    if (low === high) [low, high] = [low - 1, high + 1];
  }
  const unit = about.rate || 1, last = Math.max(steps, 1);
  const labels = [low, (low + high) / 2, high].map((one) => Number(one.toPrecision(4)).toString());
  const left = 14 + Math.max(...labels.map((one) => pen.measureText(one).width)), [right, top, bottom] = [width - 10, 10, height - 26];
  const x = (step) => left + (step / last) * (right - left), y = (share) => bottom - ((share - low) / (high - low)) * (bottom - top);
  pen.strokeStyle = color("--line");
  pen.fillStyle = color("--soft");
  pen.textBaseline = "middle";
  labels.forEach((text, line) => {
    const at = bottom - (line / 2) * (bottom - top);
    pen.beginPath(); pen.moveTo(left, at); pen.lineTo(right, at); pen.stroke();
    pen.textAlign = "right"; pen.fillText(text, left - 6, at);
  });
  const rough = last / unit / 4, ten = 10 ** Math.floor(Math.log10(rough)), tick = ten * [1, 2, 5, 10].find((one) => one * ten >= rough * 0.99);
  for (let at = 0; points.length && at <= (last / unit) * 1.0001; at += tick) {
    const text = `${Number(at.toPrecision(6)).toLocaleString("en")}${about.rate ? " s" : ""}`;
    pen.textAlign = at === 0 ? "left" : x(at * unit) > right - 30 ? "right" : "center";
    pen.fillText(text, x(at * unit), height - 10);
  }
  places.forEach((place, index) => {
    pen.strokeStyle = color(`--c${index}`);
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.beginPath();
    points.forEach((point) => pen.lineTo(x(point.steps), y(point.shares[place])));
    pen.stroke();
    if (points.length) { pen.beginPath(); pen.fillStyle = color(`--c${index}`); pen.arc(x(last), y(shares[place]), 3, 0, 7); pen.fill(); }
  });
}

async function start() {
  const part = (id) => document.getElementById(id);
  const count = (number) => Math.round(number).toLocaleString("en");
  const problem = (error) => {
    part("problem").hidden = false;
    part("problem").textContent = error instanceof Problem ? error.message : `Something failed: ${error.message ?? error}`;
    document.body.dataset.state = "problem";
  };
  let about, stream;
  try {
    about = await (await fetch("model.json")).json();
    const ort = await import("./ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
    stream = new Stream(ort, await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] }), about);
  } catch (error) {
    part("title").textContent = "The model could not be loaded";
    return problem(error);
  }
  const text = about.input.kind === "characters", channels = about.input.size;
  const named = about.table.features.length && about.table.features.length <= 8 && about.table.rows !== "series" ? ` (${about.table.features.join(", ")})` : "";
  const names = about.classes.slice(0, 6).join(", ") + (about.classes.length > 6 ? ", …" : "");
  document.title = part("title").textContent = about.target === "class" ? `Which of ${names}?` : about.per_step ? `Each step one of ${names}` : names;
  part("over").textContent = `${about.target === "value" ? "Values" : "Probabilities"}, ${about.rate ? "by seconds" : "by steps"} read`;
  part("about").textContent = `${about.target === "class" ? "" : `It answers with ${about.answers}. `}${text ? "It reads texts, a character a step" : about.rate ? `It reads recordings at ${count(about.rate)} samples a second` : `It reads ${channels} ${channels === 1 ? "number" : "numbers"} a step${named}`}. Everything happens on this machine; nothing is sent.`;
  part("reads").textContent = text ? "or choose them: text" : about.rate ? "or choose them: WAV and other sound, or CSV of samples" : "or choose them: CSV, a step a line";
  part("typed").placeholder = text ? "Or type a text." : "Or paste numbers, a step a line.";
  part("listen").hidden = !about.rate || !navigator.mediaDevices;
  [`An ${about.network}.`.replace(/^An (?![aeioul])/, "A "), ...about.verdict].forEach((line) => {
    part("verdict").append(Object.assign(document.createElement("li"), { textContent: line[0].toUpperCase() + line.slice(1) }));
  });
  let shown = null, turn = 0, before = Promise.resolve(), due = 0;

  const paint = () => {
    draw(part("plot"), about, shown?.curve, shown?.shares, shown?.steps ?? 0);
    part("memory").textContent = `The state holds ${count(stream.bytes)} bytes${stream.whole ? ": the model reads each sequence as a whole" : `, as many after one step as after a million. Read: ${count(stream.steps)} steps`}.`;
    if (!shown) return;
    part("name").textContent = shown.name || "The answer";
    part("answer").textContent = worded(about, shown.shares);
    part("answer").className = "told";
    const places = drawn(about, shown.curve, shown.shares);
    const order = about.classes.map((_, place) => place).sort((a, b) => places.includes(b) - places.includes(a) || a - b);
    part("shares").replaceChildren(...order.slice(0, 100).map((place) => {
      const share = shown.shares[place], line = document.createElement("li");
      line.innerHTML = `<i></i><b></b><s><u></u></s><output></output>`;
      line.dataset.name = line.children[1].textContent = line.children[1].title = about.classes[place];
      line.dataset.share = share;
      if (places.includes(place)) line.children[0].style.background = `var(--c${places.indexOf(place)})`;
      line.children[2].style.visibility = about.target === "value" ? "hidden" : "visible";
      line.children[2].firstChild.style.width = `${100 * share}%`;
      line.children[3].textContent = about.target === "value" ? Number(share.toPrecision(6)).toString() : `${(100 * share).toFixed(1)} %`;
      return line;
    }));
  };

  /** Read what `make(stopped)` gives, once what was read before has stopped. */
  const run = (make, fallback) => {
    const mine = ++turn, stopped = () => mine !== turn;
    before = before.then(async () => {
      if (stopped()) return;
      part("problem").hidden = true;
      document.body.dataset.state = "running";
      part("stop").hidden = false;
      try {
        await follow(stream, make(stopped), async (name, shares, curve) => {
          shown = { name, shares, curve, steps: stream.steps };
          const began = performance.now();
          if (began > due) {
            paint();
            await new Promise((resolve) => { setTimeout(resolve); });
            due = performance.now() + Math.max(50, 4 * (performance.now() - began)); // painting takes a fifth of the time
          }
          return !stopped();
        }, (name, shares) => {
          if (name === fallback) return;
          const row = part("answers").insertRow(0);
          [name, `${count(stream.steps)} steps`, worded(about, shares)].forEach((cell) => { row.insertCell().textContent = cell; });
          part("finished").hidden = false;
          while (part("answers").rows.length > 200) part("answers").deleteRow(-1);
        }, fallback);
        document.body.dataset.state = "done";
      } catch (error) {
        problem(error);
      }
      part("stop").hidden = true;
      paint();
    });
  };
  const files = (given) => run(async function* () { for (const file of given) yield* piecesOf(file, file.name, about); });

  part("file").addEventListener("change", () => { files([...part("file").files]); part("file").value = ""; });
  for (const kind of ["dragover", "dragleave", "drop"])
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      part("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) files([...event.dataTransfer.files]);
    });
  let patience;
  part("typed").addEventListener("input", () => {
    clearTimeout(patience);
    const typed = part("typed").value;
    if (typed.trim()) patience = setTimeout(() => run(() => piecesOf(new Blob([typed]), text ? "" : ".csv", { ...about, encoding: "utf-8" }), text ? "typed text" : "pasted numbers"), 150);
  });
  part("listen").addEventListener("click", () => run((stopped) => microphone(about, stopped)));
  part("stop").addEventListener("click", () => { turn += 1; });
  window.addEventListener("resize", paint);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  document.body.dataset.state = "ready";
  paint();
  const asked = new URLSearchParams(location.hash.slice(1)).get("file"); // index.html#file=sample.csv reads a file beside the page
  if (asked) run(async function* () {
    const answer = await fetch(asked);
    if (!answer.ok) throw new Problem(`${asked}: expected a file beside this page, found none.`);
    yield* piecesOf(await answer.blob(), asked, about);
  });
}

if (typeof document !== "undefined") start();
