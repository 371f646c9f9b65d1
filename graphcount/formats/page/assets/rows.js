// Tables of any length: only the rows in sight are elements, so 100,000 rows scroll like 100.

const ROW_HEIGHT = 30;
const PRINTED = 1000;

class RowTable {
  /**
   * `columns`: {key, label, text(row), sort(row)?, num?, name?, minor?, width?};
   * `details(row)`: lines that appear below a row that was chosen; `sort`: the column of the first order, largest first.
   */
  constructor({ label, length, columns, details, search, sort = null }) {
    const sorted = columns.find((column) => column.key === sort) ?? null;
    Object.assign(this, { label, length, columns, details, query: "", sorted, ascending: !sorted, active: -1 });
    this.first = this.orderText();
    this.haystack = null;
    this.searched = search ?? ((row) => columns.map((column) => column.text(row)).join(" "));
    this.order = Uint32Array.from({ length }, (_, row) => row);
    this.build();
  }

  build() {
    const grid = this.columns.map((column) => column.width ?? (column.num ? "minmax(6.5rem, 1fr)" : "minmax(6rem, 1fr)"));
    const narrow = this.columns.filter((column) => !column.minor).map((column) => (column.name ? "minmax(7rem, 1fr)" : "auto"));
    this.status = el("span", { class: "rows-status", role: "status" });
    const input = this.input = el("input", {
      type: "search", placeholder: `Search ${this.label.toLowerCase()}`, "aria-label": `Search ${this.label.toLowerCase()}`,
      oninput: () => this.search(input.value),
    });
    this.head = el("div", { class: "row head", role: "row" }, ...this.columns.map((column) => this.headCell(column)));
    this.body = el("div", { class: "rows-body", role: "rowgroup" });
    this.scroller = el("div", { class: "rows-scroll", tabindex: "0", role: "region", "aria-label": `${this.label}, scrollable`,
      onscroll: () => this.render(), onkeydown: (event) => this.onKey(event), onclick: (event) => this.onClick(event) },
      el("div", { class: "rows-table", role: "table", "aria-label": this.label, "aria-rowcount": String(this.length + 1) },
        el("div", { role: "rowgroup", class: "rows-head" }, this.head), this.body));
    this.panel = el("div", { class: "rows-details", "aria-live": "polite", hidden: true });
    this.element = el("div", { class: "rows", style: { "--grid": grid.join(" "), "--numbers": String(Math.max(0, narrow.length - 1)) } },
      el("div", { class: "rows-tools" }, input, this.status), this.scroller, this.panel);
    this.element.table = this;
    window.addEventListener("beforeprint", () => this.render(PRINTED));
    window.addEventListener("afterprint", () => this.render());
    this.markSorted();
    link.keep(this);
  }

  headCell(column) {
    const button = el("button", { type: "button", onclick: () => this.sortBy(column) }, column.label);
    return el("div", { role: "columnheader", "aria-sort": "none", "data-key": column.key, class: this.cellClass(column) }, button);
  }

  cellClass(column) {
    return [column.num ? "num" : "", column.name ? "name" : "", column.minor ? "minor" : ""].join(" ").trim() || null;
  }

  draw() {
    this.redraw();
  }

  /** Draw again what the rows say now, in the order that is asked for. */
  redraw() {
    if (this.sorted) return this.arrange();
    this.render();
    if (this.active >= 0) this.choose(this.active);
  }

  // ------------------------------------------------------------------------ order and search

  search(query) {
    this.query = query.trim().toLowerCase();
    this.haystack ??= Array.from({ length: this.length }, (_, row) => this.searched(row).toLowerCase());
    this.arrange();
    link.changed();
  }

  sortBy(column) {
    this.ascending = this.sorted === column ? !this.ascending : !column.num;
    this.sorted = column;
    this.markSorted();
    this.arrange();
    link.changed();
  }

  markSorted() {
    for (const cell of this.head.children) {
      const own = cell.dataset.key === this.sorted?.key;
      cell.setAttribute("aria-sort", own ? (this.ascending ? "ascending" : "descending") : "none");
    }
  }

