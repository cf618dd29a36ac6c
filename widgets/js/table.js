// A virtual table: Python keeps all rows (`rows.py`, class TableView), the page has those in sight and some
// more.

/** Height of a row. */
const ROW = 24;
/** Browsers clip elements that are some millions of pixels high; a longer table scrolls proportionally. */
const MAX_HEIGHT = 6e6;
/** Width of a table from which it has room for more than the columns that it cannot do without. */
const ROOMY = 380;
/** Rows that are fetched above and below those in sight. */
const SPARE = 20;

/**
 * Where a table is scrolled to, in rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {HTMLElement} scroller
 * @param {() => number} lines rows in sight
 */
function scrollPlace(model, scroller, lines) {
  const count = () => model.get("count");
  const height = () => Math.min(count() * ROW, MAX_HEIGHT);
  const scaled = () => count() * ROW > MAX_HEIGHT;
  /** Pixels that the table can scroll for each row, where it scrolls proportionally. */
  const stretch = () => (height() - lines() * ROW) / (count() - lines());
  const top = () => scroller.scrollTop / (scaled() ? stretch() : ROW);
  /** @param {number} row */
  const scrollTo = (row) => {
    scroller.scrollTop = row * (scaled() ? stretch() : ROW);
  };
  /** Scroll the selected row into sight. */
  const reveal = () => {
    const cursor = model.get("cursor");
    if (cursor < Math.ceil(top() - 0.01)) scrollTo(cursor);
    else if (cursor + 1 > top() + lines()) scrollTo(cursor + 1 - lines());
  };
  return { height, top, scrollTo, reveal };
}

/**
 * A function that makes a row of its cells and its place in the order shown.
 * @param {Column[]} columns
 * @param {ReturnType<typeof columnWidths>} widths
 * @param {string} prefix of the rows' ids
 */
function rowMaker(columns, widths, prefix) {
  /** @param {string[]} cells @param {number} at */
  const rowOf = (cells, at) => {
    const row = h(
      "div",
      { role: "row", id: `${prefix}-${at}`, "data-at": at, "aria-rowindex": at + 2 },
      cells.map((text, k) => {
        const facts = { "data-column": columns[k]?.name, "data-value": text.slice(0, 40), title: text };
        const props = { role: "gridcell", dir: "auto", hidden: !widths.isShown(k), ...facts };
        return h("div", { class: columns[k]?.numeric ? "lt-number" : "", ...props }, text);
      }),
    );
    row.style.gridTemplateColumns = widths.template();
    return row;
  };
  return rowOf;
}

/**
 * The rows in sight and some more, fetched as the table scrolls.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {{ grid: HTMLElement, scroller: HTMLElement, body: HTMLElement }} parts
 * @param {{ lines: () => number, widths: ReturnType<typeof columnWidths>, top: () => number,
 *   failed: (error: unknown) => void }} options
 */
