// The probe view: histogram with threshold and brush, table, sample.

/** The histogram: `{ node, send, stop }`; `say` tells outcomes. */
function probeChart(model, say) {
  const svgBox = h("div", {});
  const handle = h("div", { class: "lt-threshold", role: "slider", tabindex: "0", "aria-label": "perplexity threshold", "aria-orientation": "horizontal",
    title: "correct answers to the right are borderline: drag, or use the arrow keys" }, h("span", {}));
  const before = h("div", { class: "lt-veil" }), after = h("div", { class: "lt-veil" });
  const box = h("div", { class: "lt-chart", title: "drag over the bars to select a range of perplexity" }, svgBox, before, after, handle);
  const summary = h("div", { class: "lt-row lt-states", role: "status", "aria-label": "samples by state" });
  let scale = null;
  let drag = null;
  let counts = {};

  const share = (value) => Math.max(0, Math.min(1, (Math.log(value) - scale.low) / (scale.high - scale.low)));
  const rounded = (value) => Math.max(1, Math.round(value * 1e4) / 1e4);
  const valueAt = (event) => {
    const r = svgBox.getBoundingClientRect();
    const part = ((event.clientX - r.left) / r.width - scale.left) / (scale.right - scale.left);
    return Math.exp(scale.low + Math.max(0, Math.min(1, part)) * (scale.high - scale.low));
  };
  const left = (value) => `${100 * (scale.left + share(value) * (scale.right - scale.left))}%`;

  const placeHandle = (value) => {
    if (!scale) return;
    handle.style.left = left(value);
    handle.firstChild.textContent = value.toFixed(4);
    handle.classList.toggle("lt-flip", share(value) > 0.9);
    const [low, high] = [Math.exp(scale.low), Math.exp(scale.high)].map(rounded);
    for (const [k, v] of [["valuemin", Math.min(low, value)], ["valuemax", Math.max(high, value)], ["valuenow", value],
      ["valuetext", `${value.toFixed(4)}: ${Object.entries(counts).map(([s, n]) => `${n} ${s}`).join(", ")}`]]) handle.setAttribute(`aria-${k}`, v);
  };
  const placeBrush = (range) => {
    const on = scale && range.length === 2;
    before.hidden = after.hidden = !on;
    if (!on) return;
    before.style.left = `${100 * scale.left}%`;
    before.style.right = `calc(100% - ${left(range[0])})`;
    after.style.left = left(range[1]);
    after.style.right = `${100 - 100 * scale.right}%`;
  };

  // Thresholds on the way are sent one at a time, always the newest; the one that is let go of is kept.
  let busy = false, next = null;
  function send(value, keep = false) {
    placeHandle(value);
    next = { value, keep: keep || Boolean(next?.keep) };
    if (busy) return;
    busy = true;
    const now = next;
    next = null;
    ask(model, "threshold", now).then((a) => { if (a.said) say(a.said); }, (e) => { say(e.message, true); placeHandle(model.get("threshold")); })
      .finally(() => { busy = false; if (next) send(next.value, next.keep); });
  }

  handle.addEventListener("pointerdown", (e) => { e.stopPropagation(); e.preventDefault(); handle.focus(); handle.setPointerCapture(e.pointerId); drag = { threshold: model.get("threshold") }; });
  handle.addEventListener("pointermove", (e) => { if (drag) send((drag.threshold = rounded(valueAt(e)))); });
  handle.addEventListener("pointerup", (e) => { if (drag) { drag = null; send(rounded(valueAt(e)), true); } });
  handle.addEventListener("pointercancel", () => { drag = null; });
  const nudge = (steps) => () => send(rounded(Math.exp(Math.log(model.get("threshold")) + steps * Math.max((scale.high - scale.low) / 200, 1e-4))));
  const moves = { ArrowRight: nudge(1), ArrowUp: nudge(1), ArrowLeft: nudge(-1), ArrowDown: nudge(-1), PageUp: nudge(10), PageDown: nudge(-10),
    Home: () => send(rounded(Math.exp(scale.low))), End: () => send(rounded(Math.exp(scale.high))) };
  onKeys(handle, moves);
  handle.addEventListener("keyup", (e) => { if (e.key in moves) send(Number(handle.getAttribute("aria-valuenow")), true); });

  box.addEventListener("pointerdown", (e) => {
    if (!scale || e.button) return;
    e.preventDefault();
    box.setPointerCapture(e.pointerId);
    drag = { x: e.clientX, from: valueAt(e) };
  });
  const brushed = (e) => (Math.abs(e.clientX - drag.x) < 4 ? [] : [drag.from, valueAt(e)].sort((a, b) => a - b));
  box.addEventListener("pointermove", (e) => { if (drag?.x !== undefined) placeBrush(brushed(e)); });
  box.addEventListener("pointerup", (e) => {
    if (drag?.x === undefined) return;
    const range = brushed(e);
    drag = null;
    // The outermost bars hold whatever lies beyond the axis.
    if (range.length && share(range[1]) > 0.999) range[1] = Math.max(range[1], 1e300);
    if (range.length && share(range[0]) < 0.001) range[0] = 1;
    put(model, { brush: range });
  });
  box.addEventListener("pointercancel", () => { drag = null; placeBrush(model.get("brush")); });

  const redraw = oneAtATime(() => ask(model, "chart").then((answer) => {
    const svg = drawing(answer.svg);
    const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
    scale = { low: Number(svg.dataset.low), high: Number(svg.dataset.high), left: svg.dataset.left / width, right: svg.dataset.right / width };
    const tall = Number(svg.getAttribute("height"));
    box.style.setProperty("--lt-top", `${(100 * svg.dataset.top) / tall}%`);
    box.style.setProperty("--lt-bottom", `${100 - (100 * svg.dataset.bottom) / tall}%`);
    svgBox.replaceChildren(svg);
    counts = answer.states;
    summary.replaceChildren(...Object.entries(counts).map(([state, n]) => h("span", { "data-state": state }, h("i", {}), `${state} ${n.toLocaleString()}`)));
    placeBrush(model.get("brush"));
    if (!drag && !busy) placeHandle(model.get("threshold"));
  }, (e) => say(e.message, true)));
  const stops = [follow(model, ["version"], redraw), follow(model, ["brush"], () => placeBrush(model.get("brush"))),
    follow(model, ["threshold"], () => { if (!drag && !busy) placeHandle(model.get("threshold")); })];
  return { node: h("div", {}, summary, box), send, stop: () => stops.forEach((s) => s()) };
}

