// The page: header, map, bars, memory, times, changes, tables, findings, unknowns.

const PAGE = {};

async function main() {
  Object.assign(PAGE, await readData());
  PAGE.report.nodes = new Columns(PAGE.report.nodes);
  PAGE.report.tensors = new Columns(PAGE.report.tensors);
  if (PAGE.report.assumed) PAGE.report.assumed.nodes = new Columns(PAGE.report.assumed.nodes);
  const sizes = new Sizes(PAGE.report, PAGE.formulas);
  const state = startState(PAGE, sizes);
  drawHeader(PAGE);
  const redrawMap = drawMap(PAGE, state, () => {
    network?.refresh();
    link.changed();
  });
  const network = drawNetwork(PAGE, state, { openInTable });
  drawDeployment(PAGE);
  drawBench(PAGE, sizes);
  drawHistory(PAGE);
  drawMemory(PAGE, sizes);
  drawRanges(PAGE.report);
  drawChanges(PAGE);
  drawFindings(PAGE);
  const redrawNodes = drawNodes(PAGE, sizes);
  drawTensors(PAGE);
  drawDuplicates(PAGE.report);
  drawAbout(PAGE.report);
  drawMismatches(PAGE.report);
  const drawn = { map: redrawMap, nodes: redrawNodes, network: () => network?.refresh() };
  const showSizes = drawSizes(sizes, () => redraw(PAGE, state, drawn));
  keepSizes(sizes, showSizes);
  redraw(PAGE, state, drawn);
  drawNavigation();
  link.load();
  window.addEventListener("hashchange", () => link.load());
  document.documentElement.dataset.ready = "true";
}

/** Everything that depends on sizes, at those that are chosen. */
function redraw(page, state, drawn) {
  const { sizes } = state;
  byId("stats").replaceChildren(...statCards(page, sizes));
  drawDoubts(page, sizes.record);
  drawUnknown(sizes.record);
  sayMemorySizes(page, sizes);
  drawn.map(sizes);
  drawn.network();
  drawn.nodes();
  link.changed();
}

function startState(page, sizes) {
  const { totals } = page.report;
  const state = {
    measure: num(totals.nbytes.total) ? "nbytes" : "macs",
    colour: page.changes ? "growth" : "module",
    layout: "treemap",
    sizes,
    tree: buildTree(page.report),
    growth: new Map((page.changes?.rows ?? []).map((row) => [`${row.level}:${row.name}`, row])),
  };
  measure(state.tree, state.measure, page.report, sizes);
  return state;
}

// ------------------------------------------------------------------------------------- header

function drawHeader(page) {
  const { model, dims } = page.report;
  const opsets = Object.entries(model.opset_imports).map(([domain, version]) => `${safe(domain, 40) || "opset"} ${written(version)}`);
  const file = bytes(model.file_nbytes) + (num(model.external_nbytes) ? ` + ${bytes(model.external_nbytes)} external data` : num(model.referenced_nbytes) ? ` + ${bytes(model.referenced_nbytes)} out of reach` : "");
  const facts = [safe(model.producer, 60), opsets.slice(0, 6).join(", "), `IR ${written(model.ir_version)}`, `${exact(model.node_count)} nodes`, file];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
  const values = [...model.inputs.map((value) => ["input", value]), ...model.outputs.map((value) => ["output", value])];
  byId("values").append(...values.slice(0, 16).flatMap(([label, value]) => [
    el("dt", {}, label),
    el("dd", {}, el("b", {}, safe(value.name, 80)), ` ${safe(value.dtype)} ${shapeText(value.shape)}${value.declared ? ` (declared ${shapeText(value.declared)})` : ""}`),
  ]));
  if (values.length > 16) byId("values").append(el("dt", {}, ""), el("dd", {}, `and ${values.length - 16} more`));
  const bound = Object.entries(dims).map(([name, size]) => `${safe(name, 40)} = ${written(size)}`);
  if (bound.length) byId("values").append(el("dt", {}, "with"), el("dd", {}, bound.join(", ")));
  if (page.sentence) byId("sentence").append(el("p", {}, safe(page.sentence, 600)));
}

