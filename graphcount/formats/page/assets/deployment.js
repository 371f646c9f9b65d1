// How the models of a deployment go together: sentences, components, joins, files.

function drawDeployment(page) {
  const data = page.deployment;
  if (!data) return;
  const list = el("ul", { class: "panel lines" }, ...data.lines.map((line) => el("li", {}, safe(line, 400))));
  const tables = data.tables.filter((table) => table.rows.length).map(deploymentTable);
  section("deployment", "How it goes together", `Layout: ${safe(data.layout, 80)}.`, list, ...tables);
}

function deploymentTable(table) {
  const numbers = new Set(table.numbers);
  const cell = (tag, text, at) => el(tag, { class: numbers.has(at) ? "num" : null, scope: tag === "th" ? "col" : null }, safe(text, 160));
  const row = (cells, tag) => el("tr", {}, ...cells.map((text, at) => cell(tag, text, at)));
  const body = table.rows.map((cells) => row(cells, "td"));
  return el("details", { open: table.title !== "Files" }, el("summary", {}, table.title),
    el("div", { class: "panel wide" }, el("table", { class: "plain-table" }, el("thead", {}, row(table.heads, "th")), el("tbody", {}, ...body))),
    table.left ? el("p", { class: "note" }, `and ${exact(table.left)} more`) : "");
}
