// The histogram of perplexities, with a threshold and a range that a pointer or the keys move.

/**
 * Where the axis lies: logarithms of what its ends have above the origin, and shares of the drawing's width.
 * @typedef {{ low: number, high: number, left: number, right: number, origin: number }} Scale
 */

/**
 * The scale of a histogram, from the places that `histogram` in Python writes into it.
 * @param {SVGSVGElement} svg
 * @returns {Scale}
 */
function scaleOf(svg) {
  /** @param {string | undefined} text */
  const number = (text) => Number(text);
  const { low, high, left, right, origin } = svg.dataset;
  const width = svg.viewBox.baseVal.width;
  const ends = { low: number(low), high: number(high), origin: number(origin) };
  return { ...ends, left: number(left) / width, right: number(right) / width };
}

/**
 * Where a perplexity lies on the axis, from 0 to 1.
 * @param {Scale} scale
 * @param {number} value
 */
const shareOf = (scale, value) =>
  Math.max(0, Math.min(1, (Math.log(value - scale.origin) - scale.low) / (scale.high - scale.low)));

/**
 * The perplexity at a place of the axis.
 * @param {Scale} scale
 * @param {number} log
 */
const valueOf = (scale, log) => scale.origin + Math.exp(log);

/** @param {number} value */
const rounded = (value) => Math.max(1, Math.round(value * 1e4) / 1e4);

/** Stands for "and above" in a range. */
const NO_LIMIT = 1e300;

const HINT =
  "Right answers beyond the line are borderline: drag it. Drag over the bars to see only those samples.";

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
    const [low, high] = [rounded(valueOf(scale, scale.low)), rounded(valueOf(scale, scale.high))];
    node.setAttribute("aria-valuemin", String(Math.min(low, value)));
    node.setAttribute("aria-valuemax", String(Math.max(high, value)));
    node.setAttribute("aria-valuenow", String(value));
    node.setAttribute("aria-valuetext", `${value.toFixed(4)}: ${counts()}`);
  };
  return { node, place };
}

/**
 * Send thresholds one at a time, always the newest; the last one is kept.
 * @param {Model<ProbeTraits, ProbeQuestions>} model
 * @param {(value: number) => void} place shows a threshold
 * @param {Say} say
 */
function thresholdSender(model, place, say) {
  let busy = false;
  /** @type {{ value: number, keep: boolean } | null} */
  let next = null;
  /** @param {number} value @param {boolean} [keep] */
  function send(value, keep = false) {
    place(value);
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
          place(model.get("threshold"));
        },
      )
      .finally(() => {
        busy = false;
        if (next) send(next.value, next.keep);
      });
  }
  return { send, busy: () => busy };
}

/**
 * Let a pointer and the arrow keys move the threshold; the returned function tells whether it is dragged.
 * @param {HTMLElement} handle
 * @param {() => Scale | null} scaled
 * @param {() => number} threshold
 * @param {(event: PointerEvent) => number} valueAt the perplexity under the pointer
 * @param {(value: number, keep?: boolean) => void} send
 */
function thresholdMoves(handle, scaled, threshold, valueAt, send) {
  let dragging = false;
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    dragging = true;
  });
  handle.addEventListener("pointermove", (event) => {
    if (dragging) send(rounded(valueAt(event)));
  });
  handle.addEventListener("pointerup", (event) => {
    if (!dragging) return;
    dragging = false;
    send(rounded(valueAt(event)), true);
  });
  handle.addEventListener("pointercancel", () => {
    dragging = false;
  });
  /** @param {number} steps */
  const nudge = (steps) => () => {
    const scale = scaled();
    if (!scale) return;
    const step = (scale.high - scale.low) / 200;
    const moved = valueOf(scale, Math.log(threshold() - scale.origin) + steps * step);
    // Near 1 a step of the axis is less than the last digit that is kept.
    const least = threshold() + Math.sign(steps) * 1e-4;
    send(rounded(steps > 0 ? Math.max(moved, least) : Math.min(moved, least)));
  };
  /** @param {"low" | "high"} end */
  const toEnd = (end) => () => {
    const scale = scaled();
    if (scale) send(rounded(valueOf(scale, scale[end])));
  };
  /** @type {Record<string, () => void>} */
  const moves = {
    ArrowRight: nudge(1),
    ArrowUp: nudge(1),
    ArrowLeft: nudge(-1),
    ArrowDown: nudge(-1),
    PageUp: nudge(10),
    PageDown: nudge(-10),
    Home: toEnd("low"),
    End: toEnd("high"),
  };
  onKeys(handle, moves);
  // Several presses are one decision: it is written when they rest, or when the focus leaves.
  const keeping = keeper(() => send(Number(handle.getAttribute("aria-valuenow")), true), 800);
  handle.addEventListener("keyup", (event) => {
    if (event.key in moves) keeping.later();
  });
  handle.addEventListener("blur", keeping.now);
  return () => dragging;
}