function statCards(page, sizes) {
  const { totals, dimensions } = page.report;
  const stored = sizes.isBound("parameters");
  const versus = (pick, text) => compared(page, pick, pick(totals), text);
  const cards = [
    card("Parameters", least(stored, human(totals.parameters)),
      versus((sums) => sums.parameters, human) ?? (num(totals.parameters) >= 10_000 ? exact(totals.parameters) : ""), stored),
    card("Weights", least(stored, bytes(totals.nbytes.total)),
      versus((sums) => sums.nbytes.total, bytes) ?? `${exact(totals.nbytes.total)} bytes`, stored),
  ];
  if (sizes.counted) cards.push(...costCards(page, sizes, dimensions.length > 0));
  if (page.report.sparsity) cards.push(zerosCard(page.report.sparsity, page.old?.sparsity));
  const generated = page.report.unknown.some((row) => row.affects === "generated");
  for (const [key, label] of [["buffers", "Buffers"], ["quantization", "Quantization"], ["unused", "Unused"], ["generated", "Generated"]]) {
    if (!num(totals[key]) && !num(page.old?.totals[key])) continue;
    const detail = key === "generated" ? "elements made when it loads" : `${bytes(totals.nbytes[key])}`;
    cards.push(card(label, least(key === "generated" && generated, human(totals[key])), versus((sums) => sums[key], human) ?? detail, key === "generated" && generated));
  }
  if (page.old) cards.push(card("Nodes", exact(page.report.model.node_count), difference(page.old.node_count, page.report.model.node_count, exact)));
  return cards;
}

/** How a total differs from that of the other model; null where there is none. */
const compared = (page, pick, now, text) => (page.old ? difference(pick(page.old.totals), now, text) : null);

/** Share of zeros among learned elements, or among all where none is learned. */
function zerosCard(row, old) {
  const [zeros, whole, what] = num(row.parameters) ? ["parameter_zeros", "parameters", "parameters"] : ["zeros", "elements", "elements"];
  const share = (of) => percent(num(of[zeros]), num(of[whole]));
  const unread = row.tensors.filter((tensor) => tensor.zeros === null).length;
  const before = old ? `; ${share(old) || "none"} before` : "";
  return card("Zeros", share(row) || (unread ? "?" : "none"), `of ${what}` + before + (unread ? `; ${exact(unread)} tensors not known` : ""), unread > 0);
}

/** MACs, element-wise work, activations and their peak, at the sizes chosen. */
function costCards(page, sizes, dynamic) {
  const cards = [];
  const old = page.old && page.old.same_sizes && !sizes.changed ? page.old : null;
  const versus = (before, now, text) => (!page.old ? null : !old ? "sizes of the two differ" : before === null ? "not known before" : difference(before, now, text));
  const add = (label, value, measure, text, detail, before) => {
    const bound = sizes.isBound(measure) || (value === null && dynamic);
    cards.push(value === null ? card(label, "not known", dynamic ? "at these sizes" : "", true)
      : card(label, least(sizes.isBound(measure), text(value)), versus(before, value, text) ?? detail, bound));
  };
  const digits = (value) => (value === null || value < 10_000 ? "" : exact(value));
  const { sum, lacking } = sizes.allMacs();
  const known = lacking && !sum ? null : sum;
  const before = (name) => whole(old?.totals[name] ?? null);
  const most = sizes.record.totals.macs_at_most;
  if (known !== null && lacking && !sizes.isBound("macs")) cards.push(card("MACs", least(true, human(sum)), `${exact(lacking)} node${lacking === 1 ? " is" : "s are"} not known${dynamic ? " at these sizes" : ""}`, true));
  else add("MACs", known, "macs", human, most === null ? digits(known) : `${exact(known ?? 0)}, at most ${exact(most)}`, before("macs"));
  const elementwise = sizes.total("elementwise");
  if (elementwise === null || elementwise > 0 || before("elementwise")) add("Element-wise work", elementwise, "elementwise", human, digits(elementwise), before("elementwise"));
  add("Activations", sizes.total("activation_nbytes"), "activation", bytes, "all of them together", before("activation_nbytes"));
  if (sizes.report.states) cards.push(statesCard(sizes, old));
  const { peak } = page.report.assumed ?? page.report;
  if (peak && sizes.changed) cards.push(card("Peak at the assumed sizes", least(isPeakBound(page), bytes(peak.nbytes)), `not worked out at these; at ${safe(peak.node, 48)}`, true));
  else if (peak) cards.push(card("Peak", least(isPeakBound(page), bytes(peak.nbytes)), versus(before("peak_activation_nbytes"), peak.nbytes, bytes) ?? `of activations, at ${safe(peak.node, 48)}`, isPeakBound(page)));
  return cards;
}

