// The page: takes files, asks the worker, shows the report in a frame that can do nothing else.

const one = (id) => document.getElementById(id);
const show = (element, visible = true) => { element.hidden = !visible; };

// Names are a model's own: they become text, never markup.
function el(tag, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

const policy = window.trustedTypes?.createPolicy("graphcount", {
  createScriptURL: (name) => {
    if (name === "worker.js" || name === "sw.js") return name;
    throw new TypeError(name);
  },
});
const script = (name) => policy?.createScriptURL(name) ?? name;

// ------------------------------------------------------------------------------- the worker

// One worker, started at once; one that was cancelled or that failed is replaced by a new one.
const engine = {
  worker: null,
  calls: new Map(),
  sent: null,
  next: 1,
  lost: "", // why there is none

  start() {
    this.sent = null;
    engineState("Loading Python, once", 0);
    this.worker = new Worker(script("worker.js"), { type: "module" });
    this.worker.onmessage = ({ data }) => this.heard(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      const line = event.message || "the worker cannot be loaded";
      if (one("engine").dataset.state === "ready") this.restart(`internal error, please report: ${line}`);
      else this.stopped(`Python cannot be loaded: ${line}`);
    };
  },

  heard(data) {
    if (data.loaded !== undefined) engineState(`Loading Python, once: ${Math.round(100 * data.loaded)} %`, data.loaded);
    else if (data.ready) {
      engineState("Ready", 1, "ready");
      if (one("busy").hidden) one("status").textContent = "Ready";
    }
    else if (data.stopped) this.stopped(`Python cannot be loaded: ${data.stopped}`);
    else if (data.note !== undefined) busyText(data.note);
    else this.answered(data);
  },

  answered({ id, result, error, bug, nbytes }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (nbytes) document.documentElement.dataset.memory = nbytes;
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
    if (bug) this.restart();
  },

  stopped(line) {
    this.lost = `${line}; reload the page to try again`;
    this.worker.terminate();
    engineState(this.lost, 0, "stopped");
    this.fail(this.lost);
  },

  fail(line) {
    for (const { reject } of this.calls.values()) reject(new Error(line));
    this.calls.clear();
  },

  restart(line = "") {
    this.worker.terminate();
    this.fail(line);
    this.start();
  },

  // Call a function of `bridge.py`; files go along when the worker does not have them yet.
  call(name, given, files) {
    if (this.lost) return Promise.reject(new Error(this.lost));
    const id = this.next++;
    this.worker.postMessage({ id, name, given, files: this.sent === files ? null : files });
    this.sent = files;
    return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }));
  },
};

function engineState(text, part, state = "loading") {
  one("engine-text").textContent = text;
  one("engine-bar").value = part;
  one("engine").dataset.state = state;
}

// -------------------------------------------------------------------------- what was dropped

// What is on the screen: what the worker had as a folder (`files`: `[{ path, file }]`), what of it can
// be looked at, what was asked of it, the sizes assumed then, and the page that came of it.
const NOTHING = { files: [], models: [], folders: [], job: { model: "", against: null, dims: {} }, assumed: {}, html: "" };
let current = NOTHING;
let address = null; // of the page in the frame
let run = 0; // the latest report that was asked for

const MOST_FILES = 10_000;

