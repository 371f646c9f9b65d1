// Treemap and icicle: layouts by d3-hierarchy, tiles as elements that a keyboard reaches.

const PALETTE = 8; // colours --c0 … --c7 in page.css; what comes after is grey
const SMALLEST = 140; // square pixels of a tile that is worth drawing
const MOST = 3000; // tiles of one branch when all are smaller
const HEADER = 20;

class TreeMap {
  constructor(root, report, state, select) {
    Object.assign(this, { root, report, state, select, zoomed: root, tiles: [] });
    this.box = byId("map-tiles");
    this.at = state.sizes.rows.length ? " at these sizes" : "";
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("click", (event) => this.onClick(event));
    this.box.addEventListener("mouseover", (event) => this.onPoint(event));
    this.box.addEventListener("focusin", (event) => this.onPoint(event));
    new ResizeObserver(() => this.resized()).observe(this.box);
  }

  resized() {
    const width = this.box.clientWidth;
    if (Math.abs(width - (this.width ?? 0)) > 1) this.draw();
  }

  zoom(item, focus = false) {
    this.zoomed = item;
    this.draw();
    link.changed();
    if (focus) this.tiles[0]?.element.focus();
  }

  draw() {
    this.width = this.box.clientWidth;
    const height = (this.height = this.box.clientHeight);
    this.colours = this.assignColours();
    this.box.replaceChildren();
    this.tiles = [];
    this.drawCrumbs();
    this.drawLegend();
    this.drawTable();
    const empty = byId("map-empty");
    empty.hidden = this.zoomed.value > 0;
    empty.textContent = this.zoomed.lacks ? `Nothing here has a number${this.at}.` : "Nothing here has this measure.";
    this.drawLacking();
    if (!this.zoomed.value || !this.width) return;
    const pixels = (this.width * height) / this.zoomed.value;
    const icicle = this.state.layout === "icicle";
    const laid = d3.hierarchy(outline(this.zoomed, pixels, icicle, true), (item) => item.kept);
    laid.each((tile) => (tile.value = tile.data.item.value));
    (icicle ? this.icicle(laid, height) : this.treemap(laid, height))(laid);
    for (const tile of laid) if (tile !== laid) this.addTile(tile);
    this.tiles[0]?.element.setAttribute("tabindex", "0");
  }

  treemap(laid, height) {
    const roomy = (tile) => tile !== laid && tile.children && tile.x1 - tile.x0 > 46 && tile.y1 - tile.y0 > 40;
    return d3.treemap().size([this.width, height]).tile(d3.treemapSquarify.ratio(1.2)).round(true)
      .paddingInner(1)
      .paddingTop((tile) => (tile === laid ? 0 : roomy(tile) ? HEADER : 2))
      .paddingRight((tile) => (tile === laid ? 0 : 2)).paddingBottom((tile) => (tile === laid ? 0 : 2))
      .paddingLeft((tile) => (tile === laid ? 0 : 2));
  }

  icicle(laid, height) {
    const level = this.width / Math.max(laid.height, 1); // the first level is the breadcrumb
    return (tree) => {
      d3.partition().size([height, this.width + level]).padding(1)(tree);
      tree.each((tile) => {
        const { x0, x1, y0, y1 } = tile;
        Object.assign(tile, { x0: y0 - level, x1: y1 - level, y0: x0, y1: x1 });
      });
    };
  }

  addTile(tile) {
    const [width, height] = [tile.x1 - tile.x0, tile.y1 - tile.y0];
    if (width < 2 || height < 2) return;
    const { item } = tile.data;
    const inner = Boolean(tile.children) && this.state.layout !== "icicle";
    const colour = this.colourOf(item);
    const part = (size, whole) => `${((100 * size) / whole).toFixed(3)}%`;
    const element = el("div", {
      class: inner ? "tile inner" : "tile",
      role: "treeitem",
      tabindex: "-1",
      "aria-level": String(tile.depth),
      "aria-expanded": tile.children ? "true" : null,
      "aria-label": `${safe(item.name)}, ${item.kind}, ${this.sizeOf(item)}`,
      style: {
        left: part(tile.x0, this.width), width: part(width, this.width), // parts: paper has another size
        top: part(tile.y0, this.height), height: part(height, this.height),
        "--tile": colour.css,
      },
    });
    if (colour.hatched) element.classList.add("hatched");
    if (width > 40 && height > 15) {
      element.append(el("span", { class: "tile-name" }, safe(item.name, 80)));
      if (inner ? width > 120 : height > 34) {
        element.append(el("span", { class: "tile-size" }, sumText(item, this.state.measure)));
      }
    }
    element.tile = { item, tile };
    this.tiles.push({ element, item, tile });
    this.box.append(element);
  }