/** What a step hands to the next: bytes of a token, of a sequence, and of all at the sizes chosen. */
function statesCard(sizes, old) {
  const states = sizes.record.states ?? sizes.report.states;
  const amount = (dim) => (typeof dim === "string" ? sizes.value(dim) : dim === null ? null : whole(dim));
  const parts = [["nbytes_per_token", "a token"], ["nbytes_per_sequence", "a sequence"], ["nbytes", "in all"]]
    .map(([key, words]) => [amount(states[key]), words])
    .filter(([value]) => value !== null && num(value))
    .map(([value, words]) => `${bytes(value)} ${words}`);
  const counts = new Map();
  for (const { kind } of states.rows) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => `${exact(count)} ${safe(kind)}`).join(", ");
  const all = amount(states.nbytes);
  const before = old && amount(old.states);
  const change = old && all !== null && before !== null ? [`${difference(before, all, bytes)} in all`] : [];
  return card("States", parts[0] ?? "not known", [...change, ...parts.slice(1), kinds].join("; "));
}

function drawDoubts(page, record) {
  const box = byId("doubts");
  const { mismatches } = page.report;
  const title = doubtsOf(record);
  box.hidden = !title && !mismatches.length;
  const causes = page.causes[record === page.report ? "formulas" : "assumed"];
  const first = causes.map((words) => el("li", {}, safe(words, 400)));
  const wrong = mismatches.slice(0, 3).map((row) => el("li", {}, mismatchText(row)));
  const rest = (rows, id) => (rows.length > 1 ? el("a", { href: `#${id}` }, `all ${exact(rows.length)}`) : "");
  box.replaceChildren(
    ...(title ? [el("strong", {}, title), el("ul", {}, ...first), rest(record.unknown, "unknown")] : []),
    ...(wrong.length ? [el("strong", {}, "Declared shapes are wrong; what the operators make is counted."), el("ul", {}, ...wrong), rest(mismatches, "mismatches")] : []),
  );
}

// ---------------------------------------------------------------------------------------- map

/** Returns what draws it again; `drawn` is called when it has another measure. */
function drawMap(page, state, drawn) {
  const words = (item) => readout(item, page.report, state);
  const select = (item) => (byId("map-readout").textContent = words(item).join(" · "));
  const map = new TreeMap(state.tree, page.report, state, select);
  map.box.tipLines = (element) => words(element.closest(".tile")?.tile.item);
  const redo = () => {
    measure(state.tree, state.measure, page.report, state.sizes);
    map.draw();
    drawBars(page, state);
    select(map.zoomed);
  };
  const has = { nbytes: true, parameters: num(page.report.totals.parameters) > 0, macs: hasMacs(state.sizes) };
  const measures = Object.entries(MEASURES).filter(([key]) => has[key]).map(([key, { label }]) => [key, label]);
  const colours = [["module", "Module"], ["kind", "Kind"], ["dtype", "Type"], ["op_type", "Operator"]];
  if (page.changes) colours.unshift(["growth", "Growth"]);
  byId("map-tools").append(
    choice("Size", measures, state.measure, (key) => { state.measure = key; redo(); drawn(); }),
    choice("Colour", colours, state.colour, (key) => { state.colour = key; map.draw(); link.changed(); }),
    choice("Layout", [["treemap", "Treemap"], ["icicle", "Icicle"]], state.layout, (key) => { state.layout = key; map.draw(); link.changed(); }),
  );
  keepMap(map, state);
  return redo;
}

