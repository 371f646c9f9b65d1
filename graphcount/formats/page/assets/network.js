// The network to look at: boxes for modules and operators that unfold, lines for values.

const FIRST_BOXES = 60; // boxes at first, at most, unless the outermost fold has more
const MOST_BOXES = 1200;
const ZOOMS = { least: 0.1, readable: 0.75, most: 2, step: 1.25 };

class Network {
  constructor(page, state, actions) {
    Object.assign(this, { page, state, actions, report: page.report, scale: 1, chosen: null, boxes: [] });
    this.folds = new Folds(page.report, page.network);
    this.view = byId("network-view");
    this.paper = byId("network-paper");
    this.depth = this.firstDepth();
    this.folds.openTo(this.depth);
    this.listen();
  }

  /** The deepest level with few boxes; of a deployment its components. */
  firstDepth() {
    let depth = 1;
    if (this.page.deployment) return depth;
    while (depth < 40 && this.folds.boxes(depth + 1) <= FIRST_BOXES && this.folds.boxes(depth + 1) > this.folds.boxes(depth)) depth++;
    return depth;
  }

  listen() {
    this.paper.addEventListener("click", (event) => this.onClick(event));
    this.view.addEventListener("keydown", (event) => this.onKey(event));
    this.paper.addEventListener("focusin", (event) => event.target.box && this.choose(event.target.box.item, false));
    this.view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a wheel alone scrolls
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    this.listenToDrags();
    this.paper.tipLines = (element) => this.tipOf(element);
    new ResizeObserver(() => this.fitOnce()).observe(this.view);
  }

