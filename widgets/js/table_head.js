// What stands above the rows of a table: search, filters, the choice of columns, and their heads.

/**
 * The search field, a select for each facet, and the count of rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {() => void} leave called when Enter ends the search, or it is taken back
 */
function tableTools(model, leave) {
  const find = h("input", {
    type: "search",
    placeholder: "search",
    "aria-label": "search the rows",
    title: "text that the rows contain",
  });
  let wait = 0;
  find.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => put(model, { search: find.value }), 100);
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    leave();
  });
  const place = h("span", { class: "lt-facets" });
  /** @returns {{ column: Column, select: HTMLSelectElement }[]} */
  const selects = () =>
    model.get("columns").flatMap((column) => {
      if (column.closed) {
        const props = { "aria-label": column.name, title: column.closed, disabled: true };
        const hidden = h("option", { value: "" }, `${column.name}: hidden`);
        return [{ column, select: h("select", props, hidden) }];
      }
      if (!column.values || column.values.length < 2) return [];
      const select = h(
        "select",
        { "aria-label": column.name, title: `only rows with this ${column.name}` },
        h("option", { value: "" }, `${column.name}: all`),
        column.values.map(([value, n]) => {
          const name = `${column.numeric ? `${column.name} ` : ""}${value}`;
          const whole = `${name}${n === null ? "" : ` (${n.toLocaleString()})`}`;
          return h("option", { value, title: whole }, whole);
        }),
      );
      select.addEventListener("change", () => {
        const { [column.name]: _, ...others } = model.get("filters");
        put(model, { filters: select.value ? { ...others, [column.name]: select.value } : others });
      });
      return [{ column, select }];
    });
  // Facets that say which part of the data the view is about stay as they are.
  const lasting = () => {
    const kept = model.get("columns").filter((column) => column.lasting);
    const entries = Object.entries(model.get("filters"));
    return Object.fromEntries(entries.filter(([name]) => kept.some((column) => column.name === name)));
  };
  const showAll = () => {
    put(model, { filters: lasting(), search: "" });
    leave(); // the button that was pressed is off or gone now, and would take the focus with it
  };
  const clear = h("button", { title: "take search and filters back", onclick: showAll }, "clear");
  const counted = h("span", { class: "lt-small", role: "status" });
  let facets = selects();
  const redraw = () => {
    const focused = facets.find(({ select }) => select === document.activeElement)?.column.name;
    facets = selects();
    place.replaceChildren(...facets.map(({ select }) => select));
    facets.find(({ column }) => column.name === focused)?.select.focus({ preventScroll: true });
    show();
  };
  const show = () => {
    const filters = model.get("filters");
    if (document.activeElement !== find) find.value = model.get("search");
    for (const { column, select } of facets) {
      select.value = filters[column.name] ?? "";
      const chosen = select.value && select.selectedOptions[0]?.text;
      if (!column.closed) select.title = `only rows with this ${column.name}${chosen ? `: ${chosen}` : ""}`;
    }
    clear.disabled = !model.get("search") && Object.keys(filters).length === Object.keys(lasting()).length;
  };
  const stops = [follow(model, ["columns"], redraw), follow(model, ["filters", "search"], show)];
  const node = h("div", { class: "lt-row lt-find", role: "search" }, find, place, clear, counted);
  return { node, counted, showAll, stop: () => stops.forEach((stop) => stop()) };
}

/**
 * The columns' widths, which are shown, and what changes both.
 * @param {Column[]} columns
 */
