// What a person keeps of a table of samples (selection.py): tags, filters with a name, copies, files, links.

/**
 * Put a text where it can be pasted.
 * @param {string} text
 */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the page comes from another machine without https there is only the old way.
    const area = h("textarea", { value: text, "aria-hidden": "true" });
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    if (!copied) throw new Error("this browser lets nothing be copied from here");
  }
}

/**
 * Let the browser save a text as a file.
 * @param {string} name
 * @param {string} text
 */
function saveFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = h("a", { href: url, download: name });
  link.click(); // not on the page, where the click would close the menu that it came from
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Ask something whose outcome is told in words.
 * @param {Say} say
 * @param {() => Promise<string | undefined>} work
 */
const told = (say, work) =>
  work().then(
    (message) => say(message ?? ""),
    (error) => say(wordsOf(error), true),
  );

/**
 * The tags of the selected row; Enter, or leaving the field, keeps them.
 * @param {Model<SampleTable, SampleTableQuestions>} model
 * @param {Say} say
 * @param {() => void} leave puts the focus back
 */
function tagField(model, say, leave) {
  const blocked = model.get("blocked");
  const title = "tags of this sample, with commas between them (key t); Enter keeps them";
  const node = h("input", {
    class: "lt-tags",
    placeholder: "tags",
    "aria-label": "tags",
    title: blocked || title,
    dir: "auto",
  });
  /**
   * The row that the field is about; null: none, or not known yet.
   * @type {{ id: string, tags: string } | null}
   */
  let row = null;
  const kept = halfWritten(model);
  /** Keep what is in the field, but not yet the row's, for a page that is loaded again. */
  const remember = () => {
    if (row) kept.write("tags", row.id, node.value === row.tags ? "" : node.value);
  };
  node.addEventListener("input", remember);
  /** Tags of a row with those that were typed before its own were known. */
  const joined = (/** @type {string[]} */ ...tags) => tags.filter(Boolean).join(", ");
  const tag = async (/** @type {string} */ id, /** @type {string} */ tags) =>
    (await ask(model, "tag", { id, tags })).message;
  const keep = () => {
    const typed = node.value;
    if (typed === (row?.tags ?? "")) return;
    if (row) {
      const { id } = row;
      row = { id, tags: typed };
      remember();
      told(say, () => tag(id, typed));
      return;
    }
    const at = model.get("cursor");
    node.value = "";
    told(say, async () => {
      const { id, tags } = await ask(model, "row", { at });
      if (id === null) throw new Error("no row is shown");
      return tag(id, joined(tags, typed));
    });
  };
  const answered = oneAtATime(async () => {
    const [at, version] = [model.get("cursor"), model.get("version")];
    const { id, tags } = await ask(model, "row", { at });
    if (at !== model.get("cursor") || version !== model.get("version")) return; // it is asked again
    const typing = document.activeElement === node;
    if (typing && id === row?.id) return;
    if (row) keep();
    const before = id === null || blocked ? undefined : kept.read("tags", isText)[id];
    node.value = typing && !row ? joined(tags, node.value) : (before ?? tags);
    row = id === null ? null : { id, tags };
    if (typing) remember();
  });
  // The old row's tags leave the field at once: what is typed from now on is about the new one.
  const show = () => {
    if (document.activeElement !== node) {
      keep();
      row = null;
      node.value = "";
    }
    node.disabled = Boolean(blocked) || !model.get("count");
    answered();
  };
  node.addEventListener("blur", keep);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") node.value = row?.tags ?? "";
    remember();
    keep();
    leave();
  });
  const stop = follow(model, ["version", "cursor"], show);
  return { node, focus: () => (blocked ? say(blocked, true) : node.focus()), stop };
}

/**
 * The filters that were kept under a name, and a field to keep the present one.
 * @param {Model<SampleTable, SampleTableQuestions>} model
 * @param {Say} say
 */
function savedFilters(model, say) {
  const list = h("div", { role: "group", "aria-label": "saved filters" });
  const blocked = model.get("blocked");
  const disabled = Boolean(blocked);
  const name = h("input", {
    placeholder: "name of this filter",
    "aria-label": "name of this filter",
    disabled,
  });
  name.title = blocked || "keep filters, search, sort and range under this name (Enter)";
  const kept = halfWritten(model);
  name.value = kept.read("filter name", isText)[""] ?? "";
  name.addEventListener("input", () => kept.write("filter name", "", name.value));
  const keep = () =>
    told(say, async () => {
      const { message } = await ask(model, "keep", { name: name.value });
      name.value = "";
      kept.write("filter name", "");
      return message;
    });
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    keep();
  });
  const stop = follow(model, ["saved"], () => {
    const rows = model.get("saved").map((one) => {
      const recall = () => told(say, async () => (await ask(model, "recall", { name: one })).message);
      const forget = () => told(say, async () => (await ask(model, "forget", { name: one })).message);
      const gone = { title: blocked || `forget ${one}`, "aria-label": `forget ${one}` };
      return h(
        "div",
        { class: "lt-row" },
        h("button", { onclick: recall, title: `show what was kept as ${one}` }, one),
        h("button", { ...gone, onclick: forget, disabled }, "×"),
      );
    });
    const inside = list.contains(document.activeElement);
    list.replaceChildren(...rows);
    if (inside) name.focus(); // the button that was pressed is gone
  });
  const title = blocked || "keep filters, search, sort and range";
  const button = h("button", { onclick: keep, title, disabled }, "keep filter");
  return { node: h("div", {}, list, h("div", { class: "lt-row" }, name, button)), stop };
}