const ofInput = (input) => [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

const entriesOf = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function ofEntries(entries) {
  const files = [];
  const waiting = entries.map((entry) => [entry, entry.name]);
  while (waiting.length) {
    const [entry, path] = waiting.pop();
    if (entry.isFile) files.push({ path, file: await fileOf(entry) });
    else {
      const reader = entry.createReader();
      for (let some = await entriesOf(reader); some.length; some = await entriesOf(reader))
        waiting.push(...some.map((inner) => [inner, `${path}/${inner.name}`]));
    }
    if (files.length + waiting.length > MOST_FILES) throw new Error(`more than ${MOST_FILES.toLocaleString("en")} files in the folder`);
  }
  return files;
}

async function ofTransfer(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return entries.length ? ofEntries(entries) : [...transfer.files].map((file) => ({ path: file.name, file }));
}

const paths = (files) => files.map(({ path }) => path);

async function take(promised) {
  await attempt("Looking at the files", async (isLatest) => {
    const files = await promised;
    if (!files.length) return;
    const { models, folders } = await engine.call("listing", { paths: paths(files) }, files);
    const [first, second] = models;
    const pair = !folders.length && models.length === 2;
    const job = { model: folders[0] ?? (pair ? second : first), against: pair ? first : null, dims: {} };
    await look({ ...NOTHING, files, models, folders, job }, isLatest);
  });
}

// A second model beside the first: of the same name it gets a folder of its own.
async function compareWith(files) {
  const taken = paths(current.files);
  const clash = files.some(({ path }) => taken.includes(path));
  let folder = "other";
  for (let n = 2; clash && taken.some((path) => path.startsWith(`${folder}/`)); n++) folder = `other${n}`;
  const added = clash ? files.map(({ path, file }) => ({ path: `${folder}/${path}`, file })) : files;
  await attempt("Looking at the files", async (isLatest) => {
    const all = [...current.files, ...added];
    const { models } = await engine.call("listing", { paths: paths(added) }, all);
    const job = { ...current.job, against: models[0] };
    await look({ ...current, files: all, models: [...new Set([...current.models, ...models])], job }, isLatest);
  });
}

// ------------------------------------------------------------------------------- the report

// Do something that takes a while: one at a time, and what goes wrong is one line.
async function attempt(text, work) {
  const mine = ++run;
  const isLatest = () => mine === run;
  show(one("error"), false);
  for (const menu of document.querySelectorAll("details.menu")) menu.open = false;
  busy(text);
  try {
    await work(isLatest);
  } catch (error) {
    if (isLatest() && error.message) fail(error.message);
  } finally {
    if (isLatest()) busy(null);
  }
}

// Ask for a report; it takes the place of the one on the screen when it is there.
async function look(next, isLatest) {
  const { job, files } = next;
  if (!isLatest()) return;
  const began = performance.now();
  busy(`Counting ${job.model}`);
  const { html, sizes, skipped } = await engine.call("report", { job }, files);
  if (!isLatest()) return;
  await frame(html, job.model);
  current = { ...next, html, assumed: Object.keys(job.dims).length ? next.assumed : sizes };
  result(skipped, ((performance.now() - began) / 1000).toFixed(2));
}

function ask(job) {
  return attempt(`Counting ${job.model}`, (isLatest) => look({ ...current, job }, isLatest));
}

// The report in a frame without an origin of its own: it can reach neither this page nor its storage.
function frame(html, model) {
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([html], { type: "text/html" }));
  const inner = el("iframe", { title: `Report of ${model}`, src: address });
  inner.setAttribute("sandbox", "allow-scripts");
  const loaded = new Promise((resolve) => { inner.onload = resolve; });
  document.body.classList.add("has-result");
  show(one("start"), false);
  show(one("result"));
  one("frame").replaceChildren(inner);
  return loaded;
}

function result(skipped, seconds) {
  const { job, models, folders } = current;
  const against = job.against ? `against ${job.against}` : "";
  document.title = `${job.model} - graphcount`;
  one("result-title").textContent = one("result-title").title = job.model;
  one("result-note").textContent = `${against}${against && ", "}${seconds} s, in this tab`;
  choices(one("model"), [...folders, ...models], job.model, null);
  show(one("model-label"), folders.length + models.length > 1);
  const others = models.filter((path) => path !== job.model);
  choices(one("against"), others, job.against, "nothing");
  show(one("against-label"), others.length > 0);
  sizeFields();
  notRun(skipped);
  downloads();
  one("status").textContent = `The report of ${job.model} ${against} is ready.`;
  one("result-title").focus({ preventScroll: true });
  document.documentElement.dataset.report = String(run);
}

function notRun(skipped) {
  const reasons = [...new Set(skipped.map(([, reason]) => reason))];
  const ids = (why) => skipped.filter(([, reason]) => reason === why).map(([rule]) => rule).join(", ");
  const lines = reasons.map((why) => `${ids(why)} (${why})`);
  const many = `${skipped.length} rule${skipped.length === 1 ? "" : "s"}`;
  one("skipped").querySelector("summary").textContent = `${many} did not run`;
  one("skipped").querySelector("p").textContent = `The audit is not complete. These rules of it did not run: ${lines.join(", ")}.`;
  show(one("skipped"), skipped.length > 0);
}

function choices(select, names, chosen, none) {
  const rows = names.map((name) => el("option", { value: name, selected: name === chosen }, name));
  if (none) rows.unshift(el("option", { value: "", selected: !chosen }, none));
  select.replaceChildren(...rows);
}