/** What the map is zoomed to and how it is drawn are part of the address. */
function keepMap(map, state) {
  const [names, key] = [["measure", "colour", "layout"], (item) => `${item.kind}:${item.path}`];
  const first = { ...state };
  const press = (name) => [...byId("map-tools").querySelectorAll("button")].find((button) => button.dataset.key === name)?.click();
  link.keep({
    save: () => [
      ...names.filter((name) => state[name] !== first[name]).map((name) => [name, state[name]]),
      ...(map.zoomed === state.tree ? [] : [["zoom", key(map.zoomed)]]),
    ],
    load: (values) => {
      for (const name of names) if ((values.get(name) ?? first[name]) !== state[name]) press(values.get(name) ?? first[name]);
      if ((values.get("zoom") ?? key(state.tree)) !== key(map.zoomed)) map.zoom(items(state.tree).get(values.get("zoom")) ?? state.tree);
    },
  });
  const items = (root) => {
    const [all, stack] = [new Map(), [root]];
    while (stack.length) {
      const item = stack.pop();
      if (item.children.length) all.set(key(item), item);
      for (const child of item.children) stack.push(child);
    }
    return all;
  };
}

/** Whether a map of MACs has something to draw or to say. */
const hasMacs = (sizes) => sizes.counted && (sizes.isBound("macs") || num(sizes.report.totals.macs) > 0 || Boolean(sizes.report.totals.macs_expression));

/** What the tip and the line under the map say of a tile. */
function readout(item, report, state) {
  if (!item) return null;
  const { text } = MEASURES[state.measure];
  const parts = [item.kind === "model" ? "the whole model" : safe(item.path || item.name, 160)];
  if (item.kind === "node") parts.push(safe(item.op, 60), shapeText(state.sizes.shapes(item.row)[0]));
  if (item.kind === "tensor") {
    const get = (name) => report.tensors.get(name, item.row);
    parts.push(`${safe(get("dtype"))} ${shapeText(get("shape"))}`, `${safe(get("kind"))}, ${safe(get("role"))}`);
  }
  const share = shareText(item, state.tree);
  parts.push(`${sumText(item, state.measure, true)}${share ? ` (${share})` : ""}`);
  const row = state.growth.get(`${item.kind}:${item.path}`);
  if (row?.status === "added") parts.push("new");
  else if (num(row?.delta[state.measure])) parts.push(signed(row.delta[state.measure], text));
  if (item.kind === "node" && report.nodes.get("explain", item.row)) parts.push(safe(report.nodes.get("explain", item.row), 200));
  return parts.filter(Boolean);
}

/** The rows of the nodes that a box of the network stands for. */
function openInTable(item) {
  const table = byId("nodes").querySelector(".rows")?.table;
  if (!table) return;
  table.find(item.path);
  if (item.kind === "node") table.choose(table.order.indexOf(item.row));
  link.go("nodes");
  link.changed();
}

// ------------------------------------------------------------------------------------- tables

