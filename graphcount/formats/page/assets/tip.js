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

/** Tips for what lies in a box: `lines(element)` says what of it; null of what has none. */
function tips(box, lines) {
  const show = (event) => {
    const said = event.target instanceof Element ? lines(event.target) : null;
    if (said) tip.show(said, event.type === "focusin" ? event.target : event);
    else tip.hide();
  };
  box.addEventListener("pointermove", show);
  box.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && show(event));
  for (const end of ["pointerleave", "focusout"]) box.addEventListener(end, () => tip.hide());
  box.addEventListener("pointerdown", () => tip.hide());
}

document.addEventListener("keydown", (event) => event.key === "Escape" && tip.hide(), true);
