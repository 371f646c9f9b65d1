// The page: header, map, bars, memory, times, changes, tables, findings, unknowns.

const PAGE = {};

async function main() {
  Object.assign(PAGE, await readData());
  PAGE.report.nodes = new Columns(PAGE.report.nodes);
  PAGE.report.tensors = new Columns(PAGE.report.tensors);
  const state = startState(PAGE);
  drawHeader(PAGE);
  drawDoubts(PAGE.report);
  drawMap(PAGE, state);
  drawBench(PAGE, state);
  drawMemory(PAGE);
  drawChanges(PAGE);
  drawFindings(PAGE);
  drawNodes(PAGE, state);
  drawTensors(PAGE);
  drawDuplicates(PAGE.report);
  drawUnknown(PAGE.report);
  drawNavigation();
  document.documentElement.dataset.ready = "true";
}

function startState(page) {
  const { totals } = page.report;
  const state = {
    measure: num(totals.nbytes.total) ? "nbytes" : "macs",
    colour: page.changes ? "growth" : "module",
    layout: "treemap",
    dims: Object.create(null), // a dimension may be called __proto__
    tree: buildTree(page.report),
    growth: new Map((page.changes?.rows ?? []).map((row) => [`${row.level}:${row.name}`, row])),
  };
  for (const name of formula(totals.macs_expression ?? "")?.symbols ?? []) state.dims[name] = 1;
  measure(state.tree, state.measure, page.report, state.dims);
  return state;
}

// ------------------------------------------------------------------------------------- header

function drawHeader(page) {
  const { model, totals, framework, peak, dims } = page.report;
  const opsets = Object.entries(model.opset_imports).map(([domain, version]) => `${safe(domain, 40) || "opset"} ${written(version)}`);
  const file = bytes(model.file_nbytes) + (num(model.external_nbytes) ? ` + ${bytes(model.external_nbytes)} external data` : "");
  const facts = [safe(model.producer, 60), opsets.slice(0, 6).join(", "), `IR ${written(model.ir_version)}`, `${exact(model.node_count)} nodes`, file];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
  const values = [...model.inputs.map((value) => ["input", value]), ...model.outputs.map((value) => ["output", value])];
  byId("values").append(...values.slice(0, 16).flatMap(([label, value]) => [
    el("dt", {}, label),
    el("dd", {}, el("b", {}, safe(value.name, 80)), ` ${safe(value.dtype)} ${shapeText(value.shape)}`),
  ]));
  if (values.length > 16) byId("values").append(el("dt", {}, ""), el("dd", {}, `and ${values.length - 16} more`));
  const bound = Object.entries(dims).map(([name, size]) => `${safe(name, 40)} = ${written(size)}`);
  if (bound.length) byId("values").append(el("dt", {}, "with"), el("dd", {}, bound.join(", ")));
  byId("stats").append(...statCards(page, totals, peak));
  if (page.sentence) byId("sentence").append(el("p", {}, safe(page.sentence, 600)));
}

function statCards(page, totals, peak) {
  const unknown = page.report.unknown;
  const counts = unknown.some((row) => row.affects === "counts");
  const cost = unknown.some((row) => row.affects === "cost");
  const least = (on, text) => (on ? "at least " : "") + text;
  const before = page.old?.totals;
  const versus = (pick, text) => (before ? difference(pick(before), pick(totals), text) : null);
  const cards = [
    card("Parameters", least(counts, human(totals.parameters)),
      versus((sums) => sums.parameters, human) ?? (num(totals.parameters) >= 10_000 ? exact(totals.parameters) : ""), counts),
    card("Weights", least(counts, bytes(totals.nbytes.total)),
      versus((sums) => sums.nbytes.total, bytes) ?? `${exact(totals.nbytes.total)} bytes`, counts),
  ];
  if (totals.macs !== null) {
    const known = before && before.macs !== null;
    cards.push(card("MACs", least(cost, human(totals.macs)), known ? difference(before.macs, totals.macs, human) : exact(totals.macs), cost));
  } else if (totals.macs_expression) cards.push(card("MACs", least(cost, pretty(totals.macs_expression)), "a forward pass, in dynamic dimensions", cost));
  if (peak) cards.push(card("Activations", least(cost, bytes(peak.nbytes)), `peak, at ${safe(peak.node, 48)}`, cost));
  for (const [key, label] of [["buffers", "Buffers"], ["quantization", "Quantization"], ["unused", "Unused"], ["generated", "Generated"]]) {
    if (num(totals[key])) cards.push(card(label, human(totals[key]), key === "generated" ? "elements made when it loads" : `${bytes(totals.nbytes[key])}`));
  }
  return cards;
}

