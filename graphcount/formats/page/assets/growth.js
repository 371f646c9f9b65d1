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

/** `+1,290 (+4.8%)`. */
function difference(before, after, text) {
  const change = num(after) - num(before);
  if (!change) return "unchanged";
  const sign = change > 0 ? "+" : "−";
  const share = num(before) ? `, ${sign}${percent(Math.abs(change), num(before))}` : "";
  return `${sign}${text(Math.abs(change))}${share}`;
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
    label: "Changes",
    length: rows.length,
    columns: [
      { key: "status", label: "What", width: "minmax(5.5rem, 0.6fr)", text: (at) => rows[at].status },
      { key: "level", label: "Of", width: "minmax(5rem, 0.5fr)", text: (at) => rows[at].level, minor: true },
      { key: "name", label: "Name", width: "minmax(12rem, 3fr)", name: true, text: (at) => safe(rows[at].name) },
      { key: "how", label: "How", width: "minmax(10rem, 2fr)", minor: true, text: (at) => safe(rows[at].what, 120) },
      change("parameters", human),
      { ...change("nbytes", bytes), minor: true },
      { ...change("macs", human), minor: true },
    ],
    details: (at) => [
      `${rows[at].level} ${rows[at].status}`, safe(rows[at].what, 400),
      rows[at].before ? `was called ${safe(rows[at].before)}` : "",
      ...[["parameters", exact], ["nbytes", bytes], ["macs", exact]].map(([key, text]) =>
        num(rows[at].delta[key]) ? `${MEASURES[key].label} ${signed(rows[at].delta[key], text)}` : ""),
    ],
  });
  const note = [`Against ${safe(old.path)}: ${rows.length ? exact(rows.length) : "no"} ${rows.length === 1 ? "change" : "changes"}.`, ...changes.notes].join(" ");
  section("changes", "What changed", safe(note, 1000), rows.length ? table.element : "");
  if (rows.length) table.draw();
}
