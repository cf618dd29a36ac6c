// ProbeView: histogram with threshold and range (probe_chart.js), table, sample.

/**
 * A field for a perplexity.
 * @param {string} label
 * @param {string} title
 * @param {() => unknown} changed
 */
const perplexityField = (label, title, changed) =>
  h("input", {
    type: "number",
    step: "any",
    min: "1",
    "aria-label": label,
    title,
    onchange: changed,
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      changed();
    },
  });

/**
 * Fields for threshold and range, and buttons that take them back.
 * @param {Model<ProbeTraits, ProbeQuestions>} model
 * @param {(value: number, keep?: boolean) => void} send
 * @param {{ node: HTMLElement, say: Say }} line
 */
function probeControls(model, send, line) {
  const threshold = perplexityField(
    "threshold",
    "perplexity above which a correct answer is borderline",
    () => send(Number(threshold.value), true),
  );
  /** Set one end of the range. The other one keeps its own value: its field shows it rounded. */
  const setRange = (/** @type {"low" | "high"} */ end) => () => {
    if (!low.value && !high.value) return put(model, { brush: [] });
    const [from, to] = model.get("brush");
    const least = Number(low.value || 1);
    const most = Number(high.value || NO_LIMIT);
    const ends = end === "low" ? [least, to ?? most] : [from ?? least, most];
    return put(model, { brush: ends.sort((a, b) => a - b) });
  };
  const low = perplexityField("lowest perplexity", "show rows from this perplexity on", setRange("low"));
  const high = perplexityField("highest perplexity", "show rows up to this perplexity", setRange("high"));
  const showAll = () => put(model, { brush: [] });
  const clearTitle = "show all perplexities again (Escape)";
  const clear = h("button", { title: clearTitle, onclick: showAll }, "clear range");
  const takeBack = () =>
    ask(model, "undo").then(
      (answer) => line.say(answer.message ?? ""),
      (error) => line.say(wordsOf(error), true),
    );
  const undoTitle = "take back the last threshold that was set";
  const undo = h("button", { title: undoTitle, onclick: takeBack }, "undo threshold");
  const stops = [
    follow(model, ["threshold"], () => {
      threshold.value = model.get("threshold").toFixed(4);
    }),
    follow(model, ["can_undo"], () => {
      undo.disabled = !model.get("can_undo");
    }),
    follow(model, ["brush"], () => {
      const [from, to] = model.get("brush");
      low.value = from === undefined ? "" : from.toFixed(4);
      high.value = to === undefined || to >= NO_LIMIT ? "" : to.toFixed(4);
      clear.disabled = from === undefined;
    }),
  ];
  const node = h(
    "div",
    { class: "lt-row" },
    h("label", {}, "threshold ", threshold),
    undo,
    h("label", {}, "range ", low),
    h("label", {}, "to ", high),
    clear,
    line.node,
  );
  return { node, showAll, stop: () => stops.forEach((stop) => stop()) };
}

/** @param {Place<ProbeTraits, ProbeQuestions>} place */
function render({ model, el }) {
  if (model.get("missing")) {
    el.append(nothingYet("probes", model.get("missing")));
    return () => {};
  }
  const line = statusLine();
  const chart = probeChart(model, line.say);
  const controls = probeControls(model, chart.send, line);
  const card = h("div", {
    class: "lt-probe-card",
    role: "region",
    "aria-label": "selected sample",
    tabindex: "0",
  });
  const focus = () => card.focus();
  const table = rowTable(model, { label: "probes", lines: 0, onopen: focus, narrowed: ["brush"] });
  const show = oneAtATime(() =>
    ask(model, "sample", { at: model.get("cursor") }).then(
      ({ sample }) => {
        card.replaceChildren(sample ? sampleCard(sample) : h("p", { class: "lt-small" }, "no row is shown"));
        card.scrollTop = 0;
      },
      (error) => line.say(wordsOf(error), true),
    ),
  );
  const menu = selectionMenu(model, line.say, () => table.grid.focus({ preventScroll: true }));
  table.tools.append(menu.node);
  const tags = h("label", { class: "lt-row", title: menu.tags.title }, "tags of this sample ", menu.tags);
  const side = h("div", { class: "lt-side" }, tags, card);
  const root = frame(
    "probes",
    chart.node,
    controls.node,
    table.tools,
    h(
      "div",
      { class: "lt-probe-box" },
      h(
        "div",
        { class: "lt-columns lt-probe lt-filled lt-both", style: "--lt-above: 395px" },
        table.node,
        side,
      ),
    ),
  );
  onKeys(root, { Escape: controls.showAll, ...menu.keys });
  el.append(root);
  const stops = [
    chart.stop,
    table.stop,
    menu.stop,
    controls.stop,
    follow(model, ["version", "cursor"], show),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
