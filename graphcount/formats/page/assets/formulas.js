// Formulas as trees, evaluated with whole numbers of any size: symbolic/tree.py has the grammar.

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const LARGEST = 10n ** 2000n; // symbolic: LARGEST_NUMBER

/** A whole number as a double where that is exact, else as a BigInt. */
const narrow = (number) => (number >= -MAX_SAFE && number <= MAX_SAFE ? Number(number) : number);

/** A number of the data: `{int: digits}` is one that no double holds. */
function whole(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "object" ? narrow(BigInt(value.int)) : value;
}

/** The exact sum of two whole numbers. */
function plus(a, b) {
  const sum = typeof a === "number" && typeof b === "number" ? a + b : null;
  return sum !== null && Number.isSafeInteger(sum) ? sum : narrow(BigInt(a) + BigInt(b));
}

function floorDivided(a, b) {
  const quotient = a / b; // towards zero
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

const OPERATIONS = new Map([
  ["+", (a, b) => a + b],
  ["*", (a, b) => a * b],
  ["//", floorDivided],
  ["max", (a, b) => (a > b ? a : b)],
  ["min", (a, b) => (a < b ? a : b)],
]);

function bounded(number) {
  if (number > LARGEST || number < -LARGEST) throw new RangeError("larger than any size");
  return number;
}

/** The value of a tree as a BigInt; a RangeError where a name has no size or a divisor is 0. */
function evaluated(tree, sizes) {
  if (typeof tree === "number") return BigInt(tree);
  const [op, first] = tree;
  if (op === "i") return BigInt(first);
  if (op === "n") {
    const size = sizes.get(first);
    if (size === undefined) throw new RangeError("no size");
    return size;
  }
  if (op === "^") {
    const base = evaluated(first, sizes);
    let power = base;
    for (let count = 1; count < tree[2]; count++) power = bounded(power * base);
    return power;
  }
  const apply = OPERATIONS.get(op);
  let result = evaluated(first, sizes);
  for (let place = 2; place < tree.length; place++) {
    result = bounded(apply(result, evaluated(tree[place], sizes)));
  }
  return result;
}

/** The value of a tree at sizes (name to BigInt), a number or a BigInt; null: it has none. */
function valueOf(tree, sizes) {
  try {
    const value = evaluated(tree, sizes);
    return value < 0n ? null : narrow(value);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** A formula as people write it: 128·batch·sequence². */
function pretty(text) {
  const raised = (digits) => [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  return safe(text, 600).replace(/\*/g, "·").replace(/\^(\d+)/g, (_, digits) => raised(digits));
}
