// The tree that the map draws: model, modules, nodes, tensors, each with its share of a measure.

const MEASURES = {
  nbytes: { label: "Bytes", text: bytes, unit: "bytes" },
  parameters: { label: "Parameters", text: human, unit: "parameters" },
  macs: { label: "MACs", text: human, unit: "MACs" },
};

const LOOSE = "(used by no node)";

/** Build the tree of a report once; `measure` fills in values. */
function buildTree(report) {
  const { nodes, tensors } = report;
  const root = branch("model", "", "", null);
  const modules = new Map([["", root]]);
  const nodeItems = new Array(nodes.length);
  for (let row = 0; row < nodes.length; row++) {
    const item = branch("node", nodes.get("name", row) || nodes.get("id", row), nodes.get("id", row), row);
    item.op = operator(nodes, row);
    nodeItems[row] = item;
    attach(moduleOf(modules, nodes.get("module", row)), item);
  }
  let loose = null;
  for (let row = 0; row < tensors.length; row++) {
    const item = branch("tensor", tensors.get("name", row), tensors.get("name", row), row);
    const owner = tensors.get("owner", row);
    if (typeof owner === "number") {
      attach(nodeItems[owner], item);
    } else {
      loose ??= attach(root, branch("module", LOOSE, LOOSE, null));
      attach(loose, item);
    }
  }
  return root;
}

function branch(kind, name, path, row) {
  return { kind, name, path, row, parent: null, children: [], value: 0, exact: 0, own: 0, lacks: 0, bound: false, dominant: {} };
}

function attach(parent, child) {
  child.parent = parent;
  parent.children.push(child);
  return child;
}

function moduleOf(modules, path) {
  const missing = [];
  let at = path;
  while (!modules.has(at)) {
    missing.push(at);
    at = at.slice(0, Math.max(0, at.lastIndexOf(".")));
  }
  for (const name of missing.reverse()) {
    const parent = modules.get(name.slice(0, Math.max(0, name.lastIndexOf("."))));
    const label = parent.path ? name.slice(parent.path.length + 1) : name;
    modules.set(name, attach(parent, branch("module", label, name, null)));
  }
  return modules.get(path);
}

function operator(nodes, row) {
  const domain = nodes.get("domain", row);
  return domain ? `${domain}::${nodes.get("op_type", row)}` : nodes.get("op_type", row);
}

/** What one node or tensor adds to a measure; null: not known. */
function ownValue(item, measure, report, sizes) {
  if (measure === "macs") return item.kind === "node" ? sizes.macs(item.row) : 0;
  if (item.kind !== "tensor") return 0;
  if (measure === "nbytes") return whole(report.tensors.get("nbytes", item.row));
  return report.tensors.get("kind", item.row) === "parameter" ? whole(report.tensors.get("elements", item.row)) : 0;
}

const CATEGORIES = {
  kind: (item, report) => (item.kind === "tensor" ? report.tensors.get("kind", item.row) : "no weights"),
  dtype: (item, report) => (item.kind === "tensor" ? report.tensors.get("dtype", item.row) : "no weights"),
  op_type: (item) => (item.kind === "node" ? item.op : item.parent?.op ?? "no operator"),
};

/**
 * Fill in the values of a measure and, for each colouring, what most of a branch is: `exact` is the
 * sum of what is known, `value` the same as a double, `lacks` how many nodes have no number.
 */
function measure(root, name, report, sizes) {
  const order = [];
  const stack = [root];
  while (stack.length) {
    const item = stack.pop();
    order.push(item);
    for (const child of item.children) stack.push(child);
  }
  for (let at = order.length - 1; at >= 0; at--) {
    const item = order[at];
    const own = ownValue(item, name, report, sizes);
    item.exact = own ?? 0;
    item.lacks = own === null ? 1 : 0;
    item.own = num(own);
    let best = null;
    for (const child of item.children) {
      item.exact = plus(item.exact, child.exact);
      item.lacks += child.lacks;
      if (!best || child.value > best.value) best = child;
    }
    item.value = num(item.exact);
    for (const [key, category] of Object.entries(CATEGORIES)) {
      const inherits = best && (best.value > 0 || item.kind !== "node");
      item.dominant[key] = inherits || (best && key !== "op_type") ? best.dominant[key] : category(item, report);
    }
  }
  for (const item of order) item.children.sort((a, b) => b.value - a.value || b.lacks - a.lacks);
  root.bound = root.lacks > 0 || sizes.isBound(name === "macs" ? "macs" : "parameters");
}

/** Nodes of each operator that have no number, most first. */
function lacking(root) {
  const counts = new Map();
  const stack = [root];
  while (stack.length) {
    const item = stack.pop();
    if (!item.lacks) continue;
    if (item.kind === "node") counts.set(item.op, (counts.get(item.op) ?? 0) + 1);
    for (const child of item.children) stack.push(child);
  }
  return new Map([...counts].sort((a, b) => b[1] - a[1]));
}

/** The branches of a colouring by what they weigh, heaviest first. */
function weights(root, key) {
  const sums = new Map();
  const stack = [root];
  while (stack.length) {
    const item = stack.pop();
    if (item.own > 0) sums.set(item.dominant[key], (sums.get(item.dominant[key]) ?? 0) + item.own);
    for (const child of item.children) stack.push(child);
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}
