// ProbeView: histogram with threshold and range, table, sample.

/**
 * Where the axis lies: logarithms of its ends, and shares of the drawing's width.
 * @typedef {{ low: number, high: number, left: number, right: number }} Scale
 */

/**
 * The scale of a histogram, from the places that `histogram` in Python writes into it.
 * @param {SVGSVGElement} svg
 * @returns {Scale}
 */
function scaleOf(svg) {
  /** @param {string | undefined} text */
  const number = (text) => Number(text);
  const { low, high, left, right } = svg.dataset;
  const width = svg.viewBox.baseVal.width;
  return { low: number(low), high: number(high), left: number(left) / width, right: number(right) / width };
}

/**
 * Where a perplexity lies on the axis, from 0 to 1.
 * @param {Scale} scale
 * @param {number} value
 */
const shareOf = (scale, value) =>
  Math.max(0, Math.min(1, (Math.log(value) - scale.low) / (scale.high - scale.low)));

/** @param {number} value */
const rounded = (value) => Math.max(1, Math.round(value * 1e4) / 1e4);

/** Stands for "and above" in a range. */
const NO_LIMIT = 1e300;

/**
 * The threshold, a slider over the histogram.
 * @param {() => Scale | null} scaled
 * @param {(value: number) => string} left a value's place, in CSS
 * @param {() => string} counts the samples of each state, in words
 */
function thresholdHandle(scaled, left, counts) {
  const text = h("span", {});
  const node = h(
    "div",
    {
      class: "lt-threshold",
      role: "slider",
      tabindex: "0",
      "aria-label": "perplexity threshold",
      "aria-orientation": "horizontal",
      title: "correct answers to the right are borderline: drag, or use the arrow keys",
    },
    text,
  );
  /** @param {number} value */
  const place = (value) => {
    const scale = scaled();
    if (!scale) return;
    node.style.left = left(value);
    text.textContent = value.toFixed(4);
    node.classList.toggle("lt-flip", shareOf(scale, value) > 0.9);
    const [low, high] = [rounded(Math.exp(scale.low)), rounded(Math.exp(scale.high))];
    node.setAttribute("aria-valuemin", String(Math.min(low, value)));
    node.setAttribute("aria-valuemax", String(Math.max(high, value)));
    node.setAttribute("aria-valuenow", String(value));
    node.setAttribute("aria-valuetext", `${value.toFixed(4)}: ${counts()}`);
  };
  return { node, place };
}

/**
 * The histogram with its threshold and range.
 * @param {Model<ProbeTraits, ProbeQuestions>} model
 * @param {Say} say
 */
