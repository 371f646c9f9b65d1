// Where the boxes of the network stand: each open fold is laid out by dagre, from the inside out.

const BOX = { height: 40, least: 84, most: 230, title: 26, pad: 14 };
const FAR = 12; // layers that an edge may pass; longer ones are drawn beside the layout, not by it

/**
 * Lay out an open fold: `item.laid` has its size, the corner of each child, and paths of edges.
 * What was laid out before and has not changed is kept.
 */
function layOut(folds, item, labels) {
  if (item.laid) return item.laid;
  const sizes = new Map(item.children.map((child) => [child, child.open ? layOut(folds, child, labels) : boxSize(labels(child))]));
  const graph = new dagre.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 22, edgesep: 12, ranksep: 34, ranker: item.children.length > 40 ? "longest-path" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  const id = (child, end) => (child ? `c${child.from}` : end);
  for (const [child, { width, height }] of sizes) graph.setNode(id(child), { width, height });
  const edges = folds.edges(item);
  if (edges.some((edge) => !edge.source)) graph.setNode("in", { width: 2, height: 1 });
  if (edges.some((edge) => !edge.target)) graph.setNode("out", { width: 2, height: 1 });
  const far = farEdges(item, edges);
  for (const edge of edges) if (!far.has(edge)) graph.setEdge(id(edge.source, "in"), id(edge.target, "out"), { weight: edge.source && edge.target ? 2 : 1 });
  dagre.layout(graph);
  const top = !item.parent ? BOX.pad : graph.hasNode("in") ? BOX.title - BOX.pad : BOX.title + 4;
  const bends = new Map(edges.map((edge) => [edge, far.has(edge) ? [] : graph.edge(id(edge.source, "in"), id(edge.target, "out")).points.slice(1, -1)]));
  const places = [0, graph.graph().width, ...[...bends.values()].flat().map(({ x }) => x)]; // lines may pass beside all boxes
  const left = BOX.pad - places.reduce((least, x) => Math.min(least, x));
  const corners = new Map([...sizes].map(([child, { width, height }]) => {
    const { x, y } = graph.node(id(child));
    return [child, { x: x - width / 2 + left, y: y - height / 2 + top, width, height }];
  }));
  const at = (end) => graph.hasNode(end) && graph.node(end).x + left;
  const width = Math.max(places.reduce((most, x) => Math.max(most, x)) + left + BOX.pad, boxSize(labels(item)).width);
  const height = graph.graph().height + top + (graph.hasNode("out") ? 0 : BOX.pad);
  item.laid = { width, height, corners, enter: at("in"), leave: at("out"), edges: [] };
  for (const edge of edges) {
    const middle = bends.get(edge).map(({ x, y }) => [x + left, y + top]);
    item.laid.edges.push({ ...edge, far: far.has(edge), points: throughBoxes(item.laid, edge, middle) });
  }
  return item.laid;
}

/**
 * An edge from the lower side of its source to the upper side of its target, of an open fold where
 * its values enter and leave; one that goes back, from the upper side to the lower one.
 */
function throughBoxes(laid, { source, target }, middle) {
  const [first, last] = [laid.corners.get(source), laid.corners.get(target)];
  const center = (corner) => corner.x + corner.width / 2;
  const towards = (corner, x) => Math.max(corner.x + 10, Math.min(center(corner) + 0.25 * (x - center(corner)), corner.x + corner.width - 10));
  const ahead = middle.at(-1)?.[0] ?? (first ? center(first) : laid.enter);
  const behind = middle[0]?.[0] ?? (last ? center(last) : laid.leave);
  if (first && last && last.y + last.height <= first.y) return [[towards(first, behind), first.y], ...middle, [towards(last, ahead), last.y + last.height]];
  const leave = source?.open && source.laid.leave ? first.x + source.laid.leave : first && towards(first, behind);
  const enter = target?.open && target.laid.enter ? last.x + target.laid.enter : last && towards(last, ahead);
  return [first ? [leave, first.y + first.height] : [laid.enter, 0], ...middle, last ? [enter, last.y] : [laid.leave, laid.height]];
}

/** Edges that pass many layers, but the nearest of each source: each layer that they pass would cost time and room. */
function farEdges(item, edges) {
  const layer = new Map();
  const inner = edges.filter((edge) => edge.source && edge.target && edge.source.from < edge.target.from);
  const into = new Map();
  for (const edge of inner) into.set(edge.target, [...(into.get(edge.target) ?? []), edge.source]);
  for (const child of item.children) layer.set(child, Math.max(0, ...(into.get(child) ?? []).map((source) => layer.get(source) + 1)));
  const span = (edge) => layer.get(edge.target) - layer.get(edge.source);
  const nearest = new Map();
  for (const edge of inner) if (!nearest.has(edge.source) || span(edge) < span(nearest.get(edge.source))) nearest.set(edge.source, edge);
  const ends = edges.filter((edge) => !edge.source || !edge.target);
  const crowded = ends.length > 2 * FAR ? ends.filter((edge) => (edge.source ? item.children.length : layer.get(edge.target)) > FAR) : [];
  return new Set([...inner.filter((edge) => span(edge) > FAR && nearest.get(edge.source) !== edge), ...crowded]);
}

const pen = document.createElement("canvas").getContext("2d");

function textWidth(text, font) {
  pen.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

function boxSize([title, more]) {
  const wanted = Math.max(textWidth(title, "600 12px"), textWidth(more ?? "", "11px")) + 24;
  return { width: Math.ceil(Math.max(BOX.least, Math.min(BOX.most, wanted))), height: BOX.height };
}

/** A line through points, its corners rounded. */
function curve(points, dx, dy) {
  const at = ([x, y]) => `${(x + dx).toFixed(1)},${(y + dy).toFixed(1)}`;
  const [first, last] = [points[0], points.at(-1)];
  if (points.length === 2) {
    const bend = Math.max(-40, Math.min(40, (last[1] - first[1]) / 2));
    return `M${at(first)}C${at([first[0], first[1] + bend])} ${at([last[0], last[1] - bend])} ${at(last)}`;
  }
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const bends = points.slice(1, -1).map((point, place, inner) => `Q${at(point)} ${at(place === inner.length - 1 ? last : middle(point, inner[place + 1]))}`);
  return `M${at(first)}${bends.join("")}`;
}
