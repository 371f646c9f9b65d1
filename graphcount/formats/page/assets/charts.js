// Bars, activations over the run, cost against time: small pictures with a text for each.

/** Width of a plot: what the screen has, so that its text keeps its size. */
const plotWidth = (most) => Math.max(300, Math.min(most, document.documentElement.clientWidth - 68));

/** Bars as a table: the picture and its numbers are one thing. */
function bars(label, rows, text) {
  const longest = Math.max(...rows.map((row) => row.value)) || 1;
  return el("table", { class: "bars" },
    el("caption", {}, label),
    el("tbody", {}, ...rows.map((row) => saying([safe(row.name, 200), row.text ?? text(row.value), row.note ?? ""], el("tr", {},
      el("th", { scope: "row" }, safe(row.name, 60)),
      el("td", { class: "bar" }, el("i", { style: { width: `${(100 * row.value) / longest}%`, background: row.colour ?? null } })),
      el("td", { class: "num" }, row.text ?? text(row.value)),
      el("td", { class: "num soft" }, row.note ?? ""))))));
}

/** An element with the lines of its tip. */
const saying = (lines, element) => Object.assign(element, { tipLines: () => lines });

const MOST_BARS = 14;

function shorten(rows) {
  if (rows.length <= MOST_BARS) return rows;
  const rest = rows.slice(MOST_BARS - 1);
  const value = rest.reduce((sum, row) => sum + row.value, 0);
  return [...rows.slice(0, MOST_BARS - 1), { name: `${rest.length} others`, value, note: "" }];
}

function drawBars(page, state) {
  const { text, label } = MEASURES[state.measure];
  const root = state.tree;
  const share = (value) => percent(value, root.value);
  const note = (value) => (root.bound && share(value) === "100.0%" ? "all" : share(value));
  const of = root.bound ? ", shares of what is known" : "";
  const lost = lacking(root);
  const operators = weights(root, "op_type").map(([name, value]) => ({ name, value, note: note(value), text: least(lost.has(name), text(value)) }));
  const boxes = [bars(`${label} by operator${of}`, [...shorten(operators), ...withoutNumber(lost, operators)], text), bars("Nodes by operator", shorten(countNodes(page.report.nodes)), exact)];
  if (state.measure !== "macs") {
    for (const [key, title] of [["dtype", "element type"], ["kind", "kind"]]) {
      const rows = weights(root, key).map(([name, value]) => ({ name, value, note: note(value) }));
      boxes.push(bars(`${label} by ${title}${of}`, shorten(rows), text));
    }
  }
  byId("bars").replaceChildren(...boxes.map((box) => el("div", { class: "panel" }, box)));
}

/** Operators of which nothing is known: they have no bar, and are no zeros. */
function withoutNumber(lost, known) {
  const names = new Set(known.map((row) => row.name));
  const rows = [...lost].filter(([name]) => !names.has(name));
  const row = (name, nodes) => ({ name, value: 0, text: "not known", note: `${exact(nodes)} node${nodes === 1 ? "" : "s"}` });
  const others = rows.slice(5);
  return [
    ...rows.slice(0, 5).map(([name, nodes]) => row(name, nodes)),
    ...(others.length ? [row(`${exact(others.length)} others`, others.reduce((sum, [, nodes]) => sum + nodes, 0))] : []),
  ];
}

function countNodes(nodes) {
  const counts = new Map();
  for (let row = 0; row < nodes.length; row++) {
    const name = operator(nodes, row);
    if (name !== "(graph output)") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name, value]) => ({ name, value, note: percent(value, nodes.length) }));
}

// ------------------------------------------------------------------------------------- memory

/** Round steps of an axis from 0 to `most`: 1, 2 or 5 times a power of ten (or of two). */
function ticks(most, wanted = 4, base = 10) {
  const power = base ** Math.floor(Math.log(most / wanted) / Math.log(base));
  const factors = base === 10 ? [1, 2, 5, 10] : [1, 2];
  const step = factors.map((factor) => factor * power).find((size) => most / size <= wanted + 0.5) ?? base * power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, place) => place * step);
}

/** Activations over the run: at fixed or assumed sizes, for Python alone works out what lives when. */
function drawMemory(page, sizes) {
  const { peak, timeline } = page.report.assumed ?? page.report;
  if (!peak) return drawNoMemory(page, sizes);
  const alive = peak.values.map(([name, size]) => ({ name, value: num(size), note: percent(num(size), num(peak.nbytes)) }));
  const run = timeline?.some((moment) => num(moment.nbytes)) ? timelinePlot(page, timeline) : null;
  const words = run?.words ?? `peak ${bytes(peak.nbytes)} at ${safe(peak.node, 60)}`;
  section("memory", "Activations over the run",
    `Bytes alive while each node runs, beside ${bytes(page.report.totals.nbytes.total)} of weights: ${least(isPeakBound(page), words)}.`,
    sizes.rows.length ? el("p", { id: "memory-sizes", class: "note" }) : "",
    run ? el("div", { class: "panel" }, run.svg) : "",
    el("div", { class: "panel" }, bars("Largest values alive at the peak", alive, bytes)));
}

