// A virtual table: Python keeps all rows (`rows.py`, class TableView), the page has those in sight and some
// more.

/** Height of a row. */
const ROW = 24;
/** Browsers clip elements that are some millions of pixels high; a longer table scrolls proportionally. */
const MAX_HEIGHT = 6e6;
/** Rows that are fetched above and below those in sight. */
const SPARE = 20;

/**
 * The search field, a select for each facet, and the count of rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {() => void} leave called when Enter ends the search
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
  const facets = model.get("columns").flatMap((column) => {
    if (!column.values || column.values.length < 2) return [];
    const select = h(
      "select",
      { "aria-label": column.name, title: `only rows with this ${column.name}` },
      h("option", { value: "" }, `${column.name}: all`),
      column.values.map(([value, n]) => {
        const name = `${column.numeric ? `${column.name} ` : ""}${value}`;
        return h("option", { value }, `${name}${n === null ? "" : ` (${n.toLocaleString()})`}`);
      }),
    );
    select.addEventListener("change", () => {
      const { [column.name]: _, ...others } = model.get("filters");
      put(model, { filters: select.value ? { ...others, [column.name]: select.value } : others });
    });
    return [{ column, select }];
  });
  const showAll = () => put(model, { filters: {}, search: "" });
  const clear = h("button", { title: "show all rows again", onclick: showAll }, "clear");
  const counted = h("span", { class: "lt-small", role: "status" });
  const stop = follow(model, ["filters", "search"], () => {
    const filters = model.get("filters");
    if (document.activeElement !== find) find.value = model.get("search");
    for (const { column, select } of facets) select.value = filters[column.name] ?? "";
    clear.disabled = !model.get("search") && !Object.keys(filters).length;
  });
  const selects = facets.map((facet) => facet.select);
  const node = h("div", { class: "lt-row lt-find", role: "search" }, find, selects, clear, counted);
  return { node, counted, stop };
}

/**
 * The row of column heads: buttons that sort, ascending, descending, and not.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {string} template the columns' widths
 */
function tableHead(model, template) {
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
  const node = h("div", { role: "row", class: "lt-head", "aria-rowindex": "1" }, heads);
  node.style.gridTemplateColumns = template;
  const stop = follow(model, ["sort"], () =>
    columns.forEach(({ name }, k) => {
      const way = { [name]: "ascending", [`-${name}`]: "descending" }[model.get("sort")] ?? "none";
      heads[k]?.setAttribute("aria-sort", way);
    }),
  );
  return { node, stop };
}

/**
 * Where a table is scrolled to, in rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {HTMLElement} scroller
 * @param {number} lines rows in sight
 */
function scrollPlace(model, scroller, lines) {
  const count = () => model.get("count");
  const height = () => Math.min(count() * ROW, MAX_HEIGHT);
  const scaled = () => count() * ROW > MAX_HEIGHT;
  /** Pixels that the table can scroll for each row, where it scrolls proportionally. */
  const stretch = () => (height() - lines * ROW) / (count() - lines);
  const top = () => scroller.scrollTop / (scaled() ? stretch() : ROW);
  /** @param {number} row */
  const scrollTo = (row) => {
    scroller.scrollTop = row * (scaled() ? stretch() : ROW);
  };
  /** Scroll the selected row into sight. */
  const reveal = () => {
    const cursor = model.get("cursor");
    if (cursor < Math.ceil(top() - 0.01)) scrollTo(cursor);
    else if (cursor + 1 > top() + lines) scrollTo(cursor + 1 - lines);
  };
  return { height, top, scrollTo, reveal };
}

/**
 * A function that makes a row of its cells and its place in the order shown.
 * @param {Column[]} columns
 * @param {string} template the columns' widths
 * @param {string} prefix of the rows' ids
 */
function rowMaker(columns, template, prefix) {
  /** @param {string[]} cells @param {number} at */
  const rowOf = (cells, at) => {
    const row = h(
      "div",
      { role: "row", id: `${prefix}-${at}`, "data-at": at, "aria-rowindex": at + 2 },
      cells.map((text, k) => {
        const facts = { "data-column": columns[k]?.name, "data-value": text.slice(0, 40), title: text };
        return h("div", { role: "gridcell", class: columns[k]?.numeric ? "lt-number" : "", ...facts }, text);
      }),
    );
    row.style.gridTemplateColumns = template;
    return row;
  };
  return rowOf;
}

/**
 * The rows in sight and some more, fetched as the table scrolls.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {{ grid: HTMLElement, scroller: HTMLElement, body: HTMLElement }} parts
 * @param {{ lines: number, template: string, top: () => number, failed: (error: unknown) => void }} options
 */
function rowPages(model, { grid, scroller, body }, { lines, template, top, failed }) {
  const prefix = `lt-${Math.random().toString(36).slice(2)}`;
  const rowOf = rowMaker(model.get("columns"), template, prefix);
  /** The rows that the page has. */
  let page = /** @type {Page} */ ({ start: 0, rows: [], version: -1 });
  let asking = false;

  const place = () => {
    body.style.transform = `translateY(${scroller.scrollTop - (top() - page.start) * ROW}px)`;
  };
  const mark = () => {
    const cursor = model.get("cursor");
    for (const row of /** @type {Iterable<HTMLElement>} */ (body.children)) {
      row.setAttribute("aria-selected", String(Number(row.dataset.at) === cursor));
    }
    const drawn = cursor >= page.start && cursor < page.start + page.rows.length;
    if (drawn) grid.setAttribute("aria-activedescendant", `${prefix}-${cursor}`);
    else grid.removeAttribute("aria-activedescendant");
  };
  /** @param {Page} rows */
  const draw = (rows) => {
    page = rows;
    place();
    body.replaceChildren(...page.rows.map((cells, i) => rowOf(cells, page.start + i)));
    mark();
  };
  // One question at a time: meanwhile scrolling only moves the rows that are there.
  const fill = () => {
    place();
    const first = Math.max(0, Math.floor(top()));
    const last = Math.min(model.get("count"), first + lines + 1);
    const sent = model.get("head");
    if (page.version !== sent.version && sent.version === model.get("version") && last <= sent.rows.length) {
      draw(sent);
    }
    const fresh = page.version === model.get("version");
    if (asking || (fresh && first >= page.start && last <= page.start + page.rows.length)) return;
    asking = true;
    ask(model, "page", { start: Math.max(0, first - SPARE), count: lines + 1 + 2 * SPARE }).then(
      (answer) => {
        // An answer of an earlier order is not shown over the rows of the present one.
        if (answer.version === model.get("version") || page.version !== model.get("version")) draw(answer);
        asking = false;
        fill();
      },
      (error) => {
        failed(error);
        asking = false;
      },
    );
  };
  return { fill, mark };
}