function probeChart(model, say) {
  const svgBox = h("div", {});
  const before = h("div", { class: "lt-veil" });
  const after = h("div", { class: "lt-veil" });
  const summary = h("div", { class: "lt-row lt-states", role: "status", "aria-label": "samples by state" });
  /** @type {Scale | null} */
  let scale = null;
  /** Whether the threshold is being dragged. */
  let dragging = false;
  /** Where the drag of a range began. @type {{ x: number, from: number } | null} */
  let range = null;
  /** @type {Record<string, number>} */
  let counts = {};

  /** @param {number} value */
  const left = (value) =>
    scale ? `${100 * (scale.left + shareOf(scale, value) * (scale.right - scale.left))}%` : "0";
  const words = () =>
    Object.entries(counts)
      .map(([state, n]) => `${n} ${state}`)
      .join(", ");
  const handle = thresholdHandle(() => scale, left, words);
  const chartTitle = "drag over the bars to select a range of perplexity";
  const box = h("div", { class: "lt-chart", title: chartTitle }, svgBox, before, after, handle.node);

  /** @param {PointerEvent} event */
  const valueAt = (event) => {
    if (!scale) return 1;
    const r = svgBox.getBoundingClientRect();
    const part = ((event.clientX - r.left) / r.width - scale.left) / (scale.right - scale.left);
    return Math.exp(scale.low + Math.max(0, Math.min(1, part)) * (scale.high - scale.low));
  };
  /** @param {number[]} ends */
  const placeBrush = ([low, high]) => {
    before.hidden = after.hidden = !scale || low === undefined;
    if (!scale || low === undefined || high === undefined) return;
    before.style.left = `${100 * scale.left}%`;
    before.style.right = `calc(100% - ${left(low)})`;
    after.style.left = left(high);
    after.style.right = `${100 - 100 * scale.right}%`;
  };

  // While the threshold moves, one value at a time is sent, always the newest; the last one is kept.
  let busy = false;
  /** @type {{ value: number, keep: boolean } | null} */
  let next = null;
  /** @param {number} value @param {boolean} [keep] */
  function send(value, keep = false) {
    handle.place(value);
    const now = { value, keep: keep || Boolean(next?.keep) };
    next = now;
    if (busy) return;
    busy = true;
    next = null;
    ask(model, "threshold", now)
      .then(
        (answer) => {
          if (answer.message) say(answer.message);
        },
        (error) => {
          say(wordsOf(error), true);
          handle.place(model.get("threshold"));
        },
      )
      .finally(() => {
        busy = false;
        if (next) send(next.value, next.keep);
      });
  }

  handle.node.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    event.preventDefault();
    handle.node.focus();
    handle.node.setPointerCapture(event.pointerId);
    dragging = true;
  });
  handle.node.addEventListener("pointermove", (event) => {
    if (dragging) send(rounded(valueAt(event)));
  });
  handle.node.addEventListener("pointerup", (event) => {
    if (!dragging) return;
    dragging = false;
    send(rounded(valueAt(event)), true);
  });
  handle.node.addEventListener("pointercancel", () => {
    dragging = false;
  });
  /** @param {number} steps */
  const nudge = (steps) => () => {
    if (!scale) return;
    const step = Math.max((scale.high - scale.low) / 200, 1e-4);
    send(rounded(Math.exp(Math.log(model.get("threshold")) + steps * step)));
  };
  /** @type {Record<string, () => void>} */
  const moves = {
    ArrowRight: nudge(1),
    ArrowUp: nudge(1),
    ArrowLeft: nudge(-1),
    ArrowDown: nudge(-1),
    PageUp: nudge(10),
    PageDown: nudge(-10),
    Home: () => scale && send(rounded(Math.exp(scale.low))),
    End: () => scale && send(rounded(Math.exp(scale.high))),
  };
  onKeys(handle.node, moves);
  handle.node.addEventListener("keyup", (event) => {
    if (event.key in moves) send(Number(handle.node.getAttribute("aria-valuenow")), true);
  });

  box.addEventListener("pointerdown", (event) => {
    if (!scale || event.button) return;
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    range = { x: event.clientX, from: valueAt(event) };
  });
  /** @param {PointerEvent} event @param {{ x: number, from: number }} start */
  const brushed = (event, start) =>
    Math.abs(event.clientX - start.x) < 4 ? [] : [start.from, valueAt(event)].sort((a, b) => a - b);
  box.addEventListener("pointermove", (event) => {
    if (range) placeBrush(brushed(event, range));
  });
  box.addEventListener("pointerup", (event) => {
    if (!range || !scale) return;
    let [low, high] = brushed(event, range);
    range = null;
    if (low === undefined || high === undefined) return put(model, { brush: [] });
    // The outermost bars hold whatever lies beyond the axis.
    if (shareOf(scale, high) > 0.999) high = NO_LIMIT;
    if (shareOf(scale, low) < 0.001) low = 1;
    put(model, { brush: [low, high] });
  });
  box.addEventListener("pointercancel", () => {
    range = null;
    placeBrush(model.get("brush"));
  });

  const idle = () => !dragging && !range && !busy;
  const redraw = oneAtATime(() =>
    ask(model, "chart").then(
      (answer) => {
        const svg = drawing(answer.svg);
        scale = scaleOf(svg);
        const tall = svg.viewBox.baseVal.height;
        box.style.setProperty("--lt-top", `${(100 * Number(svg.dataset.top)) / tall}%`);
        box.style.setProperty("--lt-bottom", `${100 - (100 * Number(svg.dataset.bottom)) / tall}%`);
        svgBox.replaceChildren(svg);
        counts = answer.states;
        const states = Object.entries(counts).map(([state, n]) =>
          h("span", { "data-state": state }, h("i", {}), `${state} ${n.toLocaleString()}`),
        );
        summary.replaceChildren(...states);
        placeBrush(model.get("brush"));
        if (idle()) handle.place(model.get("threshold"));
      },
      (error) => say(wordsOf(error), true),
    ),
  );
  const stops = [
    follow(model, ["version"], redraw),
    follow(model, ["brush"], () => placeBrush(model.get("brush"))),
    follow(model, ["threshold"], () => {
      if (idle()) handle.place(model.get("threshold"));
    }),
  ];
  return { node: h("div", {}, summary, box), send, stop: () => stops.forEach((stop) => stop()) };
}

/** @param {Place<ProbeTraits, ProbeQuestions>} place */
function render({ model, el }) {
  const line = statusLine();
  /** @param {unknown} error */
  const failed = (error) => line.say(wordsOf(error), true);
  const chart = probeChart(model, line.say);
  /** @param {string} label @param {string} title @param {() => unknown} changed */
  const number = (label, title, changed) =>
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
  const threshold = number("threshold", "perplexity above which a correct answer is borderline", () =>
    chart.send(Number(threshold.value), true),
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
  const low = number("lowest perplexity", "show rows from this perplexity on", setRange("low"));
  const high = number("highest perplexity", "show rows up to this perplexity", setRange("high"));
  const showAll = () => put(model, { brush: [] });
  const clearTitle = "show all perplexities again (Escape)";
  const clear = h("button", { title: clearTitle, onclick: showAll }, "clear range");
  const takeBack = () => ask(model, "undo").then((answer) => line.say(answer.message ?? ""), failed);
  const undoTitle = "take back the last threshold that was set";
  const undo = h("button", { title: undoTitle, onclick: takeBack }, "undo threshold");

  const card = h("div", {
    class: "lt-probe-card",
    role: "region",
    "aria-label": "selected sample",
    tabindex: "0",
  });
  const focus = () => card.focus();
  const table = rowTable(model, { label: "probes", lines: 16, onopen: focus, narrowed: ["brush"] });
  const show = oneAtATime(() =>
    ask(model, "sample", { at: model.get("cursor") }).then(({ sample }) => {
      card.replaceChildren(sample ? sampleCard(sample) : h("p", { class: "lt-small" }, "no row is shown"));
      card.scrollTop = 0;
    }, failed),
  );

  const root = frame(
    "probes",
    chart.node,
    h(
      "div",
      { class: "lt-row" },
      h("label", {}, "threshold ", threshold),
      undo,
      h("label", {}, "range ", low),
      h("label", {}, "to ", high),
      clear,
      line.node,
    ),
    table.tools,
    h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)),
  );
  onKeys(root, { Escape: showAll });
  el.append(root);

  const stops = [
    chart.stop,
    table.stop,
    follow(model, ["version", "cursor"], show),
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
  return () => stops.forEach((stop) => stop());
}

export default { render };