function rowPages(model, { grid, scroller, body }, { lines, widths, top, failed }) {
  const prefix = `lt-${Math.random().toString(36).slice(2)}`;
  const rowOf = rowMaker(model.get("columns"), widths, prefix);
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
    const last = Math.min(model.get("count"), first + lines() + 1);
    const sent = model.get("head");
    if (page.version !== sent.version && sent.version === model.get("version") && last <= sent.rows.length) {
      draw(sent);
    }
    const fresh = page.version === model.get("version");
    if (asking || (fresh && first >= page.start && last <= page.start + page.rows.length)) return;
    asking = true;
    ask(model, "page", { start: Math.max(0, first - SPARE), count: lines() + 1 + 2 * SPARE }).then(
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
  return { fill, mark, redraw: () => draw(page) };
}

/**
 * Select a row by its place in the order shown, the nearest one where there are fewer.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {number} to
 */
function moveCursor(model, to) {
  const count = model.get("count");
  if (count) put(model, { cursor: Math.max(0, Math.min(count - 1, to)) });
}

/**
 * Let keys and the mouse move the cursor and open rows.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {HTMLElement} grid
 * @param {HTMLElement} body
 * @param {() => number} lines rows in sight
 * @param {(at: number) => void} onopen
 */
function cursorMoves(model, grid, body, lines, onopen) {
  /** @param {number} to */
  const move = (to) => moveCursor(model, to);
  /** @param {number} by */
  const step = (by) => () => move(model.get("cursor") + by);
  onKeys(grid, {
    ArrowDown: step(1),
    ArrowUp: step(-1),
    PageDown: () => step(lines() - 1)(),
    PageUp: () => step(1 - lines())(),
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
 * @param {number} lines rows in sight; 0: as many as there is room for
 * @param {number} columns
 * @param {HTMLElement} head
 */
function tableGrid(label, lines, columns, head) {
  const body = h("div", { role: "presentation", class: "lt-body" });
  const spacer = h("div", { "aria-hidden": "true" });
  const scroller = h("div", { class: "lt-scroll", role: "rowgroup", tabindex: "-1" }, spacer, body);
  if (lines) scroller.style.height = `${lines * ROW}px`;
  const facts = {
    role: "grid",
    class: `lt-grid${lines ? "" : " lt-fill"}`,
    tabindex: "0",
    "aria-label": label,
  };
  const grid = h("div", { ...facts, "aria-colcount": columns }, head, scroller);
  return { grid, scroller, spacer, body };
}

/**
 * What stands in a table without rows: why, and how to get some.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {() => void} showAll
 */
function emptyNote(model, showAll) {
  const words = h("span", {});
  const clear = h("button", { title: "take search and filters back", onclick: showAll }, "clear filters");
  const cell = h("div", { role: "gridcell", class: "lt-empty" }, words, " ", clear);
  const node = h("div", { role: "row", class: "lt-none", hidden: true }, cell);
  const show = () => {
    const total = model.get("total");
    node.hidden = model.get("count") > 0;
    clear.hidden = !total || !(model.get("search") || Object.keys(model.get("filters")).length);
    words.textContent = plain(total ? "No row matches." : model.get("missing") || "There are no rows.");
  };
  return { node, show };
}

/**
 * Draw another order of the rows: after another sort or filter from the first one, the same row selected.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {string[]} narrowed more traits whose change leads back to the first row
 * @param {object} on
 * @param {() => void} on.counted
 * @param {() => void} on.top
 * @param {() => void} on.reveal
 * @param {() => void} on.mark
 * @param {() => void} on.fill
 */
function orderChanges(model, narrowed, on) {
  let fromTop = false;
  const atTop = () => {
    fromTop = true;
  };
  for (const name of narrowed) model.on(`change:${name}`, atTop);
  const stops = [
    follow(model, ["version"], () => {
      on.counted();
      if (fromTop) on.top();
      else on.reveal();
      fromTop = false;
      on.fill();
    }),
    follow(model, ["cursor"], () => {
      if (!fromTop) on.reveal();
      on.mark();
      on.fill();
    }),
    follow(model, ["sort", "filters", "search"], atTop),
    () => narrowed.forEach((name) => model.off(`change:${name}`, atTop)),
  ];
  fromTop = false;
  return () => stops.forEach((stop) => stop());
}

/**
 * The table with its search field and facets; `tools` and `grid` are parts of `node`.
 * @param {Model<TableTraits, TableQuestions>} model
 * @param {object} options
 * @param {string} options.label
 * @param {number} [options.lines] rows in sight; 0: as many as there is room for
 * @param {(at: number) => void} [options.onopen] called at Enter or a double click on a row
 * @param {string[]} [options.narrowed] more traits whose change leads back to the first row
 * @param {string[]} [options.roomy] columns not shown where the table is narrow, unless they are asked for
 * @param {number} [options.room] width from which they are shown
 */
function rowTable(model, { label, lines = 12, onopen = () => {}, narrowed = [], roomy = [], room = ROOMY }) {
  const columns = model.get("columns");
  const widths = columnWidths(columns);
  const tools = tableTools(model, () => grid.focus());
  tools.node.append(widths.node);
  const head = tableHead(model, widths);
  const { grid, scroller, spacer, body } = tableGrid(label, lines, columns.length, head.node);
  const seen = () => lines || Math.max(1, Math.floor(scroller.clientHeight / ROW));
  const { height, top, scrollTo, reveal } = scrollPlace(model, scroller, seen);
  /** @param {unknown} error */
  const failed = (error) => {
    tools.counted.textContent = plain(wordsOf(error));
  };
  const pages = rowPages(model, { grid, scroller, body }, { lines: seen, widths, top, failed });
  const { fill, mark } = pages;
  cursorMoves(model, grid, body, seen, onopen);
  scroller.addEventListener("scroll", fill, { passive: true });
  widths.onChange(() => {
    head.place();
    pages.redraw();
  });
  const empty = emptyNote(model, tools.showAll);
  scroller.append(empty.node);
  const counted = () => {
    const count = model.get("count");
    spacer.style.height = `${height()}px`;
    grid.setAttribute("aria-rowcount", String(count + 1));
    tools.counted.textContent = `${count.toLocaleString()} of ${model.get("total").toLocaleString()} rows`;
    empty.show();
  };
  const stop = orderChanges(model, narrowed, { counted, top: () => scrollTo(0), reveal, mark, fill });
  // A table has no height to scroll in before it is on the page, and another one after a resize.
  const resized = new ResizeObserver(() => {
    if (scroller.clientWidth) widths.fit(roomy, scroller.clientWidth >= room);
    head.node.style.paddingRight = `${scroller.offsetWidth - scroller.clientWidth}px`; // of the scroll bar
    reveal();
    fill();
  });
  resized.observe(scroller);
  const stops = [tools.stop, head.stop, stop, () => resized.disconnect()];
  const node = h("div", { class: "lt-table" }, tools.node, grid);
  return { node, tools: tools.node, grid, stop: () => stops.forEach((each) => each()) };
}
