// The service worker: the site without a network, whole and of one version.
//
// A version is all files by their digests. It is fetched and checked whole, beside the one in use, and
// takes its place when no tab uses that any more, or when the reader asks for it.

const MANIFEST = 'MANIFEST';

const PREFIX = "graphcount-";
const place = (name) => new URL(name, self.registration.scope).href;
const NAMES = new Map(Object.keys(MANIFEST).map((name) => [place(name), name]));

const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const sha256 = async (bytes) => base64(await crypto.subtle.digest("SHA-256", bytes));

async function cacheName() {
  const digest = await sha256(new TextEncoder().encode(JSON.stringify(MANIFEST)));
  return PREFIX + digest.slice(0, 22);
}

async function keep(cache, name) {
  const response = await fetch(place(name), { cache: "no-cache" });
  const bytes = await response.clone().arrayBuffer();
  if (!response.ok || `sha256-${await sha256(bytes)}` !== MANIFEST[name]) throw new Error(`${name} is of another version`);
  await cache.put(place(name), response);
}

async function install() {
  const cache = await caches.open(await cacheName());
  await Promise.all(Object.keys(MANIFEST).map((name) => keep(cache, name)));
}

async function activate() {
  const mine = await cacheName();
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== mine).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  const url = new URL(request.url);
  url.search = url.hash = "";
  const wanted = url.href === self.registration.scope ? place("index.html") : url.href;
  const cache = await caches.open(await cacheName());
  return (NAMES.has(wanted) && (await cache.match(wanted))) || fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.data === "take over" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});