function drawDoubts(report) {
  if (!report.unknown.length) return;
  const counts = report.unknown.filter((row) => row.affects === "counts");
  const box = byId("doubts");
  box.hidden = false;
  const about = counts.length ? "the counts" : "the cost of a forward pass";
  const first = report.unknown.slice(0, 3).map((row) => el("li", {}, `${safe(row.where, 120)}: ${safe(row.what, 120)}: ${safe(row.why, 300)}`));
  box.append(
    el("strong", {}, `Not everything is known: read ${about} as “at least”.`),
    el("ul", {}, ...first),
    report.unknown.length > 3 ? el("a", { href: "#unknown" }, `all ${exact(report.unknown.length)}`) : "",
  );
}

// ---------------------------------------------------------------------------------------- map

function drawMap(page, state) {
  const select = (item) => (byId("map-readout").textContent = readout(item, page.report, state));
  const map = new TreeMap(state.tree, page.report, state, select);
  const redo = () => {
    measure(state.tree, state.measure, page.report, state.dims);
    map.draw();
    drawBars(page, state);
    select(map.zoomed);
    byId("map-dims").hidden = state.measure !== "macs" || !Object.keys(state.dims).length;
  };
  const has = { nbytes: true, parameters: num(page.report.totals.parameters) > 0, macs: hasMacs(page.report.totals) };
  const measures = Object.entries(MEASURES).filter(([key]) => has[key]).map(([key, { label }]) => [key, label]);
  const colours = [["module", "Module"], ["kind", "Kind"], ["dtype", "Type"], ["op_type", "Operator"]];
  if (page.changes) colours.unshift(["growth", "Growth"]);
  byId("map-tools").append(
    choice("Size", measures, state.measure, (key) => { state.measure = key; redo(); }),
    choice("Colour", colours, state.colour, (key) => { state.colour = key; map.draw(); }),
    choice("Layout", [["treemap", "Treemap"], ["icicle", "Icicle"]], state.layout, (key) => { state.layout = key; map.draw(); }),
  );
  const names = Object.keys(state.dims);
  if (names.length) {
    byId("map-dims").append(el("span", { class: "choice-label" }, "Dynamic dimensions, at"), ...names.map((name) =>
      el("label", {}, `${safe(name, 40)} = `, el("input", { type: "number", min: "1", step: "1", value: "1", "data-dim": name,
        oninput: (event) => { state.dims[name] = Math.max(1, Math.floor(Number(event.target.value)) || 1); redo(); } }))));
  }
  redo();
}

const hasMacs = (totals) => num(totals.macs) > 0 || Boolean(totals.macs_expression);

/** What the line under the map says of a tile. */
function readout(item, report, state) {
  const { text, unit } = MEASURES[state.measure];
  const parts = [item.kind === "model" ? "the whole model" : safe(item.path || item.name, 160)];
  if (item.kind === "node") parts.push(safe(item.op, 60), shapeText(report.nodes.get("output_shapes", item.row)[0]));
  if (item.kind === "tensor") {
    const get = (name) => report.tensors.get(name, item.row);
    parts.push(`${safe(get("dtype"))} ${shapeText(get("shape"))}`, `${safe(get("kind"))}, ${safe(get("role"))}`);
  }
  parts.push(`${text(item.value)}${unit === "bytes" ? "" : " " + unit} (${percent(item.value, state.tree.value) || "0%"})`);
  const row = state.growth.get(`${item.kind}:${item.path}`);
  if (row?.status === "added") parts.push("new");
  else if (num(row?.delta[state.measure])) parts.push(signed(row.delta[state.measure], text));
  if (item.kind === "node" && report.nodes.get("explain", item.row)) parts.push(safe(report.nodes.get("explain", item.row), 200));
  return parts.filter(Boolean).join(" · ");
}

