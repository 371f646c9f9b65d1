// Building elements. Text reaches the page as text only: there is no markup from data anywhere.

/** `el("td", {class: "num"}, "text", child)`; `on…` are listeners, `style` a dict of CSS. */
function el(tag, options = {}, ...children) {
  const element = ["svg", "path", "line", "text", "circle", "g", "title", "marker"].includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, css] of Object.entries(value)) element.style.setProperty(name, css);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const byId = (id) => document.getElementById(id);

/** A row of buttons of which one is pressed; calls `changed` with its key. */
function choice(label, options, selected, changed) {
  const group = el("div", { class: "choice", role: "group", "aria-label": label });
  group.append(el("span", { class: "choice-label", "aria-hidden": "true" }, label));
  for (const [key, text] of options) {
    group.append(
      el("button", {
        type: "button",
        "data-key": key,
        "aria-pressed": String(key === selected),
        onclick: () => {
          for (const other of group.querySelectorAll("button")) {
            other.setAttribute("aria-pressed", String(other.dataset.key === key));
          }
          changed(key);
        },
      }, text),
    );
  }
  return group;
}

function card(label, value, detail, warn = false) {
  return el(
    "div",
    { class: `stat${warn ? " warn" : ""}${value.length > 18 ? " long" : ""}` },
    el("dt", {}, label),
    el("dd", {}, el("strong", {}, value), detail ? el("span", {}, detail) : null),
  );
}

/** A section with a heading, visible only when it has something to say. */
function section(id, title, note, ...children) {
  const element = byId(id);
  element.hidden = false;
  element.append(el("h2", { id: `${id}-title` }, title), note ? el("p", { class: "note" }, note) : "", ...children);
  return element;
}