const isPeakBound = (page) => (page.report.assumed ?? page.report).totals.at_least.includes("peak");

/** At which sizes the run is drawn: what the reader types does not change it. */
function sayMemorySizes(page, sizes) {
  const line = byId("memory-sizes");
  if (!line || !page.report.assumed) return;
  const at = `All of this is ${sizesText(page.report.assumed.dims)}.`;
  line.textContent = sizes.changed ? `${at} It is not worked out at the sizes chosen above: make the page with --dim NAME=N for those.` : at;
  line.classList.toggle("stale", sizes.changed);
}

function timelinePlot(page, timeline) {
  const most = Math.max(1, ...timeline.map((moment) => num(moment.nbytes)));
  const steps = Math.max(...timeline.map((moment) => moment.step)) + 1;
  const width = plotWidth(1200);
  const [left, top, bottom, height] = [76, 26, 26, 240];
  const x = (step) => left + ((width - left - 8) * step) / steps;
  const y = (value) => top + (height - top - bottom) * (1 - value / most);
  const points = timeline.map((moment, place) => {
    const until = timeline[place + 1]?.step ?? steps;
    return `V${y(num(moment.nbytes)).toFixed(1)}H${x(until).toFixed(1)}`;
  });
  const area = `M${x(timeline[0].step).toFixed(1)},${y(0)}${points.join("")}V${y(0)}Z`;
  const best = timeline.find((moment) => num(moment.nbytes) === most);
  const middle = x(best.step + 0.5);
  const anchor = middle > width * 0.6 ? "end" : middle < width * 0.3 ? "start" : "middle";
  const words = `peak ${bytes(most)} at step ${exact(best.step + 1)} of ${exact(steps)}, ${safe(best.node, 60)}`;
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Activations over the run: ${words}`, class: "plot" },
    ...ticks(most, 4, page.binary ? 2 : 10).flatMap((tick) => [
      el("line", { x1: left, x2: width, y1: y(tick), y2: y(tick), class: "gridline" }),
      el("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end", class: "axis" }, bytes(tick)),
    ]),
    el("path", { d: area, class: "area" }),
    el("line", { x1: middle, x2: middle, y1: y(most), y2: y(0), class: "peak" }),
    el("circle", { cx: middle, cy: y(most), r: 4, class: "peak-dot" }),
    el("text", { x: middle, y: y(most) - 9, "text-anchor": anchor, class: "peak-text" }, `peak ${bytes(most)}: ${safe(best.node, Math.max(12, Math.floor(width / 12) - 14))}`),
    el("text", { x: left, y: height - 6, class: "axis" }, "first node"),
    el("text", { x: width - 4, y: height - 6, "text-anchor": "end", class: "axis" }, `last of ${exact(steps)}`));
  svg.tipLines = (_, event) => {
    if (event.type === "focusin") return null;
    const area = svg.getBoundingClientRect();
    const at = (((event.clientX - area.left) / area.width) * width - left) / (width - left - 8);
    const moment = timeline.findLast(({ step }) => step <= at * steps);
    return moment && at <= 1 ? [safe(moment.node, 120), `${bytes(moment.nbytes)} alive`, `step ${exact(moment.step + 1)} of ${exact(steps)}`] : null;
  };
  return { svg, words };
}

function drawNoMemory(page, sizes) {
  const formulaText = page.report.totals.activation_expression;
  if (!formulaText) return;
  const names = sizes.rows.slice(0, 6).map((row) => `--dim ${safe(row.name, 60)}=1`).join(" ");
  section("memory", "Activations over the run", null, el("div", { class: "panel" },
    el("p", {}, "All activations together take ", el("code", {}, pretty(formulaText)), " bytes."),
    el("p", { class: "soft" }, "Which of them live at the same time depends on dynamic dimensions; make the page with ",
      el("code", {}, names || "--dim NAME=N"), " to see the run and its peak.")));
}

// ------------------------------------------------------------------------------- cost and time

function drawBench(page, sizes) {
  const { bench, report } = page;
  if (!bench?.nodes?.length) return;
  const measured = new Map([...sizes.start, ...Object.entries(bench.sizes).map(([name, size]) => [name, BigInt(size)])]);
  const place = new Map();
  for (let row = 0; row < report.nodes.length; row++) place.set(report.nodes.get("id", row), row);
  const rows = bench.nodes.map((row) => {
    const own = row.ids.map((id) => place.get(id)).filter((at) => at !== undefined);
    const parts = own.map((at) => sizes.macs(at, measured));
    const macs = parts.includes(null) ? null : num(parts.reduce(plus, 0));
    return { name: row.ids.join(" + ") || row.op_type, op: row.op_type, seconds: row.seconds, macs };
  }).sort((a, b) => b.seconds - a.seconds);
  const total = rows.reduce((sum, row) => sum + row.seconds, 0);
  const byOperator = new Map();
  for (const row of rows) byOperator.set(row.op, (byOperator.get(row.op) ?? 0) + row.seconds);
  const operators = [...byOperator].sort((a, b) => b[1] - a[1]).map(([name, value]) => ({ name, value, note: percent(value, total) }));
  const table = new RowTable({
    label: "Times", length: rows.length,
    columns: [
      { key: "name", label: "Nodes", name: true, width: "minmax(12rem, 3fr)", text: (at) => safe(rows[at].name) },
      { key: "op", label: "Operator", text: (at) => safe(rows[at].op, 60), minor: true },
      { key: "seconds", label: "Time", num: true, sort: (at) => rows[at].seconds, text: (at) => seconds(rows[at].seconds) },
      { key: "share", label: "Share", num: true, sort: (at) => rows[at].seconds, text: (at) => percent(rows[at].seconds, total), minor: true },
      { key: "macs", label: "MACs", num: true, sort: (at) => rows[at].macs ?? -1, text: (at) => (rows[at].macs === null ? "not known" : rows[at].macs ? human(rows[at].macs) : "") },
      { key: "rate", label: "MACs/s", num: true, minor: true, sort: (at) => rows[at].macs / rows[at].seconds || 0,
        text: (at) => (rows[at].macs && rows[at].seconds ? human(Math.round(rows[at].macs / rows[at].seconds)) : "") },
    ],
  });
  section("bench", "Cost against time", `${seconds(total)} in ${exact(rows.length)} measured nodes${bench.note ? "; " + safe(bench.note) : ""}.`,
    el("div", { class: "columns" },
      el("div", { class: "panel" }, scatter(rows.filter((row) => row.macs > 0 && row.seconds > 0).slice(0, MOST))),
      el("div", { class: "panel" }, bars("Time by operator", shorten(operators), seconds))),
    table.element);
  table.draw();
}

function scatter(rows) {
  if (!rows.length) return el("p", { class: "soft" }, "None of the measured nodes has MACs that are known.");
  const [width, height, left, bottom] = [plotWidth(560), 300, 60, 34];
  const scale = (values, from, to) => {
    const extreme = (pick) => Math.log10(values.reduce((best, value) => pick(best, value)));
    const low = Math.floor(extreme(Math.min));
    const high = Math.max(low + 1, Math.ceil(extreme(Math.max)));
    const at = (value) => from + ((to - from) * (Math.log10(value) - low)) / (high - low);
    return { at, powers: Array.from({ length: high - low + 1 }, (_, place) => 10 ** (low + place)) };
  };
  const x = scale(rows.map((row) => row.macs), left, width - 28);
  const y = scale(rows.map((row) => row.seconds), height - bottom, 10);
  const colours = new Map([...new Set(rows.map((row) => row.op))].map((op, place) => [op, place < PALETTE ? `var(--c${place})` : "var(--c-other)"]));
  return el("div", {},
    el("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": "Time of each node against its MACs, both logarithmic; the table below has the numbers" },
      ...y.powers.flatMap((power) => [
        el("line", { x1: left, x2: width, y1: y.at(power), y2: y.at(power), class: "gridline" }),
        el("text", { x: left - 6, y: y.at(power) + 4, "text-anchor": "end", class: "axis" }, seconds(power))]),
      ...x.powers.map((power) => el("text", { x: x.at(power), y: height - 12, "text-anchor": "middle", class: "axis" }, human(power))),
      el("text", { x: width - 10, y: height - 1, "text-anchor": "end", class: "axis" }, "MACs"),
      ...rows.map((row) => saying([safe(row.name, 160), safe(row.op, 60), seconds(row.seconds), `${human(row.macs)} MACs`],
        el("circle", { cx: x.at(row.macs), cy: y.at(row.seconds), r: 5, class: "dot", style: { fill: colours.get(row.op) } })))),
    el("ul", { class: "legend" }, ...[...colours].slice(0, PALETTE).map(([op, css]) => el("li", {}, el("i", { style: { background: css } }), safe(op, 40)))));
}
