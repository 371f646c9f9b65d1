// Sizes of dynamic dimensions: those that Python assumed at first, then what the reader types.

const LONGEST_SIZE = 18; // digits

/** The numbers of a report at the sizes that are chosen; null where they have none. */
class Sizes {
  constructor(report, formulas) {
    Object.assign(this, { report, rows: report.dimensions, trees: new Map(formulas) });
    const assumed = this.rows.filter((row) => row.assumed !== null);
    this.start = new Map(assumed.map((row) => [row.name, BigInt(whole(row.assumed))]));
    this.back();
  }

  back() {
    this.chosen = new Map(this.start);
    this.values = new Map();
  }

  set(name, size) {
    this.chosen.set(name, size);
    this.values = new Map();
  }

  get changed() {
    return this.chosen.size !== this.start.size || [...this.start].some(([name, size]) => this.chosen.get(name) !== size);
  }

  /** What Python worked out for the sizes chosen: at assumed sizes, or with formulas. */
  get record() {
    return this.report.assumed && !this.changed ? this.report.assumed : this.report;
  }

  /** The value of a formula at sizes. */
  value(text, sizes = this.chosen) {
    const tree = this.trees.get(text);
    if (tree === undefined) return null;
    if (sizes !== this.chosen) return valueOf(tree, sizes);
    if (!this.values.has(text)) this.values.set(text, valueOf(tree, sizes));
    return this.values.get(text);
  }

  amount(number, expression, sizes = this.chosen) {
    if (number !== null) return whole(number);
    return expression === null ? null : this.value(expression, sizes);
  }

  total(name) {
    const { totals } = this.record;
    return this.amount(totals[name], totals[name === "activation_nbytes" ? "activation_expression" : `${name}_expression`]);
  }

  /** MACs of a node: at the sizes chosen, or at others. */
  macs(row, sizes = null) {
    if (this.report.nodes.get("op_type", row) === OUTPUT) return 0;
    const { nodes } = sizes ? this.report : this.record;
    return this.amount(nodes.get("macs", row), nodes.get("macs_expression", row), sizes ?? this.chosen);
  }

  /** Bytes that a node reads or writes (`read`, `written`), at the sizes chosen. */
  moved(row, what) {
    const { nodes } = this.record;
    return this.amount(nodes.get(`${what}_nbytes`, row), nodes.get(`${what}_expression`, row));
  }

  /** Bytes that a node reads and writes together; null where one of them is not known. */
  bothMoved(row) {
    const [read, written] = [this.moved(row, "read"), this.moved(row, "written")];
    return read === null || written === null ? null : plus(read, written);
  }

  /** FLOPs for each byte that a node reads or writes; null where that is not known. */
  intensity(row) {
    const [macs, moved] = [this.macs(row), this.bothMoved(row)];
    return macs === null || moved === null || !num(moved) ? null : (2 * num(macs)) / num(moved);
  }

  /** MACs of all nodes that are known, and how many are not. */
  allMacs() {
    let [sum, lacking] = [0, 0];
    for (let row = 0; row < this.report.nodes.length; row++) {
      const macs = this.macs(row);
      if (macs === null) lacking++;
      else sum = plus(sum, macs);
    }
    return { sum, lacking };
  }

  /** The shapes of a node's results, in numbers where they have some. */
  shapes(row) {
    return this.record.nodes.get("output_shapes", row).map((shape) => shape && shape.map((dim) => this.dim(dim)));
  }

  dim(dim) {
    return typeof dim === "string" ? this.value(dim) ?? dim : dim;
  }

  /** Whether a measure is a lower bound: `parameters`, `macs`, `elementwise`, `activation`, `peak`. */
  isBound(measure) {
    return this.record.totals.at_least.includes(measure);
  }

  get counted() {
    const { totals } = this.report;
    return totals.macs !== null || totals.macs_expression !== null;
  }
}

const OUTPUT = "(graph output)";

// -------------------------------------------------------------------------------------- fields

/** A field for each dynamic dimension; `redo` is called when one has another size. Returns what shows the sizes anew. */
function drawSizes(sizes, redo) {
  if (!sizes.rows.length) return () => {};
  const note = el("p", { class: "note", role: "status" });
  const fields = sizes.rows.map((row) => sizeField(row, sizes, () => update()));
  const back = el("button", { type: "button", class: "plain", id: "sizes-back", onclick: () => {
    sizes.back();
    for (const field of fields) field.show();
    update();
  } }, sizes.start.size ? "Back to the assumed sizes" : "Without sizes");
  const say = () => {
    note.textContent = sizesNote(sizes);
    back.disabled = !sizes.changed;
  };
  const update = () => {
    say();
    redo();
  };
  const many = fields.length > 12 ? sizeFilter(fields) : null;
  const box = byId("sizes");
  box.append(
    el("div", { class: "sizes-head" }, el("strong", { id: "sizes-title" }, `Dynamic dimensions (${exact(fields.length)})`), many, back),
    note,
    el("div", { class: "sizes-fields", tabindex: many ? "0" : null, role: "group", "aria-labelledby": "sizes-title" }, ...fields.map((field) => field.element)),
    drawFormulas(sizes.report.totals) ?? "",
  );
  box.hidden = false;
  say();
  return () => {
    for (const field of fields) field.show();
    update();
  };
}

