// Reading the embedded report: columns, exact integers, safe names.

/** The object in the data element; deflated when it was long. */
async function readData() {
  const element = document.getElementById("data");
  let text = element.textContent;
  if (element.dataset.encoding === "deflate") {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    text = await new Response(stream).text();
  }
  return JSON.parse(text);
}

/** A list of records by column: `table.get("module", 3)`. */
class Columns {
  constructor(packed) {
    this.length = packed.length;
    this.columns = packed.columns;
  }

  get(name, row) {
    const column = this.columns[name];
    return Array.isArray(column) ? column[row] : column.values[column.index[row]];
  }
}

// --------------------------------------------------------------------------------------- text

const UNSAFE = new RegExp(
  "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180e\\u200b-\\u200f" +
    "\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb" +
    "\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
  "gu",
);

/** A name from a model, visible and harmless: the rule of formats/text.py. */
function safe(text, limit = 240) {
  const plain = String(text).replace(UNSAFE, (character) => {
    const code = character.codePointAt(0);
    const digits = code.toString(16);
    if (code <= 0xff) return "\\x" + digits.padStart(2, "0");
    return code <= 0xffff ? "\\u" + digits.padStart(4, "0") : "\\U" + digits.padStart(8, "0");
  });
  return plain.length > limit ? plain.slice(0, limit - 3) + "..." : plain;
}

// ------------------------------------------------------------------------------------- numbers

const COUNTS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const BYTES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
const BINARY = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

/** A whole number as a double: exact up to 2^53, which is what areas and sorting need. */
function num(value) {
  if (value === null || value === undefined) return 0;
  return Number(typeof value === "object" ? value.int : value);
}

/** All digits of an integer; what is none as it is. */
const written = (value) => (value !== null && typeof value === "object" && "int" in value ? value.int : String(value));

/** All digits, grouped. */
function exact(value) {
  const digits = typeof value === "number" ? String(Math.round(value)) : written(value);
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A count in three digits: 26,926 is 26.9k. */
function human(value) {
  const number = num(value);
  if (Math.abs(number) < 10_000) return exact(number);
  return scaled(number, COUNTS, "", 1);
}

/** A size: 107.72 kB. */
function bytes(value, units = PAGE.binary ? BINARY : BYTES) {
  const number = num(value);
  if (Math.abs(number) < units[3][0]) return exact(number) + " B";
  return scaled(number, units, " ", 2);
}

function scaled(number, units, separator, digits) {
  for (let place = 0; place < units.length; place++) {
    const [factor, unit] = units[place];
    if (Math.abs(number) < factor) continue;
    const text = (number / factor).toFixed(digits);
    if (place && Math.abs(Number(text)) >= 1000 && units !== BINARY) {
      return (number / units[place - 1][0]).toFixed(digits) + separator + units[place - 1][1];
    }
    return text.replace(/\B(?=(\d{3})+(?!\d)(?=.*\.))/g, ",") + separator + unit;
  }
  return exact(number);
}

function percent(part, whole) {
  if (!whole) return "";
  const share = (100 * part) / whole;
  return share > 0 && share < 0.05 ? "<0.1%" : share.toFixed(1) + "%";
}

function seconds(value) {
  if (value >= 1) return value.toFixed(2) + " s";
  return value >= 1e-3 ? (value * 1e3).toFixed(2) + " ms" : (value * 1e6).toFixed(1) + " µs";
}

function shapeText(shape) {
  return shape ? "[" + shape.map((dim) => (dim === null ? "?" : safe(written(dim), 40))).join(", ") + "]" : "";
}