/** Returns what draws it again, at other sizes. */
function drawNodes(page, sizes) {
  const { nodes } = page.report;
  if (!nodes.length) return () => {};
  const computed = sizes.counted;
  const table = new RowTable({
    label: "Nodes", length: nodes.length, sort: "nbytes",
    search: (row) => `${nodes.get("id", row)} ${operator(nodes, row)} ${nodes.get("module", row)}`,
    columns: [
      { key: "id", label: "Node", name: true, width: "minmax(14rem, 3fr)", text: (row) => safe(nodes.get("id", row)) },
      { key: "op_type", label: "Operator", width: "minmax(8rem, 1fr)", text: (row) => safe(operator(nodes, row), 60) },
      { key: "shape", label: "Output", minor: true, width: "minmax(9rem, 1.4fr)", text: (row) => shapeText(sizes.shapes(row)[0]) },
      { key: "parameters", label: "Parameters", num: true, sort: (row) => num(nodes.get("parameters", row)), text: (row) => nonZero(nodes.get("parameters", row), exact) },
      { key: "nbytes", label: "Bytes", num: true, minor: true, sort: (row) => num(nodes.get("nbytes", row)), text: (row) => nonZero(nodes.get("nbytes", row), bytes) },
      { key: "macs", label: "MACs", num: true, minor: true, sort: (row) => num(sizes.macs(row) ?? -1), text: (row) => macsText(sizes.macs(row), computed) },
      ...(computed ? moveColumns(nodes, sizes) : []),
    ],
    details: (row) => [
      safe(nodes.get("explain", row), 600),
      nodes.get("module", row) ? `module ${safe(nodes.get("module", row))}` : "",
      nodes.get("scope", row) ? `inside ${safe(nodes.get("scope", row))}` : "",
      `outputs ${nodes.get("output_shapes", row).map((shape) => shapeText(shape) || "of unknown shape").join(", ") || "none"}`,
      nodes.get("macs_expression", row) ? `MACs ${pretty(nodes.get("macs_expression", row))}` : "",
      num(sizes.record.nodes.get("elementwise", row)) ? `element-wise work ${exact(sizes.record.nodes.get("elementwise", row))}` : "",
      ...(computed ? moveTexts(nodes, sizes, row) : []),
    ],
  });
  section("nodes", "Nodes", null, table.element);
  return () => table.redraw();
}

/** Columns of what nodes move, and of what they multiply where that is not always the same. */
function moveColumns(nodes, sizes) {
  const types = { key: "types", label: "Types", minor: true, width: "minmax(8rem, 1fr)", text: (row) => typesText(nodes.get("operand_types", row), nodes.get("op_type", row)) };
  const intensity = (row) => sizes.intensity(row);
  return [
    ...(sizes.report.totals.precision.length > 1 ? [types] : []),
    { key: "moved", label: "Moved", num: true, minor: true, sort: (row) => num(sizes.bothMoved(row) ?? -1),
      text: (row) => (nodes.get("op_type", row) === OUTPUT ? "" : sizes.bothMoved(row) === null ? "not known" : nonZero(sizes.bothMoved(row), bytes)) },
    { key: "intensity", label: "FLOPs/B", num: true, minor: true, sort: (row) => intensity(row) ?? -1, text: (row) => (intensity(row) ? intensity(row).toFixed(2) : "") },
  ];
}

const typesText = (types, op) => (types === null ? (op === OUTPUT ? "" : "not known") : types.map((type) => safe(type)).join(" x "));

/** What the details of a node say of what it multiplies, reads and writes. */
function moveTexts(nodes, sizes, row) {
  const types = typesText(nodes.get("operand_types", row), nodes.get("op_type", row));
  const operations = sizes.record.nodes.get("bit_operations", row);
  const moved = (what, verb) => {
    const [value, text] = [sizes.moved(row, what), nodes.get(`${what}_expression`, row)];
    const parts = [value === null ? "" : `${exact(value)} B`, text ? `${pretty(text)} bytes` : ""].filter(Boolean);
    return parts.length ? `${verb} ${parts.join(" = ")}` : "";
  };
  return [
    types ? `types ${types}` : "",
    operations !== null && num(operations) ? `bit operations ${exact(operations)}` : "",
    moved("read", "reads"), moved("written", "writes"),
  ];
}

const macsText = (macs, computed) => (macs === null ? (computed ? "not known" : "") : nonZero(macs, exact));

const nonZero = (value, text) => (num(value) ? text(value) : "");

