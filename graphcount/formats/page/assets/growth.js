// Two models: what grew, in colours that everyone can tell apart (blue smaller, orange larger).

/** Growth of a branch from -1 (gone) by 0 (as before) to 1 (new). */
function growthOf(item, state) {
  const row = state.growth.get(`${item.kind}:${item.path}`);
  if (row?.status === "added") return 1;
  if (!row && item.kind === "tensor" && item.parent?.kind === "node") return growthOf(item.parent, state);
  const delta = num(row?.delta[state.measure]);
  return delta ? delta / Math.max(item.value, item.value - delta, 1) : 0;
}

function growthColour(growth) {
  const strength = Math.round(Math.min(1, Math.abs(growth)) * 70 + 30);
  if (!growth) return { css: "var(--same)" };
  const pole = growth > 0 ? "var(--grew)" : "var(--shrank)";
  return { css: `color-mix(in oklab, ${pole} ${strength}%, var(--same))`, hatched: growth === 1 };
}

function growthLegend() {
  const steps = [[-0.75, "smaller"], [0, "as before"], [0.3, "larger"], [1, "new"]];
  return steps.map(([growth, text]) => {
    const { css, hatched } = growthColour(growth);
    return el("li", {}, el("i", { class: hatched ? "hatched" : null, style: { background: css, "--tile": css } }), text);
  });
}

/** `+6,926, +34.6% from 20.0k`. */
function difference(before, after, text) {
  const change = num(after) - num(before);
  if (!change) return "unchanged";
  const sign = change > 0 ? "+" : "−";
  const part = percent(Math.abs(change), num(before));
  const share = part && `, ${part.startsWith("<") ? "" : sign}${part}`;
  return `${sign}${text(Math.abs(change))}${share} from ${text(before ?? 0)}`;
}

/** What one delta says: `+512 B`. */
function signed(delta, text) {
  if (!num(delta)) return "";
  return (num(delta) > 0 ? "+" : "−") + text(Math.abs(num(delta)));
}

function drawChanges(page) {
  const { changes, old } = page;
  if (!changes) return;
  const rows = changes.rows;
  const change = (key, text) => ({
    key, label: MEASURES[key].label, num: true,
    sort: (at) => Math.abs(num(rows[at].delta[key])), text: (at) => signed(rows[at].delta[key], text),
  });
  const table = new RowTable({
    label: "Changes", length: rows.length, sort: "nbytes",
    columns: [
      { key: "status", label: "What", width: "minmax(5.5rem, 0.6fr)", text: (at) => STATUS.get(rows[at].status) ?? rows[at].status },
      { key: "level", label: "Of", width: "minmax(5rem, 0.5fr)", text: (at) => rows[at].level, minor: true },
      { key: "name", label: "Name", width: "minmax(12rem, 3fr)", name: true, text: (at) => safe(rows[at].name) },
      { key: "how", label: "How", width: "minmax(10rem, 2fr)", minor: true, text: (at) => safe(rows[at].what, 120) },
      { ...change("parameters", human), minor: true },
      change("nbytes", bytes),
      { ...change("macs", human), minor: true },
    ],
    details: (at) => [
      `${rows[at].level} ${rows[at].status}`, safe(rows[at].what, 400),
      rows[at].before ? `was called ${safe(rows[at].before)}` : "",
      ...[["parameters", exact], ["nbytes", bytes], ["macs", exact]].map(([key, text]) =>
        num(rows[at].delta[key]) ? `${MEASURES[key].label} ${signed(rows[at].delta[key], text)}` : ""),
    ],
  });
  const note = [`From ${safe(old.path)} to ${safe(page.report.model.path)}: ${rows.length ? exact(rows.length) : "no"} ${rows.length === 1 ? "change" : "changes"}.`, ...changes.notes].join(" ");
  section("changes", "What changed", safe(note, 1000), ...(rows.length ? [goneList(rows), statusChoice(rows, table), table.element] : []));
  if (rows.length) table.draw();
}

const STATUS = new Map([["added", "new"], ["removed", "gone"], ["changed", "changed"]]);
const MOST_GONE = 12;

/** What only the old model has: tensors and nodes, the largest first. */
function goneList(rows) {
  const gone = rows.filter((row) => row.status === "removed" && row.level !== "module");
  if (!gone.length) return "";
  const size = (row) => Math.abs(num(row.delta.nbytes)) || Math.abs(num(row.delta.macs));
  const first = gone.slice().sort((a, b) => size(b) - size(a)).slice(0, MOST_GONE);
  const line = (row) => el("li", {}, el("code", {}, safe(row.name, 120)), ` ${[row.level, safe(row.what, 80), signed(row.delta.nbytes, bytes), num(row.delta.macs) ? `${signed(row.delta.macs, human)} MACs` : ""].filter(Boolean).join(", ")}`);
  const more = gone.length - first.length;
  return el("div", { class: "panel gone" }, el("strong", {}, `Gone: ${exact(gone.length)}`), el("ul", {}, ...first.map(line)),
    more ? el("p", { class: "note" }, `and ${exact(more)} more, in the table`) : "");
}

/** Buttons that leave only what is new, gone or changed in the table. */
function statusChoice(rows, table) {
  const counts = new Map();
  for (const { status } of rows) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known = ["added", "removed", "changed"].filter((status) => counts.has(status));
  const options = [["", `All ${exact(rows.length)}`], ...known.map((status) => [status, `${STATUS.get(status)} ${exact(counts.get(status))}`])];
  return el("div", { class: "tools" }, choice("Show", options, "", (status) => table.only(status ? (at) => rows[at].status === status : null)));
}
