// About the file: who made it, under what licence, with what, and its digests.

const FIRST_KEYS = ["author", "authors", "license", "licence", "license_name", "license_link", "description", "summary", "version", "url", "homepage"];
const CUT = 240; // characters of a value that are shown at first

function drawAbout(report) {
  const { model, fingerprint } = report;
  const place = ([key]) => (FIRST_KEYS.includes(key.toLowerCase()) ? FIRST_KEYS.indexOf(key.toLowerCase()) : FIRST_KEYS.length);
  const metadata = Object.entries(model.metadata).map((pair) => [place(pair), pair]).sort((a, b) => a[0] - b[0]).map(([, pair]) => pair);
  const opsets = Object.entries(model.opset_imports).map(([domain, version]) => `${safe(domain, 80) || "ai.onnx"} ${written(version)}`);
  const facts = [
    ["file", model.path], ["format", model.format], ["size", `${exact(model.file_nbytes)} bytes`], ["SHA-256", model.sha256 ?? ""],
    ["producer", model.producer], ["graph", model.graph_name], ["IR version", written(model.ir_version)], ["opset imports", opsets.join(", ")],
    ["nodes", exact(model.node_count)], ["functions", num(model.function_count) ? exact(model.function_count) : ""],
    ["subgraphs", num(model.subgraph_count) ? exact(model.subgraph_count) : ""],
    ...["architecture", "weights", "content"].map((key) => [`fingerprint of ${key}`, fingerprint?.[key] ?? ""]),
  ];
  const files = model.side_files.map((file) => [safe(file.location, 200), file.nbytes === null ? "missing" : bytes(file.nbytes), file.sha256 ?? ""]);
  section("about", "About the file", null,
    aboutTable(facts.filter(([, value]) => value)),
    ...(metadata.length ? [el("h3", {}, "Metadata"), aboutTable(metadata)] : []),
    ...(files.length ? [el("h3", {}, "External data"), filesTable(files)] : []));
}

function aboutTable(pairs) {
  const most = 500;
  return el("div", { class: "panel wide" }, el("table", { class: "plain-table about" }, el("tbody", {}, ...pairs.slice(0, most).map(([key, value]) =>
    el("tr", {}, el("th", { scope: "row" }, safe(key, 120) || "(no name)"), el("td", {}, ...cutText(value)))))),
  pairs.length > most ? el("p", { class: "note" }, `and ${exact(pairs.length - most)} more, in the JSON report`) : "");
}

/** A text, and when it is long a button that shows all of it. */
function cutText(value) {
  const text = safe(value, Infinity);
  if (text.length <= CUT) return [text];
  const part = el("span", {}, `${text.slice(0, CUT)}… `);
  const button = el("button", { type: "button", class: "link", onclick: () => {
    part.textContent = text;
    button.remove();
  } }, `show all ${exact(text.length)} characters`);
  return [part, button];
}

function filesTable(rows) {
  return el("div", { class: "panel wide" }, el("table", { class: "plain-table" },
    el("thead", {}, el("tr", {}, ...["File", "Size", "SHA-256"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.slice(0, 200).map((row) => el("tr", {}, ...row.map((text) => el("td", {}, text)))))),
  rows.length > 200 ? el("p", { class: "note" }, `and ${exact(rows.length - 200)} more`) : "");
}