  // ------------------------------------------------------------------------------- colours

  assignColours() {
    const key = this.state.colour;
    const order = key === "module"
      ? oneKind(parts(this.zoomed))
      : key === "growth" ? [] : weights(this.root, key).map(([name]) => name);
    const first = order.slice(0, PALETTE).reduce((sum, part) => sum + (part.value ?? Infinity), 0);
    this.repeats = key === "module" && order.length > PALETTE && first < this.zoomed.value / 2; // many of one size
    const css = (place) => (place < PALETTE || this.repeats ? `var(--c${place % PALETTE})` : "var(--c-other)");
    return new Map(order.map((name, place) => [name, css(place)]));
  }

  colourOf(item) {
    const key = this.state.colour;
    if (key === "growth") return growthColour(growthOf(item, this.state));
    if (item.kind === "rest") return { css: "var(--c-other)" };
    if (key !== "module") return { css: this.colours.get(item.dominant[key]) ?? "var(--c-other)" };
    let at = item;
    while (at && !this.colours.has(at)) at = at.parent;
    return { css: this.colours.get(at) ?? "var(--c-other)" };
  }

  drawLegend() {
    const legend = byId("map-legend");
    if (this.state.colour === "growth") return legend.replaceChildren(...growthLegend());
    const entries = [...this.colours].slice(0, PALETTE);
    const rest = this.colours.size - entries.length;
    const swatch = (css, text) => el("li", {}, el("i", { style: { background: css } }), text);
    legend.replaceChildren(
      ...entries.map(([name, css]) => swatch(css, safe(typeof name === "string" ? name : name.path, 60))),
      ...(this.isPartial() ? [swatch("var(--c-other)", "outside these modules")] : []),
      ...(rest ? [swatch(this.repeats ? "none" : "var(--c-other)", `${exact(rest)} more${this.repeats ? ", in the same colours" : ""}`)] : []),
    );
  }

  /** Whether modules are coloured and something stands in none of them. */
  isPartial() {
    if (this.state.colour !== "module" || [...this.colours.keys()].some((item) => item.kind !== "module")) return false;
    return [...this.colours.keys()].reduce((sum, item) => sum + item.value, 0) < this.zoomed.value * 0.9999;
  }

  // ----------------------------------------------------------------------------- reading it

  sizeOf(item) {
    return [sumText(item, this.state.measure, true), shareText(item, this.root)].filter(Boolean).join(", ");
  }

  /** What the map cannot draw: nodes without a number have no area. */
  drawLacking() {
    const line = byId("map-lacking");
    const count = this.root.lacks;
    line.hidden = !count;
    if (!count) return;
    const kinds = [...lacking(this.root)];
    const names = kinds.slice(0, 4).map(([op, nodes]) => `${safe(op, 60)}${nodes > 1 ? ` × ${exact(nodes)}` : ""}`);
    const more = kinds.length > 4 ? `, ${exact(kinds.length - 4)} other operators` : "";
    line.textContent = `Not in the map: ${exact(count)} node${count === 1 ? " has" : "s have"} no number${this.at} (${names.join(", ")}${more}).`;
  }

  drawCrumbs() {
    const path = [];
    for (let at = this.zoomed; at; at = at.parent) path.unshift(at);
    const crumbs = path.map((item, place) => {
      const label = item === this.root ? "model" : safe(item.name, 60);
      const last = place === path.length - 1;
      return el("li", {}, last
        ? el("span", { "aria-current": "location" }, label)
        : el("button", { type: "button", onclick: () => this.zoom(item) }, label));
    });
    byId("map-crumbs").replaceChildren(...crumbs, el("li", { class: "crumb-size" }, this.sizeOf(this.zoomed)));
  }

