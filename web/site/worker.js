// The worker: Python (Pyodide) with the package, and the files of a drop as a folder of their own.
//
// Files are mounted, not copied: Emscripten's WORKERFS reads slices of them by position, so of a model
// of many gigabytes its graph is read.

import { loadPyodide } from "./pyodide/pyodide.mjs";

const LOAD_NBYTES = 'LOAD_NBYTES';
const FOLDER = "/files";
const PACKAGE = "/package";

const here = (name) => new URL(name, import.meta.url).href;

const stopped = (why) => self.postMessage({ stopped: why });

// Pyodide tells nothing of how far its files are, nor that one is missing, so what it fetches is looked
// at: in a copy, for of its own answer the browser keeps the compiled WebAssembly until the next visit.
const fetchPlainly = self.fetch.bind(self);
let loadedNbytes = 0;
self.fetch = async (...request) => {
  const response = await fetchPlainly(...request);
  if (!response.ok) stopped(`${response.url}: ${response.status}`);
  response.clone().body?.pipeTo(new WritableStream({
    write(chunk) {
      loadedNbytes += chunk.byteLength;
      self.postMessage({ loaded: Math.min(1, loadedNbytes / LOAD_NBYTES) });
    },
  })).catch(() => {}); // whoever fetched it learns what is wrong
  return response;
};

async function start() {
  const wanted = self.fetch(here("graphcount.zip"));
  const python = await loadPyodide({ indexURL: here("pyodide/"), checkAPIVersion: true });
  const response = await wanted;
  python.unpackArchive(await response.arrayBuffer(), "zip", { extractDir: PACKAGE });
  python.FS.mkdirTree(FOLDER);
  python.runPython(`import sys; sys.path.insert(0, "${PACKAGE}"); sys.dont_write_bytecode = True`);
  const bridge = python.pyimport("bridge");
  bridge.run("warm", "{}", () => {});
  self.postMessage({ ready: true });
  return { python, bridge };
}

const started = start();
started.catch((error) => stopped(String(error)));
let mounted = false;

// Put other files in the place of those that are mounted: `[{ path, file }]`.
function mount({ FS }, files) {
  FS.chdir("/");
  if (mounted) FS.unmount(FOLDER);
  mounted = false;
  const blobs = files.map(({ path, file }) => ({ name: path, data: file }));
  FS.mount(FS.filesystems.WORKERFS, { blobs }, FOLDER);
  mounted = true;
  FS.chdir(FOLDER);
}

self.onmessage = async ({ data: { id, files, name, given } }) => {
  try {
    const { python, bridge } = await started;
    if (files) mount(python, files);
    const answer = bridge.run(name, JSON.stringify(given), (note) => self.postMessage({ id, note }));
    self.postMessage({ id, nbytes: python._module.HEAPU8.length, ...JSON.parse(answer) });
  } catch (error) {
    self.postMessage({ id, bug: true, error: `internal error, please report: ${String(error).slice(0, 400)}` });
  }
};