// ------------------------------------------------------------------------------------- tables

function drawNodes(page, state) {
  const { nodes } = page.report;
  if (!nodes.length) return;
  const macs = (row) => amount(nodes.get("macs", row), nodes.get("macs_expression", row), state.dims) ?? 0;
  const table = new RowTable({
    label: "Nodes", length: nodes.length,
    search: (row) => `${nodes.get("id", row)} ${operator(nodes, row)} ${nodes.get("module", row)}`,
    columns: [
      { key: "id", label: "Node", name: true, width: "minmax(14rem, 3fr)", text: (row) => safe(nodes.get("id", row)) },
      { key: "op_type", label: "Operator", width: "minmax(8rem, 1fr)", text: (row) => safe(operator(nodes, row), 60) },
      { key: "shape", label: "Output", minor: true, width: "minmax(9rem, 1.4fr)", text: (row) => shapeText(nodes.get("output_shapes", row)[0]) },
      { key: "parameters", label: "Parameters", num: true, sort: (row) => num(nodes.get("parameters", row)), text: (row) => nonZero(nodes.get("parameters", row), exact) },
      { key: "nbytes", label: "Bytes", num: true, minor: true, sort: (row) => num(nodes.get("nbytes", row)), text: (row) => nonZero(nodes.get("nbytes", row), bytes) },
      { key: "macs", label: "MACs", num: true, minor: true, sort: macs, text: (row) => macsText(nodes, row) },
    ],
    details: (row) => [
      safe(nodes.get("explain", row), 600),
      nodes.get("module", row) ? `module ${safe(nodes.get("module", row))}` : "",
      nodes.get("scope", row) ? `inside ${safe(nodes.get("scope", row))}` : "",
      `outputs ${nodes.get("output_shapes", row).map((shape) => shapeText(shape) || "of unknown shape").join(", ") || "none"}`,
    ],
  });
  section("nodes", "Nodes", null, table.element);
  table.draw();
}

function macsText(nodes, row) {
  const known = nodes.get("macs", row);
  if (known !== null) return num(known) ? exact(known) : "";
  return nodes.get("macs_expression", row) ? pretty(nodes.get("macs_expression", row)) : "?";
}

const nonZero = (value, text) => (num(value) ? text(value) : "");

function drawTensors(page) {
  const { tensors, nodes } = page.report;
  if (!tensors.length) return;
  const nodeName = (place) => (typeof place === "number" ? nodes.get("id", place) : place ?? "");
  const table = new RowTable({
    label: "Tensors", length: tensors.length,
    search: (row) => ["name", "dtype", "kind", "role", "module"].map((key) => tensors.get(key, row)).join(" "),
    columns: [
      { key: "name", label: "Tensor", name: true, width: "minmax(14rem, 3fr)", text: (row) => safe(tensors.get("name", row)) },
      { key: "dtype", label: "Type", text: (row) => safe(tensors.get("dtype", row)) },
      { key: "shape", label: "Shape", minor: true, width: "minmax(8rem, 1fr)", text: (row) => shapeText(tensors.get("shape", row)) },
      { key: "kind", label: "Kind", minor: true, text: (row) => safe(tensors.get("kind", row)) },
      { key: "role", label: "Role", minor: true, text: (row) => safe(tensors.get("role", row), 60) },
      { key: "elements", label: "Elements", num: true, minor: true, sort: (row) => num(tensors.get("elements", row)), text: (row) => exact(tensors.get("elements", row)) },
      { key: "nbytes", label: "Bytes", num: true, sort: (row) => num(tensors.get("nbytes", row)), text: (row) => bytes(tensors.get("nbytes", row)) },
    ],
    details: (row) => [
      `${safe(tensors.get("kind", row))}, ${safe(tensors.get("role", row))}: ${safe(tensors.get("reason", row), 400)}`,
      tensors.get("uses", row).length ? `used by ${tensors.get("uses", row).slice(0, 12).map(([node]) => safe(nodeName(node), 80)).join(", ")}` : "used by no node",
      `stored as ${safe(tensors.get("storage.where", row))}` + (tensors.get("storage.location", row) ? ` in ${safe(tensors.get("storage.location", row))}` : "") +
        (tensors.get("storage.offset", row) !== null ? ` at byte ${exact(tensors.get("storage.offset", row))}` : ""),
    ],
  });
  section("tensors", "Tensors", null, table.element);
  table.draw();
}

