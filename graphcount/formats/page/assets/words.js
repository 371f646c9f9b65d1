// What is said of numbers that lack something: the words of the text formats.

const least = (on, text) => (on ? "at least " : "") + text;

/** The sum of a branch: `at least 1.2M MACs`, or `not known` where nothing of it is. */
function sumText(item, measure, withUnit = false) {
  if (item.lacks && !item.value) return "not known";
  const { text, unit } = MEASURES[measure];
  return least(item.lacks || item.bound, text(item.exact)) + (withUnit && unit !== "bytes" ? ` ${unit}` : "");
}

/** What part of the model a branch is; nothing of what is not known, and of what is a lower bound. */
function shareText(item, root) {
  if (!root.value || (item.lacks && !item.value)) return "";
  if (!root.bound) return `${percent(item.value, root.value)} of the model`;
  if (item === root) return "";
  return ofKnown(item.value, root.value);
}

/** A share where the whole is not known. */
function ofKnown(part, whole) {
  const text = percent(part, whole);
  return text === "100.0%" ? "all that is known" : text && `${text} of what is known`;
}

/** A share in a column: `column` says of what it is. */
function shareCell(item, root) {
  if (!root.value || (item.lacks && !item.value)) return "";
  return root.bound ? ofKnown(item.value, root.value) : percent(item.value, root.value);
}

const BOUNDS = {
  parameters: "parameters, bytes and all that follows from them", macs: "MACs",
  elementwise: "element-wise work", traffic: "bytes read and written", activation: "activations", peak: "their peak",
};

/** `MACs, activations and their peak`. */
function listed(words) {
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

/** What a box above the page says of doubts, and its lines. */
function doubtsOf(record) {
  const { unknown, totals } = record;
  const has = (affects) => unknown.some((row) => row.affects === affects);
  const measures = totals.at_least.includes("parameters") ? ["parameters"] : [...totals.at_least];
  const words = measures.map((measure) => BOUNDS[measure]);
  if (has("generated")) words.push("generated elements");
  if (words.length) return `Not everything is known: read ${listed(words)} as “at least”.`;
  return unknown.length ? "Some shapes are taken as declared: nothing derives them." : "";
}

/** `c is [1, 4, 160], not [1, 4, 112] as declared, with 2 values after it`. */
function mismatchText(row) {
  const after = num(row.values) - 1;
  const more = after ? `, with ${exact(after)} value${after === 1 ? "" : "s"} after it` : "";
  return `${safe(row.value, 120)} is ${shapeText(row.derived)}, not ${shapeText(row.declared)} as declared${more}`;
}

const UNCERTAIN = new Map([
  ["counts", "every count"], ["cost", "the forward pass"],
  ["generated", "generated elements"], ["operands", "operand elements"],
  ["declared", "nothing: declared shapes are used"],
]);

/** `at batch = 1, sequence = 128`. */
function sizesText(dims) {
  const pairs = Object.entries(dims).map(([name, size]) => `${safe(name, 40)} = ${written(size)}`);
  const more = pairs.length > 6 ? [`${pairs.length - 6} more`] : [];
  return pairs.length ? `at ${[...pairs.slice(0, 6), ...more].join(", ")}` : "";
}
