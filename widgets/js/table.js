// A virtual table: Python keeps all rows (`rows.py`, class TableView), the page holds those in sight and some more.

const ROW = 24;
// Browsers clip elements higher than some millions of pixels: a longer table scrolls proportionally.
const TALLEST = 6e6;
const SPARE = 20;

/**
 * The table with its search field and a select for each facet: `{ node, tools, grid, stop }`, tools and grid being the parts of node.
 * `lines`: rows in sight; `onopen(at)`: Enter or a double click on a row; `narrowed`: more traits whose change leads back to the first row.
 */
function rowTable(model, { label, lines = 12, onopen = () => {}, narrowed = [] }) {
  const columns = model.get("columns");
  const template = columns.map((c) => (typeof c.width === "number" ? `minmax(0, ${c.width}fr)` : c.width)).join(" ");
  const prefix = `lt-${Math.random().toString(36).slice(2)}`;
  let held = { start: 0, rows: [], version: -1 };
  let asking = false;
  // Rows that are sorted or filtered anew are shown from the first on; the selected one stays selected, in sight or not.
  let anew = false;

  const find = h("input", { type: "search", placeholder: "search", "aria-label": "search the rows", title: "text that the rows hold" });
  let wait;
  find.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => put(model, { search: find.value }), 100); });
  find.addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); grid.focus(); } });
  const facets = columns.filter((c) => c.values?.length > 1).map((c) => {
    const chosen = h("select", { "aria-label": c.name, title: `only rows with this ${c.name}` }, h("option", { value: "" }, `${c.name}: all`),
      c.values.map(([v, n]) => h("option", { value: v }, `${c.numeric ? `${c.name} ` : ""}${v}${n === null ? "" : ` (${n.toLocaleString()})`}`)));
    chosen.addEventListener("change", () => {
      const filters = { ...model.get("filters") };
      if (chosen.value) filters[c.name] = chosen.value;
      else delete filters[c.name];
      put(model, { filters });
    });
    return { c, chosen };
  });
  const clear = h("button", { title: "show all rows again", onclick: () => put(model, { filters: {}, search: "" }) }, "clear");
  const counted = h("span", { class: "lt-small", role: "status" });

  const heads = columns.map((c) => h("div", { role: "columnheader", class: c.numeric ? "lt-number" : "" },
    h("button", { tabindex: "0", title: `sort by ${c.name}`, onclick: () => {
      const next = { [c.name]: `-${c.name}`, [`-${c.name}`]: "" }[model.get("sort")] ?? c.name;
      put(model, { sort: next });
    } }, c.name)));
  const head = h("div", { role: "row", class: "lt-head", "aria-rowindex": "1" }, heads);
  head.style.gridTemplateColumns = template;
  const body = h("div", { role: "rowgroup", class: "lt-body" });
  const spacer = h("div", { "aria-hidden": "true" });
  const scroller = h("div", { class: "lt-scroll", role: "presentation", tabindex: "-1" }, spacer, body);
  scroller.style.height = `${lines * ROW}px`;
  const grid = h("div", { role: "grid", class: "lt-grid", tabindex: "0", "aria-label": label, "aria-colcount": columns.length }, head, scroller);

  const count = () => model.get("count");
  const height = () => Math.min(count() * ROW, TALLEST);
  const scaled = () => count() * ROW > TALLEST;
  const top = () => (scaled() ? (scroller.scrollTop / (height() - lines * ROW)) * (count() - lines) : scroller.scrollTop / ROW);
  const scrollTo = (row) => { scroller.scrollTop = scaled() ? (row / (count() - lines)) * (height() - lines * ROW) : row * ROW; };
  const place = () => { body.style.transform = `translateY(${scroller.scrollTop - (top() - held.start) * ROW}px)`; };

  function draw() {
    place();
    const cursor = model.get("cursor");
    body.replaceChildren(...held.rows.map((cells, i) => {
      const at = held.start + i;
      const row = h("div", { role: "row", id: `${prefix}-${at}`, "data-at": at, "aria-rowindex": at + 2, "aria-selected": String(at === cursor) },
        cells.map((text, k) => h("div", { role: "gridcell", class: columns[k].numeric ? "lt-number" : "", "data-column": columns[k].name, "data-value": text.slice(0, 40), title: text }, text)));
      row.style.gridTemplateColumns = template;
      return row;
    }));
    mark();
  }

  function mark() {
    const cursor = model.get("cursor");
    for (const row of body.children) row.setAttribute("aria-selected", String(Number(row.dataset.at) === cursor));
    const there = cursor >= held.start && cursor < held.start + held.rows.length;
    if (there) grid.setAttribute("aria-activedescendant", `${prefix}-${cursor}`);
    else grid.removeAttribute("aria-activedescendant");
  }

  // One question at a time: while it is under way, scrolling on only moves what is there.
  function fill() {
    place();
    const first = Math.max(0, Math.floor(top()));
    const last = Math.min(count(), first + lines + 1);
    const sent = model.get("head");
    if (held.version !== sent.version && sent.version === model.get("version") && last <= sent.rows.length) {
      held = sent;
      draw();
    }
    const fresh = held.version === model.get("version");
    if (asking || (fresh && first >= held.start && last <= held.start + held.rows.length)) return;
    asking = true;
    ask(model, "page", { start: Math.max(0, first - SPARE), count: lines + 1 + 2 * SPARE }).then((page) => {
      // What was asked for before another order came is not shown over that order's rows.
      if (page.version === model.get("version") || held.version !== model.get("version")) { held = page; draw(); }
      asking = false;
      fill();
    }, (error) => { counted.textContent = plain(error.message); asking = false; });
  }

  function reveal() {
    const cursor = model.get("cursor");
    if (cursor < Math.ceil(top() - 0.01)) scrollTo(cursor);
    else if (cursor + 1 > top() + lines) scrollTo(cursor + 1 - lines);
  }

  const move = (to) => { if (count()) put(model, { cursor: Math.max(0, Math.min(count() - 1, to)) }); };
  const step = (by) => () => move(model.get("cursor") + by);
  onKeys(grid, { ArrowDown: step(1), ArrowUp: step(-1), PageDown: step(lines - 1), PageUp: step(1 - lines), Home: () => move(0), End: () => move(count() - 1),
    Enter: (e) => (e.target === grid ? onopen(model.get("cursor")) : e.target.click()) });
  body.addEventListener("click", (e) => { const row = e.target.closest("[data-at]"); if (row) { move(Number(row.dataset.at)); grid.focus({ preventScroll: true }); } });
  body.addEventListener("dblclick", (e) => { const row = e.target.closest("[data-at]"); if (row) onopen(Number(row.dataset.at)); });
  scroller.addEventListener("scroll", fill, { passive: true });

  const stops = [
    follow(model, ["version"], () => {
      spacer.style.height = `${height()}px`;
      grid.setAttribute("aria-rowcount", String(count() + 1));
      counted.textContent = `${count().toLocaleString()} of ${model.get("total").toLocaleString()} rows`;
      if (anew) scrollTo(0);
      else reveal();
      anew = false;
      fill();
    }),
    follow(model, ["cursor"], () => { if (!anew) reveal(); mark(); fill(); }),
    follow(model, ["sort", "filters", "search", ...narrowed], () => { anew = true; }),
    follow(model, ["sort"], () => columns.forEach((c, k) => {
      const way = { [c.name]: "ascending", [`-${c.name}`]: "descending" }[model.get("sort")] ?? "none";
      heads[k].setAttribute("aria-sort", way);
    })),
    follow(model, ["filters", "search"], () => {
      const filters = model.get("filters");
      if (document.activeElement !== find) find.value = model.get("search");
      for (const { c, chosen } of facets) chosen.value = filters[c.name] ?? "";
      clear.disabled = !model.get("search") && !Object.keys(filters).length;
    }),
  ];
  // A table that is drawn before it is on the page has no height to scroll in yet.
  anew = false;
  requestAnimationFrame(() => { reveal(); fill(); });

  const tools = h("div", { class: "lt-row lt-find", role: "search" }, find, facets.map((f) => f.chosen), clear, counted);
  return { node: h("div", { class: "lt-table" }, tools, grid), tools, grid, stop: () => stops.forEach((s) => s()) };
}