function render({ model, el }) {
  const line = statusLine();
  const chart = probeChart(model, line.say);
  const number = (label, title, changed) => h("input", { type: "number", step: "any", min: "1", "aria-label": label, title, onchange: changed,
    onkeydown: (e) => { if (e.key === "Enter") { e.preventDefault(); changed(e); } } });
  const threshold = number("threshold", "perplexity above which a correct answer is borderline", () => chart.send(Number(threshold.value), true));
  // The other end keeps its own value: the field shows it rounded.
  const end = (at) => () => {
    const range = [...model.get("brush")];
    if (!low.value && !high.value) return put(model, { brush: [] });
    const given = [low.value || 1, high.value || 1e300].map(Number);
    put(model, { brush: [0, 1].map((k) => (k === at ? given[k] : range[k] ?? given[k])).sort((a, b) => a - b) });
  };
  const low = number("lowest perplexity", "show rows from this perplexity on", end(0));
  const high = number("highest perplexity", "show rows up to this perplexity", end(1));
  const clear = h("button", { title: "show all perplexities again (Escape)", onclick: () => put(model, { brush: [] }) }, "clear range");
  const undo = h("button", { title: "take back the last threshold that was let go of", onclick: () =>
    ask(model, "undo").then((a) => line.say(a.said), (e) => line.say(e.message, true)) }, "undo threshold");

  const card = h("div", { class: "lt-probe-card", role: "region", "aria-label": "selected sample", tabindex: "0" });
  const table = rowTable(model, { label: "probes", lines: 16, onopen: () => card.focus(), narrowed: ["brush"] });
  const show = oneAtATime(() => ask(model, "sample", { at: model.get("cursor") }).then(({ sample }) => {
    card.replaceChildren(sample ? sampleCard(sample) : h("p", { class: "lt-small" }, "no row is shown"));
    card.scrollTop = 0;
  }, (e) => line.say(e.message, true)));

  const root = frame("probes", chart.node,
    h("div", { class: "lt-row" }, h("label", {}, "threshold ", threshold), undo, h("label", {}, "range ", low), h("label", {}, "to ", high), clear, line.node),
    table.tools, h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)));
  onKeys(root, { Escape: () => put(model, { brush: [] }) });
  el.append(root);

  const stops = [chart.stop, table.stop,
    follow(model, ["version", "cursor"], show),
    follow(model, ["threshold"], () => { threshold.value = model.get("threshold").toFixed(4); }),
    follow(model, ["can_undo"], () => { undo.disabled = !model.get("can_undo"); }),
    follow(model, ["brush"], () => {
      const [from, to] = model.get("brush");
      low.value = from === undefined ? "" : from.toFixed(4);
      high.value = to === undefined || to >= 1e300 ? "" : to.toFixed(4);
      clear.disabled = from === undefined;
    })];
  return () => stops.forEach((s) => s());
}

export default { render };