/**
 * Let a drag over the bars select a range; the returned function tells whether one is being dragged.
 * @param {HTMLElement} box
 * @param {() => Scale | null} scaled
 * @param {(event: PointerEvent) => number} valueAt the perplexity under the pointer
 * @param {(ends: number[]) => void} placeBrush shows a range
 * @param {Model<ProbeTraits, ProbeQuestions>} model
 */
function brushMoves(box, scaled, valueAt, placeBrush, model) {
  /** Where the drag began. @type {{ x: number, from: number } | null} */
  let range = null;
  box.addEventListener("pointerdown", (event) => {
    if (!scaled() || event.button) return;
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
    const scale = scaled();
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
  return () => range !== null;
}

/**
 * The veils over what lies outside of the range; `place` moves them.
 * @param {() => Scale | null} scaled
 * @param {(value: number) => string} left a value's place, in CSS
 */
function rangeVeils(scaled, left) {
  const before = h("div", { class: "lt-veil" });
  const after = h("div", { class: "lt-veil" });
  /** @param {number[]} ends */
  const place = ([low, high]) => {
    const scale = scaled();
    before.hidden = after.hidden = !scale || low === undefined;
    if (!scale || low === undefined || high === undefined) return;
    before.style.left = `${100 * scale.left}%`;
    before.style.right = `calc(100% - ${left(low)})`;
    after.style.left = left(high);
    after.style.right = `${100 - 100 * scale.right}%`;
  };
  return { before, after, place };
}

/**
 * The states with their colours and counts.
 * @param {Record<string, number>} counts
 */
const stateMarks = (counts) =>
  Object.entries(counts).map(([state, n]) =>
    h("span", { "data-state": state }, h("i", {}), `${state} ${n.toLocaleString()}`),
  );

/**
 * The histogram with its threshold and range.
 * @param {Model<ProbeTraits, ProbeQuestions>} model
 * @param {Say} say
 */
function probeChart(model, say) {
  const svgBox = h("div", {});
  const summary = h("div", { class: "lt-row lt-states", role: "status", "aria-label": "samples by state" });
  /** @type {Scale | null} */
  let scale = null;
  /** @type {Record<string, number>} */
  let counts = {};

  const scaled = () => scale;
  /** @param {number} value */
  const left = (value) =>
    scale ? `${100 * (scale.left + shareOf(scale, value) * (scale.right - scale.left))}%` : "0";
  /** @param {PointerEvent} event */
  const valueAt = (event) => {
    if (!scale) return 1;
    const r = svgBox.getBoundingClientRect();
    const part = ((event.clientX - r.left) / r.width - scale.left) / (scale.right - scale.left);
    return valueOf(scale, scale.low + Math.max(0, Math.min(1, part)) * (scale.high - scale.low));
  };
  const inWords = () => Object.entries(counts).map(([state, n]) => `${n} ${state}`);
  const handle = thresholdHandle(scaled, left, () => inWords().join(", "));
  const veils = rangeVeils(scaled, left);
  const title = "drag over the bars to select a range of perplexity";
  const box = h("div", { class: "lt-chart", title }, svgBox, veils.before, veils.after, handle.node);
  const { send, busy } = thresholdSender(model, handle.place, say);
  const dragging = thresholdMoves(handle.node, scaled, () => model.get("threshold"), valueAt, send);
  const brushing = brushMoves(box, scaled, valueAt, veils.place, model);
  const placeThreshold = () => {
    if (!dragging() && !brushing() && !busy()) handle.place(model.get("threshold"));
  };

  /** @param {ReturnType<ProbeQuestions["chart"]>} answer */
  const draw = (answer) => {
    const svg = drawing(answer.svg);
    scale = scaleOf(svg);
    const tall = svg.viewBox.baseVal.height;
    box.style.setProperty("--lt-top", `${(100 * Number(svg.dataset.top)) / tall}%`);
    box.style.setProperty("--lt-bottom", `${100 - (100 * Number(svg.dataset.bottom)) / tall}%`);
    svgBox.replaceChildren(svg);
    counts = answer.states;
    summary.replaceChildren(...stateMarks(counts));
    veils.place(model.get("brush"));
    placeThreshold();
  };
  let width = 0;
  const redraw = oneAtATime(() =>
    ask(model, "chart", { width }).then(draw, (error) => say(wordsOf(error), true)),
  );
  const stops = [
    followWidth(svgBox, (now) => {
      width = now;
      redraw();
    }),
    follow(model, ["version"], redraw),
    follow(model, ["brush"], () => veils.place(model.get("brush"))),
    follow(model, ["threshold"], placeThreshold),
  ];
  const hint = h("span", { class: "lt-small" }, HINT);
  const head = h("div", { class: "lt-row" }, summary, hint);
  return { node: h("div", {}, head, box), send, stop: () => stops.forEach((stop) => stop()) };
}