function drawTensors(page) {
  const { tensors, nodes, sparsity } = page.report;
  if (!tensors.length) return;
  const zeros = (row) => sparsity.tensors[row].zeros;
  const share = (row) => (zeros(row) === null ? "?" : percent(num(zeros(row)), num(tensors.get("elements", row))));
  const nodeName = (place) => (typeof place === "number" ? nodes.get("id", place) : place ?? "");
  const table = new RowTable({
    label: "Tensors", length: tensors.length, sort: "nbytes",
    search: (row) => ["name", "dtype", "kind", "role", "module"].map((key) => tensors.get(key, row)).join(" "),
    columns: [
      { key: "name", label: "Tensor", name: true, width: "minmax(14rem, 3fr)", text: (row) => safe(tensors.get("name", row)) },
      { key: "dtype", label: "Type", text: (row) => safe(tensors.get("dtype", row)) },
      { key: "shape", label: "Shape", minor: true, width: "minmax(8rem, 1fr)", text: (row) => shapeText(tensors.get("shape", row)) },
      { key: "kind", label: "Kind", minor: true, text: (row) => safe(tensors.get("kind", row)) },
      { key: "role", label: "Role", minor: true, text: (row) => safe(tensors.get("role", row), 60) },
      { key: "elements", label: "Elements", num: true, minor: true, sort: (row) => num(tensors.get("elements", row)), text: (row) => exact(tensors.get("elements", row)) },
      ...(sparsity ? [{ key: "zeros", label: "Zeros", num: true, minor: true, sort: (row) => num(zeros(row)) / (num(tensors.get("elements", row)) || 1), text: share }] : []),
      { key: "nbytes", label: "Bytes", num: true, sort: (row) => num(tensors.get("nbytes", row)), text: (row) => bytes(tensors.get("nbytes", row)) },
    ],
    details: (row) => [
      `${safe(tensors.get("kind", row))}, ${safe(tensors.get("role", row))}: ${safe(tensors.get("reason", row), 400)}`,
      tensors.get("uses", row).length ? `used by ${tensors.get("uses", row).slice(0, 12).map(([node]) => safe(nodeName(node), 80)).join(", ")}` : "used by no node",
      `stored as ${safe(tensors.get("storage.where", row))}` + (tensors.get("storage.location", row) ? ` in ${safe(tensors.get("storage.location", row))}` : "") +
        (tensors.get("storage.offset", row) !== null ? ` at byte ${exact(tensors.get("storage.offset", row))}` : ""),
      sparsity ? zerosText(sparsity.tensors[row]) : "",
    ],
  });
  section("tensors", "Tensors", null, table.element);
  table.draw();
}

/** What is known of the zeros of a tensor. */
const zerosText = ({ zeros, two_four: pattern, why }) =>
  zeros === null ? `zeros not known: ${safe(why)}` : `${exact(zeros)} zeros` + (pattern === null ? "" : pattern ? "; 2:4 sparse" : "; not 2:4 sparse");

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
  const rules = Object.entries(page.rules);
  section("findings", "Findings", note, list, findings.length > 500 ? el("p", {}, `${exact(findings.length - 500)} more are in the JSON report.`) : "",
    rules.length ? el("h3", {}, rules.length === 1 ? "Its rule" : "Their rules") : "", ...rules.map(drawRule));
}

const ruleId = (rule) => `rule-${safe(rule, 20)}`;

function drawFinding(finding, rule) {
  const pairs = (values) => Object.entries(values).map(([key, value]) => `${safe(key, 60)} ${safe(typeof value === "string" ? value : JSON.stringify(value), 240)}`);
  const id = el("b", {}, safe(finding.rule, 20));
  return el("li", { class: "finding" },
    el("div", {}, el("span", { class: `severity ${SEVERITIES.has(finding.severity) ? finding.severity : ""}` }, safe(finding.severity, 20)), " ",
      ...(rule ? [el("a", { href: `#${ruleId(finding.rule)}`, title: "What the rule looks for, and what to do" }, id, ` ${safe(rule.name, 60)}`)] : [id])),
    el("p", {}, safe(finding.message, 600)),
    el("p", { class: "soft" }, pairs(finding.where).join(", ")),
    Object.keys(finding.evidence).length ? el("details", {}, el("summary", {}, "Evidence"), el("ul", {}, ...pairs(finding.evidence).map((line) => el("li", {}, line)))) : "");
}