  /** Search for a text as if it was typed. */
  find(query) {
    this.input.value = query;
    this.search(query);
  }

  /** Leave only some rows; null: all. */
  only(kept) {
    this.kept = kept;
    this.arrange();
  }

  orderText() {
    return this.sorted ? (this.ascending ? "" : "-") + this.sorted.key : "";
  }

  save() {
    const name = link.encoded(this.label.toLowerCase());
    const order = this.orderText();
    return [...(order === this.first ? [] : [[`sort.${name}`, order]]), ...(this.query ? [[`find.${name}`, this.query]] : [])];
  }

  load(values) {
    const name = link.encoded(this.label.toLowerCase());
    const order = values.get(`sort.${name}`) ?? this.first;
    const query = values.get(`find.${name}`) ?? "";
    if (order === this.orderText() && query === this.query) return;
    this.ascending = !order.startsWith("-");
    this.sorted = this.columns.find((column) => column.key === order.replace(/^-/, "")) ?? null;
    this.markSorted();
    this.find(query);
  }

  arrange() {
    const words = this.query.split(/\s+/).filter(Boolean);
    const rows = [];
    for (let row = 0; row < this.length; row++) {
      if (this.kept && !this.kept(row)) continue;
      if (!words.length || words.every((word) => this.haystack[row].includes(word))) rows.push(row);
    }
    if (this.sorted) {
      const key = this.sorted.sort ?? this.sorted.text;
      const keys = new Map(rows.map((row) => [row, key(row)]));
      const sign = this.ascending ? 1 : -1;
      const compare = this.sorted.num ? (a, b) => a - b : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      rows.sort((a, b) => sign * compare(keys.get(a), keys.get(b)) || a - b);
    }
    this.order = rows;
    this.active = -1;
    this.panel.hidden = true;
    this.scroller.scrollTop = 0;
    this.render();
  }

  // --------------------------------------------------------------------------------- drawing

  render(all = 0) {
    const height = this.scroller.clientHeight || 400;
    const first = all ? 0 : Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - 8);
    const last = Math.min(this.order.length, all || first + Math.ceil(height / ROW_HEIGHT) + 16);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.row(place));
    this.body.style.height = `${(all ? last : this.order.length) * ROW_HEIGHT}px`;
    this.body.replaceChildren(...rows);
    const matches = this.order.length;
    this.status.textContent = matches === this.length ? `${exact(matches)} rows` : `${exact(matches)} of ${exact(this.length)} rows`;
  }

  row(place) {
    const row = this.order[place];
    const cells = this.columns.map((column) => {
      const text = column.text(row);
      return el("div", { role: "cell", class: this.cellClass(column), title: column.name ? text : null }, text);
    });
    return el("div", {
      class: place === this.active ? "row active" : "row", role: "row", "aria-rowindex": String(place + 2),
      "data-place": String(place), style: { top: `${place * ROW_HEIGHT}px` },
    }, ...cells);
  }

  // -------------------------------------------------------------------------------- choosing

  onClick(event) {
    const row = event.target.closest(".row[data-place]");
    if (row) this.choose(Number(row.dataset.place));
  }

  onKey(event) {
    if (event.target !== this.scroller) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.choose(Math.min(this.order.length - 1, Math.max(0, this.active + steps[event.key])));
  }

  choose(place) {
    if (place < 0 || place >= this.order.length) return;
    this.active = place;
    const top = place * ROW_HEIGHT;
    const room = this.scroller.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top > this.scroller.scrollTop + room) this.scroller.scrollTop = top - room;
    this.render();
    if (!this.details) return;
    const row = this.order[place];
    const name = this.columns.find((column) => column.name) ?? this.columns[0];
    const lines = this.details(row).filter(Boolean).map((line) => el("p", {}, line));
    this.panel.replaceChildren(el("strong", {}, name.text(row)), ...lines);
    this.panel.hidden = false;
  }
}