  drawTable() {
    const body = byId("map-table");
    const every = this.zoomed.children.filter((child) => child.value > 0 || child.lacks);
    const children = every.slice(0, 200);
    body.replaceChildren(...children.map((child) => el("tr", {},
      el("td", {}, child.children.length
        ? el("button", { type: "button", class: "link", onclick: () => this.zoom(child) }, safe(child.name, 80))
        : safe(child.name, 80)),
      el("td", {}, child.kind === "node" ? safe(child.op, 40) : child.kind),
      el("td", { class: "num" }, child.lacks && !child.value ? "not known" : least(child.lacks, exact(child.exact))),
      el("td", { class: "num" }, shareCell(child, this.root)))));
    const left = every.length - children.length;
    if (left) body.append(el("tr", {}, el("td", { colspan: "4" }, `and ${exact(left)} more`)));
  }

  // --------------------------------------------------------------------------------- moving

  onPoint(event) {
    const tile = event.target.closest(".tile")?.tile;
    if (tile) this.select(tile.item, this);
  }

  onClick(event) {
    const tile = event.target.closest(".tile")?.tile;
    if (tile) this.enter(tile);
  }

  /** Zoom to what was chosen, or to what holds it. */
  enter({ item, tile }, focus = false) {
    let target = item.kind === "rest" ? item.parent : item;
    if (!tile.children && target.parent !== this.zoomed && item.kind !== "rest") target = target.parent;
    if (target.children.some((child) => child.value > 0 || child.lacks) && target !== this.zoomed) this.zoom(target, focus);
  }

  out(focus = false) {
    if (this.zoomed.parent) this.zoom(this.zoomed.parent, focus);
  }

  onKey(event) {
    const at = this.tiles.findIndex(({ element }) => element === document.activeElement);
    if (event.key === "Escape" || event.key === "Backspace") this.out(true);
    else if (at < 0) return;
    else if (event.key === "Enter" || event.key === " ") this.enter(this.tiles[at], true);
    else if (event.key === "ArrowDown") this.focus(at + 1);
    else if (event.key === "ArrowUp") this.focus(at - 1);
    else if (event.key === "Home") this.focus(0);
    else if (event.key === "End") this.focus(this.tiles.length - 1);
    else if (event.key === "ArrowRight") this.focusTile(this.tiles[at].tile.children?.[0]);
    else if (event.key === "ArrowLeft") this.focusTile(this.tiles[at].tile.parent);
    else return;
    event.preventDefault();
  }

  focusTile(tile) {
    this.focus(this.tiles.findIndex((other) => other.tile === tile));
  }

  focus(place) {
    const target = this.tiles[place];
    if (!target) return;
    for (const { element } of this.tiles) element.setAttribute("tabindex", "-1");
    target.element.setAttribute("tabindex", "0");
    target.element.focus();
  }
}

/** What colours tell apart: the branches of an item, where one is nearly all, its branches instead. */
function parts(item) {
  let branches = item.children.filter((child) => child.value > 0);
  for (let level = 0; level < 8 && branches.length; level++) {
    const [first, ...others] = branches;
    const inside = first.children.filter((child) => child.value > 0);
    if (first.value < 0.7 * item.value || inside.length < 1 || inside[0].kind === "tensor") break;
    branches = [...inside, ...others].sort((a, b) => b.value - a.value);
  }
  return branches;
}

/** Modules where there are some, else what there is: a legend names one kind of thing. */
function oneKind(branches) {
  const modules = branches.filter((item) => item.kind === "module" && item.path !== LOOSE);
  return modules.length ? modules : branches;
}

/** The part of a tree that is large enough to see; what is too small becomes one tile. */
function outline(item, pixels, deep, whole = false) {
  const drawn = { item, kept: null };
  const room = item.value * pixels;
  if (item.kind === "tensor" || item.kind === "rest" || (room < 900 && !deep)) return drawn;
  let kept = item.children.filter((child) => child.value * pixels >= SMALLEST);
  if (!kept.length && whole) kept = item.children.filter((child) => child.value > 0).slice(0, MOST); // many of one size
  if (!kept.length || (kept.length === 1 && item.children.length === 1 && kept[0].kind === "tensor")) return drawn;
  drawn.kept = kept.map((child) => outline(child, pixels, deep));
  const large = new Set(kept);
  const left = item.children.filter((child) => child.value > 0 && !large.has(child));
  if (left.length) {
    const rest = branch("rest", `${exact(left.length)} smaller`, "", null);
    for (const child of left) rest.exact = plus(rest.exact, child.exact);
    drawn.kept.push({ item: Object.assign(rest, { value: num(rest.exact), parent: item }), kept: null });
  }
  return drawn;
}