/**
 * Let keys and the mouse move the cursor and open rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {HTMLElement} grid
 * @param {HTMLElement} body
 * @param {number} lines rows in sight
 * @param {(at: number) => void} onopen
 */
function cursorMoves(model, grid, body, lines, onopen) {
  /** @param {number} to */
  const move = (to) => {
    const count = model.get("count");
    if (count) put(model, { cursor: Math.max(0, Math.min(count - 1, to)) });
  };
  /** @param {number} by */
  const step = (by) => () => move(model.get("cursor") + by);
  onKeys(grid, {
    ArrowDown: step(1),
    ArrowUp: step(-1),
    PageDown: step(lines - 1),
    PageUp: step(1 - lines),
    Home: () => move(0),
    End: () => move(model.get("count") - 1),
    Enter: (event) => {
      if (event.target === grid) onopen(model.get("cursor"));
      else if (event.target instanceof HTMLElement) event.target.click();
    },
  });
  /** @param {Event} event */
  const rowAt = (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-at]") : null;
    return row instanceof HTMLElement ? Number(row.dataset.at) : null;
  };
  body.addEventListener("click", (event) => {
    const at = rowAt(event);
    if (at === null) return;
    move(at);
    grid.focus({ preventScroll: true });
  });
  body.addEventListener("dblclick", (event) => {
    const at = rowAt(event);
    if (at !== null) onopen(at);
  });
}

/**
 * The grid of a table without its rows.
 * @param {string} label
 * @param {number} lines rows in sight
 * @param {number} columns
 * @param {HTMLElement} head
 */
function tableGrid(label, lines, columns, head) {
  const body = h("div", { role: "rowgroup", class: "lt-body" });
  const spacer = h("div", { "aria-hidden": "true" });
  const scroller = h("div", { class: "lt-scroll", role: "presentation", tabindex: "-1" }, spacer, body);
  scroller.style.height = `${lines * ROW}px`;
  const facts = { role: "grid", class: "lt-grid", tabindex: "0", "aria-label": label };
  const grid = h("div", { ...facts, "aria-colcount": columns }, head, scroller);
  return { grid, scroller, spacer, body };
}

/**
 * The table with its search field and facets; `tools` and `grid` are parts of `node`.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {object} options
 * @param {string} options.label
 * @param {number} [options.lines] rows in sight
 * @param {(at: number) => void} [options.onopen] called at Enter or a double click on a row
 * @param {string[]} [options.narrowed] more traits whose change leads back to the first row
 */
function rowTable(model, { label, lines = 12, onopen = () => {}, narrowed = [] }) {
  const columns = model.get("columns");
  const template = columns
    .map((c) => (typeof c.width === "number" ? `minmax(0, ${c.width}fr)` : c.width))
    .join(" ");
  const tools = tableTools(model, () => grid.focus());
  const head = tableHead(model, template);
  const { grid, scroller, spacer, body } = tableGrid(label, lines, columns.length, head.node);
  const { height, top, scrollTo, reveal } = scrollPlace(model, scroller, lines);
  /** @param {unknown} error */
  const failed = (error) => {
    tools.counted.textContent = plain(wordsOf(error));
  };
  const { fill, mark } = rowPages(model, { grid, scroller, body }, { lines, template, top, failed });
  cursorMoves(model, grid, body, lines, onopen);
  scroller.addEventListener("scroll", fill, { passive: true });

  // After another sort or filter the table starts at its first row; the selected row stays selected.
  let fromTop = false;
  const atTop = () => {
    fromTop = true;
  };
  for (const name of narrowed) model.on(`change:${name}`, atTop);
  const counted = () => {
    const count = model.get("count");
    spacer.style.height = `${height()}px`;
    grid.setAttribute("aria-rowcount", String(count + 1));
    tools.counted.textContent = `${count.toLocaleString()} of ${model.get("total").toLocaleString()} rows`;
    if (fromTop) scrollTo(0);
    else reveal();
    fromTop = false;
    fill();
  };
  const moved = () => {
    if (!fromTop) reveal();
    mark();
    fill();
  };
  const stops = [
    tools.stop,
    head.stop,
    follow(model, ["version"], counted),
    follow(model, ["cursor"], moved),
    follow(model, ["sort", "filters", "search"], atTop),
    () => narrowed.forEach((name) => model.off(`change:${name}`, atTop)),
  ];
  fromTop = false;
  // A table that is drawn before it is on the page has no height to scroll in yet.
  requestAnimationFrame(() => {
    reveal();
    fill();
  });
  const node = h("div", { class: "lt-table" }, tools.node, grid);
  return { node, tools: tools.node, grid, stop: () => stops.forEach((stop) => stop()) };
}