// ------------------------------------------------------------------------- findings, unknowns

function drawFindings(page) {
  const { findings, audit } = page.report;
  if (!audit && !findings.length) return;
  const plural = (count, word) => `${exact(count)} ${word}${count === 1 ? "" : "s"}`;
  const note = audit
    ? `${findings.length ? plural(findings.length, "finding") : "No finding"}; ${plural(audit.rules.length, "rule")} ran` +
      (audit.skipped.length ? `, ${plural(audit.skipped.length, "rule")} did not` : "") +
      (audit.complete ? "." : "; the audit is not complete.") + " No finding means that no known sign was found, not that a model is safe."
    : null;
  const list = el("ol", { class: "findings" }, ...findings.slice(0, 500).map((finding) => drawFinding(finding, page.rules[finding.rule])));
  section("findings", "Findings", note, list, findings.length > 500 ? el("p", {}, `${exact(findings.length - 500)} more are in the JSON report.`) : "");
}

function drawFinding(finding, rule) {
  const pairs = (values) => Object.entries(values).map(([key, value]) => `${safe(key, 60)} ${safe(typeof value === "string" ? value : JSON.stringify(value), 240)}`);
  return el("li", { class: "finding" },
    el("div", {}, el("span", { class: `severity ${SEVERITIES.has(finding.severity) ? finding.severity : ""}` }, safe(finding.severity, 20)), " ",
      el("b", {}, safe(finding.rule, 20)), rule ? ` ${safe(rule.name, 60)}` : ""),
    el("p", {}, safe(finding.message, 600)),
    el("p", { class: "soft" }, pairs(finding.where).join(", ")),
    Object.keys(finding.evidence).length || rule ? el("details", {}, el("summary", {}, "Evidence and remedy"),
      el("ul", {}, ...pairs(finding.evidence).map((line) => el("li", {}, line))),
      rule ? el("pre", {}, rule.help) : "") : "");
}

const SEVERITIES = new Set(["info", "low", "medium", "high", "critical"]);

function drawDuplicates(report) {
  const rows = report.duplicates;
  if (!rows.length) return;
  const table = new RowTable({
    label: "Copies", length: rows.length,
    columns: [
      { key: "tensors", label: "Tensors", name: true, width: "minmax(14rem, 4fr)", text: (row) => rows[row].tensors.slice(0, 20).map((name) => safe(name, 80)).join(", ") },
      { key: "count", label: "Copies", num: true, sort: (row) => rows[row].tensors.length, text: (row) => exact(rows[row].tensors.length) },
      { key: "nbytes", label: "One would save", num: true, sort: (row) => num(rows[row].nbytes), text: (row) => bytes(rows[row].nbytes) },
    ],
  });
  section("duplicates", "Stored more than once", null, table.element);
  table.draw();
}

function drawUnknown(report) {
  const rows = report.unknown;
  if (!rows.length) return;
  const table = new RowTable({
    label: "Unknowns", length: rows.length,
    columns: [
      { key: "where", label: "Where", name: true, width: "minmax(10rem, 2fr)", text: (row) => safe(rows[row].where) },
      { key: "what", label: "What", text: (row) => safe(rows[row].what, 80) },
      { key: "why", label: "Why", width: "minmax(12rem, 3fr)", text: (row) => safe(rows[row].why, 300) },
      { key: "affects", label: "Makes uncertain", minor: true, text: (row) => rows[row].affects },
    ],
    details: (row) => [`${safe(rows[row].what, 200)}: ${safe(rows[row].why, 600)}`],
  });
  section("unknown", "What is not known", "These make totals lower bounds; nothing unknown is counted as zero.", table.element);
  table.draw();
}

function drawNavigation() {
  const links = [...document.querySelectorAll("main > section:not([hidden])")].map((part) =>
    el("li", {}, el("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
  byId("sections").append(...links);
}

// -------------------------------------------------------------------------------------- theme

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

main().catch((error) => {
  byId("doubts").hidden = false;
  byId("doubts").textContent = `This page could not be drawn (${error.message}). It needs a browser of 2024 or newer.`;
});
