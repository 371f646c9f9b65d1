// The network as folds: modules in modules, operators in them, and what flows between.

const RUN = 100; // children of one fold that are drawn as they are; more are folded in runs
const RUNS = 60; // runs of one fold
const ENDS = 6; // inputs, and outputs, that are drawn as they are

/** Operators, inputs and outputs by place, and the tree of modules that they are folded in. */
class Folds {
  constructor(report, packed) {
    this.report = report;
    const { nodes, model } = report;
    this.firsts = [nodes.length, nodes.length + model.inputs.length];
    this.length = this.firsts[1] + model.outputs.length;
    this.readFlows(new Columns({ length: this.length, columns: packed }), packed);
    this.root = branch("model", "model", "", null);
    this.leaves = new Array(this.length);
    this.modules = new Map([["", this.root]]);
    this.addEnds("input", model.inputs, this.firsts[0]);
    for (let row = 0; row < nodes.length; row++) {
      if (nodes.get("op_type", row) === OUTPUT) continue;
      const item = branch("node", nodes.get("name", row) || nodes.get("id", row), nodes.get("id", row), row);
      this.addLeaf(moduleOf(this.modules, nodes.get("module", row)), item, row);
    }
    this.addEnds("output", model.outputs, this.firsts[1]);
    this.number();
  }

  /** Inputs or outputs of the model: each one, or all of them as one fold where they are many. */
  addEnds(kind, values, first) {
    const many = values.length > ENDS;
    const parent = many ? attach(this.root, branch(`${kind}s`, `${exact(values.length)} ${kind}s`, "", null)) : this.root;
    values.forEach((value, at) => this.addLeaf(parent, branch(kind, value.name, value.name, at), first + at));
  }

  addLeaf(parent, item, place) {
    this.leaves[place] = Object.assign(attach(parent, item), { place });
  }

  readFlows(table, packed) {
    const [sources, targets, outputs, values] = [[], [], [], []];
    for (let target = 0; target < this.length; target++) {
      table.get("reads", target).forEach((before, at) => {
        sources.push(target - before);
        targets.push(target);
        outputs.push(packed.outputs[target]?.[at] ?? 0);
        values.push(packed.values[target]?.[at] ?? 1);
      });
    }
    Object.assign(this, { sources, targets, outputs, values });
    this.entering = lists(this.length, targets);
    this.leaving = lists(this.length, sources);
  }

  /** Fold long lists in runs; number the leaves so that each fold holds those from `from` to `to`. */
  number() {
    this.order = [];
    this.rank = new Int32Array(this.length).fill(-1);
    const walk = [[this.root, 0]];
    while (walk.length) {
      const [item, phase] = walk.pop();
      if (phase) {
        item.to = this.order.length;
        continue;
      }
      item.from = this.order.length;
      item.open = false;
      if (item.place !== undefined) {
        this.rank[item.place] = item.from;
        this.order.push(item.place);
      }
      if (item.children.length > RUN) item.children = inRuns(item);
      walk.push([item, 1]);
      for (let at = item.children.length - 1; at >= 0; at--) walk.push([item.children[at], 0]);
    }
  }

  /** The child of a fold that holds a place; undefined where another fold holds it. */
  childOf(item, place) {
    const rank = this.rank[place];
    if (rank < item.from || rank >= item.to) return undefined;
    const { children } = item;
    let [low, high] = [0, children.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (children[middle].from <= rank) low = middle;
      else high = middle - 1;
    }
    return children[low];
  }

  holds(item, place) {
    return this.rank[place] >= item.from && this.rank[place] < item.to;
  }

  /**
   * What flows between the children of a fold, one edge for all values between two of them:
   * {source, target, flows, values}; `source` or `target` is null where it is outside.
   */
  edges(item) {
    const edges = new Map();
    const add = (source, target, flow) => {
      const key = `${source?.from ?? "in"} ${target?.from ?? "out"}`;
      const edge = edges.get(key) ?? edges.set(key, { source, target, flows: [], values: 0 }).get(key);
      edge.values += this.values[flow];
      edge.flows.push(flow);
    };
    for (const child of item.children) {
      for (let rank = child.from; rank < child.to; rank++) {
        const place = this.order[rank];
        for (const flow of this.entering(place)) {
          if (this.rank[this.sources[flow]] < 0 || this.holds(child, this.sources[flow])) continue;
          add(this.childOf(item, this.sources[flow]) ?? null, child, flow);
        }
        for (const flow of this.leaving(place)) {
          if (this.rank[this.targets[flow]] >= 0 && !this.holds(item, this.targets[flow])) add(child, null, flow);
        }
      }
    }
    return [...edges.values()];
  }

  /** Names of what enters and what takes the values of a fold. */
  around(item) {
    const [before, after] = [new Map(), new Map()];
    for (let rank = item.from; rank < item.to; rank++) {
      const place = this.order[rank];
      for (const flow of this.entering(place)) if (!this.holds(item, this.sources[flow])) before.set(this.sources[flow], true);
      for (const flow of this.leaving(place)) if (!this.holds(item, this.targets[flow])) after.set(this.targets[flow], true);
    }
    const names = (places) => [...places.keys()].map((place) => this.leaves[place]).filter(Boolean).map((leaf) => leaf.path);
    return { before: names(before), after: names(after) };
  }

  /** Boxes when all folds above a depth are open, and no other: those of the open folds, too. */
  boxes(depth) {
    let [level, sum] = [[this.root], 0];
    for (let at = 0; at < depth && level.length; at++) {
      level = level.flatMap((item) => item.children);
      sum += level.length;
    }
    return sum;
  }

  /** Every item with its depth, the root first. */
  *all() {
    const walk = [[this.root, 0]];
    while (walk.length) {
      const [item, depth] = walk.pop();
      yield [item, depth];
      for (const child of item.children) walk.push([child, depth + 1]);
    }
  }

  /** Open all folds above a depth, and no other. */
  openTo(depth) {
    for (const [item, at] of this.all()) Object.assign(item, { open: at < depth && item.children.length > 0, laid: null });
  }
}

/** For each place the positions in a list that name it. */
function lists(length, places) {
  const ends = new Int32Array(length + 1);
  for (const place of places) ends[place + 1]++;
  for (let at = 0; at < length; at++) ends[at + 1] += ends[at];
  const next = ends.slice();
  const all = new Int32Array(places.length);
  places.forEach((place, at) => (all[next[place]++] = at));
  return (place) => all.subarray(ends[place], ends[place + 1]);
}

/** Children of a fold in runs of 10, 20, 50, 100, ..., so that the runs are few. */
function inRuns(item) {
  const runs = [];
  const ends = item.children.filter(({ kind }) => ENDS_OF.has(kind));
  const parts = item.children.filter(({ kind }) => !ENDS_OF.has(kind));
  let size = 10;
  for (let step = 0; parts.length / size > RUNS; step++) size *= [2, 2.5, 2][step % 3];
  for (let first = 0; first < parts.length; first += size) {
    const children = parts.slice(first, first + size);
    const run = branch("run", `${exact(first + 1)} to ${exact(first + children.length)}`, `${item.path}[${first}]`, null);
    for (const child of children) attach(run, child);
    runs.push(Object.assign(run, { parent: item }));
  }
  const before = ends.filter(({ kind }) => kind.startsWith("input"));
  return [...before, ...runs, ...ends.slice(before.length)];
}

const ENDS_OF = new Set(["input", "inputs", "output", "outputs"]);
