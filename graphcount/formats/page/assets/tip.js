// A tip beside the pointer, or beside what has the focus: what is said of the thing there.

const TIP_GAP = 14;

const tip = {
  /** Show lines; the first is a title. `at` is an event of the pointer, or an element. */
  show(lines, at) {
    const box = byId("tip");
    const [title, ...rest] = lines.filter(Boolean);
    if (!title) return this.hide();
    box.replaceChildren(el("b", {}, title), ...rest.map((line) => el("span", {}, line)));
    box.hidden = false;
    const area = at instanceof Element ? at.getBoundingClientRect() : null;
    const [x, y] = area ? [area.left, area.bottom - TIP_GAP + 6] : [at.clientX, at.clientY];
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    const [wide, tall] = [document.documentElement.clientWidth, window.innerHeight];
    const below = y + TIP_GAP + height < tall;
    box.style.left = `${Math.max(6, Math.min(x + (area ? 0 : TIP_GAP), wide - width - 6))}px`;
    box.style.top = `${Math.max(6, below ? y + TIP_GAP : (area ? area.top : y) - height - 8)}px`;
  },

  hide() {
    byId("tip").hidden = true;
  },
};

/**
 * What an element says of itself or of what lies in it: `element.tipLines(target, event)` gives
 * lines, or null.
 */
function showTip(event) {
  for (let at = event.target; at instanceof Element; at = at.parentElement) {
    const lines = at.tipLines?.(event.target, event);
    if (lines) return tip.show(lines, event.type === "focusin" ? event.target : event);
  }
  tip.hide();
}

document.addEventListener("pointermove", (event) => event.pointerType === "mouse" && showTip(event));
document.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && showTip(event));
document.documentElement.addEventListener("pointerleave", () => tip.hide());
for (const end of ["focusout", "pointerdown"]) document.addEventListener(end, () => tip.hide());
document.addEventListener("scroll", () => tip.hide(), true);
document.addEventListener("keydown", (event) => event.key === "Escape" && tip.hide(), true);