/**
 * Who decides: a name that stays with each decision.
 * @param {Model<SampleTable, SampleTableQuestions>} model
 */
function annotatorField(model) {
  const node = h("input", { "aria-label": "annotator", dir: "auto" });
  node.title = "your name; it stays with each decision";
  const kept = halfWritten(model, EVERYWHERE);
  const before = kept.read("annotator", isText)[""];
  if (before) put(model, { annotator: before.trim() });
  node.addEventListener("input", () => kept.write("annotator", "", node.value));
  node.addEventListener("change", () => put(model, { annotator: node.value.trim() }));
  const stop = follow(model, ["annotator"], () => {
    if (document.activeElement !== node) node.value = model.get("annotator");
  });
  return { node: h("label", { title: node.title }, "annotator ", node), stop };
}

/**
 * Come back to the rows that were shown before the page was loaded again. A notebook's views do so by
 * themselves; the page starts another kernel.
 * @param {Model<SampleTable, SampleTableQuestions>} model
 */
function placeKept(model) {
  if (!onPage()) return () => {};
  const kept = halfWritten(model);
  // Who follows a link in this tab wants what the link is about.
  const entries = window.performance.getEntriesByType("navigation");
  const loads = /** @type {PerformanceNavigationTiming[]} */ (entries);
  const before = loads.some(({ type }) => type === "reload") && kept.read("place", isText)[""];
  const back = before ? ask(model, "come_back", { place: before }).catch(() => {}) : Promise.resolve();
  let [wait, gone, stop] = [0, false, () => {}];
  const keep = async () => {
    const { query } = await ask(model, "place", { at: model.get("cursor") });
    kept.write("place", "", query);
  };
  back.then(() => {
    if (gone) return;
    stop = follow(model, ["version", "cursor"], () => {
      clearTimeout(wait);
      wait = setTimeout(() => keep().catch(() => {}), 200);
    });
  });
  return () => {
    gone = true;
    clearTimeout(wait);
    stop();
  };
}

/**
 * The menu of a table of samples with its keys, and the field of tags, which stands elsewhere.
 * @param {Model<SampleTable, SampleTableQuestions>} model
 * @param {Say} say
 * @param {() => void} leave puts the focus back on the view
 */
function selectionMenu(model, say, leave) {
  const at = () => ({ at: model.get("cursor") });
  const copySample = () =>
    told(say, async () => {
      await toClipboard((await ask(model, "copy", at())).sample);
      return "The sample is copied, as JSON.";
    });
  const copyLink = () =>
    told(say, async () => {
      const { query, code } = await ask(model, "copy", at());
      const page = onPage();
      await toClipboard(page ? `${location.origin}${location.pathname}?${query}` : code);
      return page ? "A link to this sample is copied." : "Copied: a cell that shows this sample.";
    });
  /** @param {"jsonl" | "csv"} form */
  const save = (form) => () =>
    told(say, async () => {
      const { name, text, message } = await ask(model, "save", { form });
      saveFile(name, text);
      return message;
    });
  const tags = tagField(model, say, leave);
  const filters = savedFilters(model, say);
  const annotator = annotatorField(model);
  const jsonl = "save the samples of the rows shown, one a line: `seeds.source` reads them";
  const summary = h("summary", { title: "copy, save, keep filters, your name" });
  const node = h(
    "details",
    { class: "lt-menu" },
    summary,
    h(
      "div",
      { class: "lt-panel-over", role: "group", "aria-label": "rows shown" },
      h(
        "div",
        { class: "lt-row" },
        h("button", { onclick: copySample, title: "copy this sample as JSON (key c)" }, "copy sample"),
        h("button", { onclick: copyLink, title: "copy a link to this sample (key l)" }, "copy link"),
        h("button", { onclick: save("jsonl"), title: jsonl }, "save samples (JSONL)"),
        h("button", { onclick: save("csv"), title: "save the rows shown as a table" }, "save rows (CSV)"),
      ),
      filters.node,
      annotator.node,
    ),
  );
  closesItself(node, summary);
  const signed = follow(model, ["annotator"], () => {
    summary.textContent = plain(`rows shown · ${model.get("annotator")}`);
  });
  const keys = { c: copySample, l: copyLink, t: tags.focus };
  const stops = [tags.stop, filters.stop, annotator.stop, signed, placeKept(model)];
  return { node, tags: tags.node, keys, stop: () => stops.forEach((stop) => stop()) };
}
