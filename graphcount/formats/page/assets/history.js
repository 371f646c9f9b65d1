// ------------------------------------------------------------------------------------ history

/** Latencies over time, the oldest first: a dot a measurement, with the interval of its median. */
function drawHistory(page) {
  const points = page.history?.points;
  if (!points?.length) return;
  const last = points.at(-1);
  const before = points.slice(-21, -1).map((point) => point.p50).sort((a, b) => a - b);
  const middle = before.length ? (before[(before.length - 1) >> 1] + before[before.length >> 1]) / 2 : null;
  const beside = middle ? `, ${(last.p50 / middle).toFixed(3)} times the median of the ${before.length === 1 ? "one" : exact(before.length)} before` : "";
  const words = `${seconds(last.p50)} on ${safe(last.date.slice(0, 10), 10)}${beside}`;
  section("history", "Latency over time", `Median of a run: ${words}. ${safe(page.history.note, 300)}.`,
    el("div", { class: "panel" }, historyPlot(points, words)),
    el("details", {}, el("summary", {}, "The same as a table"),
      el("table", { class: "plain-table" },
        el("thead", {}, el("tr", {}, ...["Date", "Commit"].map((name) => el("th", { scope: "col" }, name)),
          ...["Median", "95 % interval"].map((name) => el("th", { scope: "col", class: "num" }, name)))),
        el("tbody", {}, ...points.slice().reverse().map((point) => el("tr", {},
          el("td", {}, safe(point.date.slice(0, 10), 10)), el("td", {}, safe((point.commit ?? "").slice(0, 12), 12)),
          el("td", { class: "num" }, seconds(point.p50)),
          el("td", { class: "num" }, point.low === null ? "" : `${seconds(point.low)} to ${seconds(point.high)}`)))))));
}

/** The axis does not begin at zero: a change of 5 % is to be seen. */
function historyPlot(points, words) {
  const [left, top, bottom, height] = [76, 12, 26, 220];
  const width = plotWidth(1200);
  const ends = points.flatMap((point) => [point.p50, point.low ?? point.p50, point.high ?? point.p50]);
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const room = (most - least) * 0.06 || most * 0.05;
  const [low, high] = [least - room, most + room];
  const x = (place) => left + 10 + ((width - left - 20) * (place + 0.5)) / points.length;
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  const step = ticks(high - low)[1];
  const first = Math.ceil(low / step);
  const grid = Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
  return el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Latency over time: ${words}`, class: "plot" },
    ...grid.flatMap((tick) => [
      el("line", { x1: left, x2: width, y1: y(tick), y2: y(tick), class: "gridline" }),
      el("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end", class: "axis" }, seconds(tick)),
    ]),
    el("path", { d: points.map((point, place) => `${place ? "L" : "M"}${x(place).toFixed(1)},${y(point.p50).toFixed(1)}`).join(""), class: "trend" }),
    ...points.map((point, place) => (point.low === null ? "" : el("line", { x1: x(place), x2: x(place), y1: y(point.low), y2: y(point.high), class: "interval" }))),
    ...points.map((point, place) => saying([safe(point.date, 20), safe((point.commit ?? "").slice(0, 12), 12), seconds(point.p50), point.low === null ? "" : `95 %: ${seconds(point.low)} to ${seconds(point.high)}`],
      el("circle", { cx: x(place), cy: y(point.p50), r: points.length > 60 ? 2 : 4, class: "trend-dot" }))),
    el("text", { x: left, y: height - 6, class: "axis" }, safe(points[0].date.slice(0, 10), 10)),
    points.length > 1 ? el("text", { x: width - 4, y: height - 6, "text-anchor": "end", class: "axis" }, safe(points.at(-1).date.slice(0, 10), 10)) : "");
}