function sizeFields() {
  const fields = Object.entries(current.assumed).map(([name, size]) => {
    const input = el("input", { type: "number", min: "0", max: "9007199254740991", name, defaultValue: size });
    input.value = Object.hasOwn(current.job.dims, name) ? current.job.dims[name] : size;
    return el("label", {}, el("code", {}, name), input);
  });
  one("sizes-fields").replaceChildren(...fields);
  show(one("open-sizes"), fields.length > 0);
}

const stem = (path) => path.split("/").at(-1).replace(/\.onnx$/i, "") || "model";

const FORMS = { html: ["Page (HTML)", "text/html"], json: ["JSON", "application/json"], csv: ["CSV", "text/csv"] };

function downloads() {
  const { job, folders } = current;
  const kind = job.against ? "diff" : folders.includes(job.model) ? "deployment" : "";
  const forms = Object.keys(FORMS).filter((form) => kind !== "deployment" || form !== "csv");
  one("downloads-list").replaceChildren(...forms.map((form) => {
    const button = el("button", { type: "button", className: "button", onclick: () => download(form, kind) }, FORMS[form][0]);
    button.dataset.form = form;
    return button;
  }));
}

async function download(form, kind) {
  const { job, files, html } = current;
  await attempt(`Writing ${form.toUpperCase()}`, async (isLatest) => {
    const text = form === "html" ? html : await engine.call("text", { job, form }, files);
    if (!isLatest()) return;
    const href = URL.createObjectURL(new Blob([text], { type: FORMS[form][1] }));
    el("a", { href, download: [stem(job.model), kind, form].filter(Boolean).join(".") }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  });
}

// ------------------------------------------------------------------------------ what is seen

function busy(text) {
  show(one("busy"), text !== null);
  document.body.classList.toggle("is-busy", text !== null);
  if (text !== null) one("status").textContent = text;
  busyText(text ?? "");
}

const busyText = (text) => { one("busy-text").textContent = text; };

function fail(line) {
  one("error").textContent = line;
  show(one("error"));
}

function startAgain() {
  run++;
  busy(null);
  show(one("error"), false);
  current = NOTHING;
  one("frame").replaceChildren();
  document.title = "graphcount";
  document.body.classList.remove("has-result");
  show(one("result"), false);
  show(one("start"));
  one("start-title").focus();
}

function cancel() {
  run++;
  engine.restart();
  busy(null);
  one("status").textContent = "Cancelled.";
}

for (const id of ["files", "folder"]) {
  one(id).onchange = ({ target }) => {
    const files = ofInput(target);
    target.value = "";
    take(files);
  };
}
one("other").onchange = ({ target }) => {
  const files = ofInput(target);
  target.value = "";
  compareWith(files);
};
one("example").onclick = () => take(fetch("example.onnx").then(async (response) => [{ path: "example.onnx", file: await response.blob() }]));
one("model").onchange = ({ target: { value } }) => {
  const { against } = current.job;
  ask({ model: value, against: value === against ? null : against, dims: {} });
};
one("against").onchange = ({ target: { value } }) => ask({ ...current.job, against: value || null });
one("sizes-form").onsubmit = (event) => {
  event.preventDefault();
  const inputs = [...one("sizes-fields").querySelectorAll("input")].filter((input) => input.value !== "" && input.value !== input.defaultValue);
  ask({ ...current.job, dims: Object.fromEntries(inputs.map((input) => [input.name, Number(input.value)])) });
};
one("sizes-form").onreset = () => ask({ ...current.job, dims: {} });
one("cancel").onclick = cancel;
one("again").onclick = startAgain;

addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (!one("busy").hidden) cancel();
});

// Anywhere on the page a file may be dropped; what leaves the browser's own hands is stopped.
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("is-over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("is-over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("is-over");
  take(ofTransfer(event.dataTransfer));
});

engine.start();

// ------------------------------------------------------------------------- without a network

async function offline() {
  const registration = await navigator.serviceWorker.register(script("sw.js"));
  const waiting = () => show(one("update"), Boolean(registration.waiting && navigator.serviceWorker.controller));
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", waiting));
  waiting();
  let wanted = false;
  one("update").onclick = () => {
    wanted = true;
    registration.waiting?.postMessage("take over");
  };
  navigator.serviceWorker.addEventListener("controllerchange", () => wanted && location.reload());
  await navigator.serviceWorker.ready;
  show(one("offline"));
  document.documentElement.dataset.offline = "ready";
}

if ("serviceWorker" in navigator) offline().catch(() => {}); // without it the site needs its server