/** Sizes that were chosen are part of the address. */
function keepSizes(sizes, show) {
  const start = () => [...sizes.chosen].filter(([name, size]) => sizes.start.get(name) !== size);
  link.keep({
    save: () => start().map(([name, size]) => [`dim.${link.encoded(name)}`, size]),
    load: (values) => {
      const before = start().join();
      sizes.back();
      for (const { name } of sizes.rows) {
        const size = values.get(`dim.${link.encoded(name)}`) ?? "";
        if (/^\d{1,18}$/.test(size)) sizes.set(name, BigInt(size));
      }
      if (start().join() !== before) show();
    },
  });
}

function sizesNote(sizes) {
  if (sizes.changed) return "Numbers are at the sizes below, worked out from formulas.";
  if (!sizes.start.size) return "No size was assumed: type sizes, and what depends on them becomes a number.";
  return "Numbers are at sizes assumed from the model’s own hints. Change one, and what depends on it is worked out anew.";
}

function sizeField(row, sizes, changed) {
  const input = el("input", { type: "number", min: "0", step: "1", "data-dim": row.name,
    oninput: () => {
      const good = input.value.length <= LONGEST_SIZE && /^\d+$/.test(input.value);
      input.setAttribute("aria-invalid", String(!good));
      if (!good || sizes.chosen.get(row.name) === BigInt(input.value)) return;
      sizes.set(row.name, BigInt(input.value));
      changed();
    },
    onchange: () => show() });
  const show = () => {
    input.value = String(sizes.chosen.get(row.name) ?? "");
    input.setAttribute("aria-invalid", "false");
  };
  show();
  const why = row.assumed === null ? "" : ` · ${safe(row.why, 80)}`;
  const place = `${safe(row.place, 160)}${why}`;
  const element = el("label", { class: "size" },
    el("span", { class: "size-name", title: safe(row.name) }, safe(row.name, 60)), input,
    el("small", { title: place }, place));
  return { element, show, words: `${safe(row.name)} ${place}`.toLowerCase() };
}

function sizeFilter(fields) {
  const input = el("input", { type: "search", placeholder: "Search dimensions", "aria-label": "Search dimensions", oninput: () => {
    const words = input.value.trim().toLowerCase();
    for (const field of fields) field.element.hidden = !field.words.includes(words);
  } });
  return input;
}

function drawFormulas(totals) {
  const rows = [["MACs", totals.macs_expression], ["element-wise", totals.elementwise_expression], ["activations, bytes", totals.activation_expression]];
  const known = rows.filter(([, text]) => text !== null);
  if (!known.length) return null;
  return el("details", {}, el("summary", {}, known.length > 1 ? "Formulas" : "Formula"),
    el("dl", { class: "formulas" }, ...known.flatMap(([label, text]) => [el("dt", {}, label), el("dd", {}, el("code", {}, pretty(text)))])));
}

// -------------------------------------------------------------------------------------- ranges

const RANGED = {
  macs: ["MACs", human, "macs"], elementwise: ["Element-wise work", human, "elementwise"],
  input_nbytes: ["Inputs", bytes, ""], output_nbytes: ["Outputs", bytes, ""],
  activation_nbytes: ["Activations", bytes, "activation"], peak_activation_nbytes: ["Peak", bytes, "peak"],
};

/** The least and the most over ranges of sizes that were asked for. */
function drawRanges(report) {
  const { ranges } = report;
  if (!ranges) return;
  const spans = Object.entries(ranges.lowest).map(([name, size]) => `${safe(name, 40)} from ${written(size)} to ${written(ranges.highest[name])}`);
  const others = Object.keys(ranges.assumed).length ? `, others ${sizesText(ranges.assumed)}` : "";
  const rows = ranges.measures.filter((row) => RANGED[row.measure]).map((row) => {
    const [label, text, measure] = RANGED[row.measure];
    const bound = report.totals.at_least.includes(measure);
    const end = (value, isExact, word) => (value === null ? "not known" : isExact ? least(bound, text(value)) : `${word} ${text(value)}`);
    const cell = (value, isExact, word, at) => el("td", {}, el("b", {}, end(value, isExact, word)), el("small", {}, value === null ? "" : sizesText(at)));
    return el("tr", {}, el("td", {}, label),
      cell(row.least, row.least_exact, "not below", row.least_at), cell(row.most, row.most_exact, "not above", row.most_at));
  });
  section("ranges", "Over ranges of sizes", `With ${spans.slice(0, 12).join(", ")}${spans.length > 12 ? `, ${exact(spans.length - 12)} more` : ""}${others}.`,
    el("div", { class: "panel" }, el("table", { class: "plain-table ranges" },
      el("thead", {}, el("tr", {}, ...["Measure", "Least", "Most"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows))));
}
