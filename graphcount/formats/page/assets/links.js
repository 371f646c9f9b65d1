// The address of the page keeps what is shown: section, zoom, folds, order of tables, sizes.

const LONGEST_LINK = 4000; // characters; what is longer is not kept

/** `#network&zoom=module:layers.0`: a section, then what its parts keep. */
const link = {
  parts: [],
  section: "",
  timer: 0,

  /** A part of the page: `save()` gives [key, value] pairs, `load(values)` takes a Map of them. */
  keep(part) {
    this.parts.push(part);
  },

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), 200);
  },

  text() {
    const pairs = this.parts.flatMap((part) => part.save()).map(([key, value]) => `${key}=${this.encoded(value)}`);
    return [this.section, ...pairs].join("&");
  },

  write() {
    const text = this.text();
    if (text.length > LONGEST_LINK || `#${text}` === location.hash) return;
    try {
      history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    } catch {
      // a sandboxed frame has no address of its own
    }
  },

  load() {
    const [section, ...pairs] = location.hash.slice(1).split("&");
    const values = new Map();
    for (const pair of pairs) {
      const at = pair.indexOf("=");
      values.set(pair.slice(0, at), this.decoded(pair.slice(at + 1)));
    }
    for (const part of this.parts) part.load(values);
    this.go(section);
  },

  /** A text as part of an address; half a surrogate pair has no encoding. */
  encoded(text) {
    return encodeURIComponent(String(text).replace(/[\ud800-\udfff]/gu, "\ufffd"));
  },

  decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return ""; // not written by us
    }
  },

  /** Scroll to a section: in a sandboxed frame a browser does not follow links to parts of the page. */
  go(section) {
    const target = section && document.getElementById(section);
    if (!target) return;
    this.section = section;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  },
};

document.addEventListener("click", (event) => {
  const anchor = event.target.closest('a[href^="#"]');
  if (!anchor || event.ctrlKey || event.metaKey || anchor.classList.contains("skip")) return;
  event.preventDefault();
  link.go(anchor.hash.slice(1));
  link.changed();
});