/** What a rule looks for, once for all its findings; a link to it opens it. */
function drawRule([id, rule]) {
  return el("details", { id: ruleId(id), class: "rule" }, el("summary", {}, `${safe(id, 20)} ${safe(rule.name, 60)}`), el("pre", {}, rule.help));
}

const SEVERITIES = new Set(["info", "low", "medium", "high", "critical"]);

function drawDuplicates(report) {
  const rows = report.duplicates;
  if (!rows.length) return;
  const table = new RowTable({
    label: "Copies", length: rows.length, sort: "nbytes",
    columns: [
      { key: "tensors", label: "Tensors", name: true, width: "minmax(14rem, 4fr)", text: (row) => rows[row].tensors.slice(0, 20).map((name) => safe(name, 80)).join(", ") },
      { key: "count", label: "Copies", num: true, sort: (row) => rows[row].tensors.length, text: (row) => exact(rows[row].tensors.length) },
      { key: "nbytes", label: "One would save", num: true, sort: (row) => num(rows[row].nbytes), text: (row) => bytes(rows[row].nbytes) },
    ],
  });
  section("duplicates", "Stored more than once", null, table.element);
  table.draw();
}

/** Declared shapes that the operators contradict. */
function drawMismatches(report) {
  const rows = report.mismatches;
  if (!rows.length) return;
  const table = new RowTable({
    label: "Declared shapes", length: rows.length, sort: "values",
    columns: [
      { key: "value", label: "Value", name: true, width: "minmax(10rem, 2fr)", text: (row) => safe(rows[row].value) },
      { key: "declared", label: "Declared", width: "minmax(8rem, 1fr)", text: (row) => shapeText(rows[row].declared) },
      { key: "derived", label: "Made", width: "minmax(8rem, 1fr)", text: (row) => shapeText(rows[row].derived) },
      { key: "node", label: "By", minor: true, width: "minmax(8rem, 1fr)", text: (row) => safe(rows[row].node) },
      { key: "values", label: "Values", num: true, minor: true, sort: (row) => num(rows[row].values), text: (row) => exact(rows[row].values) },
    ],
    details: (row) => [mismatchText(rows[row])],
  });
  section("mismatches", "Wrong declarations", "Declared shapes that are not what the operators make. What the operators make is counted.", table.element);
  table.draw();
}

/** What is not known at the sizes chosen; drawn again when that is another list. */
function drawUnknown(record) {
  const rows = record.unknown;
  const box = byId("unknown");
  if (box.rows === rows) return;
  Object.assign(box, { rows, hidden: true });
  box.replaceChildren();
  if (!rows.length) return;
  const table = new RowTable({
    label: "Unknowns", length: rows.length,
    columns: [
      { key: "where", label: "Where", name: true, width: "minmax(10rem, 2fr)", text: (row) => safe(rows[row].where) },
      { key: "what", label: "What", text: (row) => safe(rows[row].what, 80) },
      { key: "why", label: "Why", width: "minmax(12rem, 3fr)", text: (row) => safe(rows[row].why, 300) },
      { key: "affects", label: "Makes uncertain", minor: true, text: (row) => UNCERTAIN.get(rows[row].affects) ?? safe(rows[row].affects, 40) },
    ],
    details: (row) => [`${safe(rows[row].what, 200)}: ${safe(rows[row].why, 600)}`],
  });
  section("unknown", "What is not known", "Totals that lack something of this say “at least”; nothing unknown is counted as zero.", table.element);
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