function columnWidths(columns) {
  /** @type {{ width: string, shown: boolean }[]} */
  const state = columns.map(({ width }) => ({
    width: typeof width === "number" ? `minmax(0, ${width || 1}fr)` : width,
    shown: width !== 0,
  }));
  let changed = () => {};
  const summary = h("summary", { title: "which columns are shown" }, "columns");
  /** @type {HTMLInputElement[]} */
  const boxes = [];
  /** Numbers of the columns that a person has shown or hidden. @type {Set<number>} */
  const touched = new Set();
  const labels = columns.map(({ name }, k) => {
    const { shown = true } = state[k] ?? {};
    /** @param {Event} event */
    const onchange = (event) => {
      if (state[k] && event.target instanceof HTMLInputElement) state[k].shown = event.target.checked;
      touched.add(k);
      changed();
    };
    const label = `show the column ${name}`;
    const box = h("input", { type: "checkbox", checked: shown, "aria-label": label, onchange });
    boxes.push(box);
    return h("label", { title: label }, box, ` ${name}`);
  });
  const node = h(
    "details",
    { class: "lt-columns-menu" },
    summary,
    h("div", { class: "lt-panel-over", role: "group", "aria-label": "columns" }, labels),
  );
  closesItself(node, summary);
  return {
    node,
    isShown: (/** @type {number} */ k) => state[k]?.shown ?? true,
    template: () =>
      state
        .filter(({ shown }) => shown)
        .map(({ width }) => width)
        .join(" "),
    /** @param {number} k @param {number} pixels */
    resize: (k, pixels) => {
      if (state[k]) state[k].width = `${Math.max(40, Math.round(pixels))}px`;
      changed();
    },
    /**
     * Show some columns where they fit, and only there. What a person has chosen in the menu stays.
     * @param {string[]} names
     * @param {boolean} room whether they fit
     */
    fit: (names, room) => {
      let other = false;
      columns.forEach(({ name }, k) => {
        const [one, box] = [state[k], boxes[k]];
        if (!one || !box || !names.includes(name) || touched.has(k) || one.shown === room) return;
        one.shown = box.checked = room;
        other = true;
      });
      if (other) changed();
    },
    /** @param {() => void} redraw */
    onChange: (redraw) => {
      changed = redraw;
    },
  };
}

/**
 * Let a mouse at the edge of a column head, or Shift and the arrow keys on it, change the column's width.
 * @param {HTMLElement} head
 * @param {(pixels: number) => void} resize
 */
function widthMoves(head, resize) {
  const edge = h("span", { class: "lt-edge", title: "drag to change the width (Shift and arrow keys)" });
  /** @type {{ x: number, width: number } | null} */
  let from = null;
  edge.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    edge.setPointerCapture(event.pointerId);
    from = { x: event.clientX, width: head.offsetWidth };
  });
  edge.addEventListener("pointermove", (event) => {
    if (from) resize(from.width + event.clientX - from.x);
  });
  edge.addEventListener("pointerup", () => {
    from = null;
  });
  head.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (!event.shiftKey || !by) return;
    event.preventDefault();
    event.stopPropagation();
    resize(head.offsetWidth + by);
  });
  head.append(edge);
}

/**
 * The row of column heads: buttons that sort, ascending, descending, and not.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {ReturnType<typeof columnWidths>} widths
 */
function tableHead(model, widths) {
  const columns = model.get("columns");
  const heads = columns.map((column) => {
    const { name } = column;
    const sort = () =>
      put(model, { sort: { [name]: `-${name}`, [`-${name}`]: "" }[model.get("sort")] ?? name });
    return h(
      "div",
      { role: "columnheader", class: column.numeric ? "lt-number" : "" },
      h("button", { tabindex: "0", title: `sort by ${name}`, onclick: sort }, name),
    );
  });
  heads.forEach((head, k) => widthMoves(head, (pixels) => widths.resize(k, pixels)));
  const node = h("div", { role: "row", class: "lt-head", "aria-rowindex": "1" }, heads);
  const place = () => {
    node.style.gridTemplateColumns = widths.template();
    heads.forEach((head, k) => {
      head.hidden = !widths.isShown(k);
    });
  };
  place();
  const stop = follow(model, ["sort"], () =>
    columns.forEach(({ name }, k) => {
      const way = { [name]: "ascending", [`-${name}`]: "descending" }[model.get("sort")] ?? "none";
      heads[k]?.setAttribute("aria-sort", way);
    }),
  );
  return { node, place, stop };
}