  listenToDrags() {
    let from = null;
    this.view.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || event.target.closest(".box")) return;
      from = [event.clientX + this.view.scrollLeft, event.clientY + this.view.scrollTop];
    });
    window.addEventListener("pointermove", (event) => from && this.view.scrollTo({ left: from[0] - event.clientX, top: from[1] - event.clientY, behavior: "instant" }));
    window.addEventListener("pointerup", () => (from = null));
  }

  // ------------------------------------------------------------------------------- drawing

  draw() {
    const labels = (item) => this.labels(item);
    const laid = layOut(this.folds, this.folds.root, labels);
    this.size = [laid.width, laid.height];
    this.boxes = [];
    this.lines = [];
    this.place(this.folds.root, 0, 0, 0);
    const paths = this.lines.flatMap(({ edge, path, hit }) => [path, hit].map((element) => Object.assign(element, { edge })));
    const svg = el("svg", { class: "edges", width: laid.width, height: laid.height, "aria-hidden": "true" }, arrowHead(), ...paths);
    const legs = this.boxes.map((box) => box.element);
    this.paper.replaceChildren(...legs.filter((leg) => leg.matches(".open")), svg, ...legs.filter((leg) => !leg.matches(".open")));
    this.rescale();
    this.drawCrumbs();
    this.sayFolded();
    (this.boxOf(this.chosen) ?? this.boxes[0])?.element.setAttribute("tabindex", "0");
    this.mark();
  }

  place(item, x, y, level) {
    const { laid } = item;
    for (const edge of laid.edges) this.addLine(edge, x, y);
    for (const child of item.children) {
      const corner = laid.corners.get(child);
      this.addBox(child, x + corner.x, y + corner.y, corner, level + 1);
      if (child.open) this.place(child, x + corner.x, y + corner.y, level + 1);
    }
  }

  addLine(edge, x, y) {
    const d = curve(edge.points, x, y);
    const path = el("path", { d, class: edge.far ? "edge far" : "edge", "marker-end": !edge.target || (edge.target.open && edge.points.at(-1)[1] > edge.points[0][1]) ? null : "url(#arrow)" });
    this.lines.push({ edge, path, hit: el("path", { d, class: "hit" }) });
  }

  addBox(item, x, y, { width, height }, level) {
    const [title, more] = this.labels(item);
    const folds = item.children.length > 0;
    const element = el("div", {
      class: `box ${this.kindOf(item)}${item.open ? " open" : folds ? " folded" : ""}`,
      role: "treeitem", tabindex: "-1", "aria-level": String(level), "aria-expanded": folds ? String(item.open) : null,
      "aria-label": [safe(item.path || item.name, 120), this.wordOf(item), this.sizeText(item)].filter(Boolean).join(", "),
      style: { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px`, "--share": this.share(item) },
    }, el("span", { class: "box-title" }, title), more && !item.open ? el("span", { class: "box-more" }, more) : null);
    element.box = { item, element, x, y, width, height };
    this.boxes.push(element.box);
  }

  /** What a box says: its name, and its operator with its result, or how much it folds. */
  labels(item) {
    const name = safe(nameInFold(item), 60);
    if (item.kind === "node") {
      const op = safe(operator(this.report.nodes, item.row), 40);
      const shape = shapeText(this.state.sizes.shapes(item.row)[0]);
      return [op, shape.length > 28 ? shape.slice(0, 27) + "…" : shape || name];
    }
    if (item.place !== undefined) return [name, shapeText(this.shapeOfEnd(item))];
    return [name, `${exact(item.to - item.from)} ${item.kind === "inputs" || item.kind === "outputs" ? "values" : item.to - item.from === 1 ? "node" : "nodes"}`];
  }

  shapeOfEnd(item) {
    const { sizes } = this.state;
    return this.report.model[`${item.kind}s`][item.row].shape?.map((dim) => sizes.dim(dim));
  }

  kindOf(item) {
    if (item.kind === "node") return num(this.report.nodes.get("nbytes", item.row)) ? "holding" : "operator";
    return item.place !== undefined || item.kind.endsWith("puts") ? "end" : "module";
  }

  wordOf(item) {
    if (item.kind === "node") return safe(operator(this.report.nodes, item.row), 60);
    return item.place !== undefined || item.kind.endsWith("puts") ? item.kind : `${item.kind === "run" ? "run" : "module"} of ${this.labels(item)[1]}`;
  }

  // ------------------------------------------------------------------------------- numbers

  /** Sums over what a box stands for: {exact, value, lacks} of a measure. */
  sum(item, measure) {
    const [nodes, { sizes }] = [this.report.nodes, this.state];
    const sum = { exact: 0, lacks: 0, bound: false };
    for (let rank = item.from; rank < item.to; rank++) {
      const place = this.folds.order[rank];
      if (place >= nodes.length) continue;
      const own = measure === "macs" ? sizes.macs(place) : whole(nodes.get(measure, place));
      if (own === null) sum.lacks++;
      else sum.exact = plus(sum.exact, own);
    }
    return Object.assign(sum, { value: num(sum.exact) });
  }

  share(item) {
    const all = this.state.tree.value;
    return all ? `${Math.min(100, (100 * this.sum(item, this.state.measure).value) / all).toFixed(2)}%` : "0%";
  }

  sizeText(item) {
    const measures = ["parameters", "nbytes", ...(this.state.sizes.counted ? ["macs"] : [])];
    return measures.map((measure) => [measure, this.sum(item, measure)]).filter(([, sum]) => sum.value || sum.lacks)
      .map(([measure, sum]) => (sum.lacks && !sum.value ? `${MEASURES[measure].label} not known` : sumText(sum, measure, true))).join(", ");
  }

  tipOf(element) {
    const { box } = element.closest(".box") ?? {};
    if (box) return this.linesOf(box.item);
    return element.edge ? this.linesOfEdge(element.edge) : null;
  }

  linesOf(item) {
    const { before, after } = this.folds.around(item);
    const shapes = item.kind === "node" ? this.state.sizes.shapes(item.row).map(shapeText).filter(Boolean).slice(0, 3).join(", ") : item.place !== undefined ? shapeText(this.shapeOfEnd(item)) : "";
    return [
      safe(item.path && item.kind !== "run" ? item.path : item.name, 160), this.wordOf(item), shapes, this.sizeText(item),
      before.length ? `from ${fewNames(before)}` : "", after.length ? `to ${fewNames(after)}` : "",
    ];
  }

  linesOfEdge(edge) {
    const shapes = new Set(edge.flows.slice(0, 200).map((flow) => this.shapeOfFlow(flow)).filter(Boolean));
    const name = (item, end, places) => safe(item ? item.path || item.name : fewNames([...new Set(edge.flows.map((flow) => this.folds.leaves[places[flow]].path))]), 120);
    return [
      `${name(edge.source, "in", this.folds.sources)} → ${name(edge.target, "out", this.folds.targets)}`,
      edge.values === 1 ? [...shapes].join("") : `${exact(edge.values)} uses of values${shapes.size ? `: ${[...shapes].slice(0, 3).join(", ")}${shapes.size > 3 ? ", …" : ""}` : ""}`,
    ];
  }

  shapeOfFlow(flow) {
    const leaf = this.folds.leaves[this.folds.sources[flow]];
    return shapeText(leaf.kind === "node" ? this.state.sizes.shapes(leaf.row)[this.folds.outputs[flow]] : this.shapeOfEnd(leaf));
  }

  // ------------------------------------------------------------------------------- choosing

  boxOf(item) {
    return this.boxes.find((box) => box.item === item);
  }

  choose(item, focus = true) {
    this.chosen = item;
    const box = this.boxOf(item);
    for (const { element } of this.boxes) element.setAttribute("tabindex", "-1");
    box?.element.setAttribute("tabindex", "0");
    if (focus) box?.element.focus();
    this.mark();
    this.drawCrumbs();
    link.changed();
  }

  /** Lines of what is chosen stand out. */
  mark() {
    const item = this.chosen;
    for (const { edge, path } of this.lines) {
      path.classList.toggle("on", Boolean(item) && (edge.source === item || edge.target === item));
    }
    for (const { item: other, element } of this.boxes) element.classList.toggle("chosen", other === item);
    byId("network-open").disabled = !item?.children.length;
    byId("network-open").textContent = item?.open ? "Fold" : "Unfold";
    byId("network-table").disabled = !["node", "module"].includes(item?.kind);
    byId("network-readout").textContent = item ? this.linesOf(item).filter(Boolean).join(" · ") : "";
  }

  toggle(item) {
    if (!item.children.length) return;
    if (!item.open && this.boxes.length + item.children.length > MOST_BOXES) return this.say(`At most ${exact(MOST_BOXES)} boxes are drawn at once: fold something first.`);
    const before = this.boxOf(item);
    const seen = before && [before.x * this.scale - this.view.scrollLeft, before.y * this.scale - this.view.scrollTop];
    item.open = !item.open;
    for (let at = item; at; at = at.parent) at.laid = null;
    this.chosen = item;
    this.draw();
    const after = this.boxOf(item);
    if (seen) this.view.scrollTo({ left: after.x * this.scale - seen[0], top: after.y * this.scale - seen[1], behavior: "instant" });
    after.element.focus({ preventScroll: true });
    link.changed();
  }

  /** Fold up to what a breadcrumb names. */
  foldTo(item) {
    if (item === this.folds.root) return this.openTo(this.firstDepth());
    this.chosen = item;
    if (item.open) this.toggle(item);
    this.choose(item);
  }

  openTo(depth) {
    this.depth = Math.max(1, depth);
    this.folds.openTo(this.depth);
    this.chosen = null;
    this.draw();
    this.fit(true);
    link.changed();
  }

  deeper(step) {
    const depth = this.depth + step;
    if (depth < 1) return this.say("Everything is folded.");
    if (this.folds.boxes(depth) > MOST_BOXES) return this.say(`The next level has ${exact(this.folds.boxes(depth))} boxes; at most ${exact(MOST_BOXES)} are drawn at once.`);
    if (step > 0 && this.folds.boxes(depth) === this.folds.boxes(this.depth)) return this.say("Everything is unfolded.");
    this.openTo(depth);
  }

  say(words) {
    byId("network-note").textContent = words;
  }

  sayFolded() {
    const runs = this.boxes.filter(({ item }) => item.kind === "run" && !item.open).length;
    const [boxes, nodes] = [this.boxes.length, this.report.nodes.length].map((count, at) => `${exact(count)} ${at ? "node" : "box"}${count === 1 ? "" : at ? "s" : "es"}`);
    this.say(`${boxes} for ${nodes}; a click unfolds one or folds it.` + (runs ? ` What has more than ${RUN} parts is folded in runs of them.` : ""));
  }

  drawCrumbs() {
    const path = [];
    for (let at = this.chosen ?? this.folds.root; at; at = at.parent) path.unshift(at);
    byId("network-crumbs").replaceChildren(...path.map((item, place) => el("li", {}, place === path.length - 1
      ? el("span", { "aria-current": "location" }, safe(nameInFold(item), 60))
      : el("button", { type: "button", onclick: () => this.foldTo(item) }, safe(nameInFold(item), 60)))));
  }

  onClick(event) {
    const { box } = event.target.closest(".box") ?? {};
    if (!box) return;
    if (box.item.children.length) this.toggle(box.item);
    else this.choose(box.item);
  }

  onKey(event) {
    const { box } = document.activeElement ?? {};
    const steps = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.zoomBy(ZOOMS.step);
    else if (event.key === "-") this.zoomBy(1 / ZOOMS.step);
    else if (event.key === "0") this.fit();
    else if (!box && event.key in steps) this.choose(this.chosen && this.boxOf(this.chosen) ? this.chosen : this.boxes[0].item);
    else if (!box) return;
    else if (event.key === "Enter" || event.key === " ") this.toggle(box.item);
    else if (event.key === "Escape" || event.key === "Backspace") this.out(box.item);
    else if (event.key === "Home") this.choose(this.boxes[0].item);
    else if (event.key === "End") this.choose(this.boxes.at(-1).item);
    else if (event.key in steps) this.move(box, ...steps[event.key]);
    else return;
    event.preventDefault();
  }

  /** Escape folds what the box stands in, or the box itself where it is open. */
  out(item) {
    const target = item.open ? item : item.parent;
    if (target && target.parent) this.toggle(target);
  }

  /** To the nearest box in a direction; what is aside counts double. */
  move(from, dx, dy) {
    const middle = ({ item, x, y, width, height }) => [x + width / 2, item.open ? y + BOX.title / 2 : y + height / 2];
    const [x, y] = middle(from);
    let [best, least] = [null, Infinity];
    for (const box of this.boxes) {
      const [right, down] = [middle(box)[0] - x, middle(box)[1] - y];
      const [along, aside] = dx ? [right * dx, Math.abs(down)] : [down * dy, Math.abs(right)];
      if (box !== from && along > 4 && along + 2 * aside < least) [best, least] = [box, along + 2 * aside];
    }
    if (best) this.choose(best.item);
  }

  // ------------------------------------------------------------------------------- its address

  /** Folds that are not as the level has them, and what is chosen. */
  save() {
    const other = [...this.folds.all()].filter(([item, depth]) => item.children.length && item.open !== depth < this.depth);
    const pairs = [["level", this.depth === this.firstDepth() ? "" : this.depth], ["folds", other.map(([item]) => link.encoded(keyOf(item))).join()], ["box", this.chosen ? keyOf(this.chosen) : ""]];
    return pairs.filter(([, value]) => value !== "");
  }

  load(values) {
    if (this.save().every(([key, value]) => values.get(key) === String(value)) && this.save().length === ["level", "folds", "box"].filter((key) => values.has(key)).length) return;
    const level = Number(values.get("level"));
    this.depth = level >= 1 && this.folds.boxes(level) <= MOST_BOXES ? level : this.firstDepth();
    this.folds.openTo(this.depth);
    const items = new Map([...this.folds.all()].map(([item]) => [keyOf(item), item]));
    let boxes = this.folds.boxes(this.depth);
    for (const part of (values.get("folds") ?? "").split(",")) {
      const item = items.get(link.decoded(part));
      if (!item || (boxes += item.children.length) > MOST_BOXES) continue;
      item.open = !item.open;
    }
    this.chosen = items.get(values.get("box") ?? "") ?? null;
    this.draw();
    this.fit(true);
    if (this.chosen) this.center(this.chosen);
  }

  // ------------------------------------------------------------------------------- looking

  rescale() {
    const [width, height] = this.size;
    this.paper.style.transform = `scale(${this.scale})`;
    const sheet = byId("network-sheet");
    sheet.style.width = `${Math.ceil(width * this.scale)}px`;
    sheet.style.height = `${Math.ceil(height * this.scale)}px`;
    this.paper.style.width = `${width}px`;
    this.paper.style.height = `${height}px`;
  }

  zoomBy(factor, event) {
    const area = this.view.getBoundingClientRect();
    const [x, y] = event ? [event.clientX - area.left, event.clientY - area.top] : [area.width / 2, area.height / 2];
    const before = this.scale;
    this.scale = Math.max(ZOOMS.least, Math.min(ZOOMS.most, before * factor));
    const moved = (scroll, place) => ((scroll + place) * this.scale) / before - place;
    const [left, top] = [moved(this.view.scrollLeft, x), moved(this.view.scrollTop, y)];
    this.rescale();
    this.view.scrollTo({ left, top, behavior: "instant" });
  }

  fitOnce() {
    if (!this.view.clientWidth || !this.size || this.fitted) return;
    this.fitted = true;
    if (this.chosen) this.center(this.chosen);
    else this.fit(true);
  }

  /** All of it; with `readable`, from its first box on, no smaller than can be read. */
  fit(readable = false) {
    const [width, height] = this.size;
    const [across, along] = [this.view.clientWidth / width, this.view.clientHeight / height];
    this.scale = Math.min(1, readable ? Math.max(across, ZOOMS.readable) : Math.max(ZOOMS.least, Math.min(across, along)));
    this.rescale();
    const first = this.boxes[0];
    const left = first ? (first.x + first.width / 2) * this.scale - this.view.clientWidth / 2 : 0;
    this.view.scrollTo({ left, top: 0, behavior: "instant" });
  }

  center(item) {
    const box = this.boxOf(item);
    if (!box) return;
    this.view.scrollTo({
      left: (box.x + box.width / 2) * this.scale - this.view.clientWidth / 2,
      top: (box.y + Math.min(box.height, 200) / 2) * this.scale - this.view.clientHeight / 2, behavior: "instant",
    });
  }

  /** Draw again what sizes or the measure changed. */
  refresh() {
    for (const { item } of this.boxes) item.laid = null;
    this.folds.root.laid = null;
    this.draw();
    this.fitOnce();
  }
}

/** What an address calls an item. */
const keyOf = (item) => `${item.kind}:${item.path}`;

/** A name beside others of its fold: `layers.0` for module 0 of layers, `layers.0 … 9` for a run. */
function nameInFold(item) {
  const lastPart = (text, sign) => text.slice(text.lastIndexOf(sign) + 1) || text;
  if (item.kind === "node") return lastPart(item.name, "/");
  if (item.kind === "module" && /^\d+$/.test(item.name)) return item.path.split(".").slice(-2).join(".");
  if (item.kind !== "run") return item.name;
  const [first, last] = [item.children[0], item.children.at(-1)].map((child) => child.kind === "run" ? child.name : nameInFold(child));
  const name = `${first} … ${item.children.at(-1).kind === "module" ? item.children.at(-1).name : last}`;
  return name.length > 34 || first === last ? item.name : name;
}

const fewNames = (names) => names.slice(0, 3).map((name) => safe(name, 60)).join(", ") + (names.length > 3 ? ` and ${exact(names.length - 3)} more` : "");

const arrowHead = () => el("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
  el("path", { d: "M0,0.5L8,4L0,7.5Z" }));

/** Returns the network, which `refresh` draws; null where the page has none. */
function drawNetwork(page, state, actions) {
  if (!page.network || !page.report.nodes.length) return null;
  byId("network").hidden = false;
  const network = new Network(page, state, actions);
  const button = (text, label, press, id = null) => el("button", { type: "button", class: "plain", id, "aria-label": label, onclick: press }, text);
  byId("network-tools").append(
    button("Fold a level", null, () => network.deeper(-1)), button("Unfold a level", null, () => network.deeper(1)),
    el("span", { class: "group" }, button("−", "Smaller", () => network.zoomBy(1 / ZOOMS.step)), button("+", "Larger", () => network.zoomBy(ZOOMS.step)), button("Whole", "Show the whole network", () => network.fit())),
    el("span", { class: "group" },
      button("Unfold", null, () => network.chosen && network.toggle(network.chosen), "network-open"),
      button("Open in table", null, () => network.chosen && actions.openInTable(network.chosen), "network-table")));
  byId("network-legend").append(...[["module", "module, or a run of parts"], ["holding", "operator with weights"], ["operator", "operator"], ["end", "input or output"]].map(([kind, text]) =>
    el("li", {}, el("i", { class: `swatch ${kind}` }), text)));
  link.keep(network);
  return network;
}
