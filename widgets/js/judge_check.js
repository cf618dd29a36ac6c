// JudgeCheckView: the card (a row pressed filters the trials to that kind), its intervals, the trials, one of them in full.

/** The card: `{ node, mark }`; `choose` hears the kind that is pressed, "" for all. */
function reportCard(model, choose) {
  const buttons = new Map();
  const rows = model.get("card").map(([kind, ...cells]) => {
    const pressed = h("button", { "data-kind": kind, title: kind === "all" ? "show the trials of all kinds" : `show only the trials of ${kind}` }, kind);
    buttons.set(kind === "all" ? "" : kind, pressed);
    // One listener for the row: the button's own click, by mouse or key, arrives here too.
    const row = h("tr", { onclick: () => choose(kind === "all" ? "" : kind) }, h("th", { scope: "row" }, pressed), cells.map((c) => h("td", {}, String(c))));
    row.style.cursor = "pointer";
    return row;
  });
  const heads = [["kind", "the planted error"], ["trials", "questions asked"], ...model.get("measures")];
  const node = h("table", { class: "lt-pair", "aria-label": "report card" },
    h("thead", {}, h("tr", {}, heads.map(([name, meaning]) => h("th", { scope: "col", title: meaning }, name)))), h("tbody", {}, rows));
  return { node: h("div", { class: "lt-wide" }, node), mark: (kind) => { for (const [k, b] of buttons) b.setAttribute("aria-pressed", String(k === kind)); } };
}

/** What the judge should have said, what it said in each repeat, and why. */
function trialCard({ kind, expected, verdicts, rationale }) {
  const verdict = (name) => h("span", { class: "lt-verdict", "data-verdict": name }, name);
  const given = verdicts.every((v) => v === verdicts[0]) ? verdict(verdicts[0]) : verdicts.map((v, i) => [i ? ", then " : "", verdict(v)]);
  const right = verdicts[0] === expected;
  return h("div", { class: "lt-decided", "data-right": String(right) },
    h("div", {}, "planted: ", h("code", {}, kind), " · expected ", verdict(expected), " · given ", given, h("strong", {}, right ? " ✓ right" : " ✗ wrong")),
    h("div", { class: "lt-text" }, rationale || "(no rationale)"));
}

function render({ model, el }) {
  const line = statusLine();
  const choose = (kind) => {
    const { kind: before, ...filters } = model.get("filters");
    put(model, { filters: kind && kind !== before ? { ...filters, kind } : filters });
  };
  const report = reportCard(model, choose);
  const chart = h("details", { open: true }, h("summary", {}, "intervals"), drawing(model.get("chart")));
  const card = h("div", { class: "lt-probe-card", role: "region", "aria-label": "selected trial", tabindex: "0" });
  const table = rowTable(model, { label: "trials", lines: 16, onopen: () => card.focus() });
  const show = oneAtATime(() => ask(model, "sample", { at: model.get("cursor") }).then(({ sample, trial }) => {
    card.replaceChildren(...(sample ? [trialCard(trial), sampleCard(sample)] : [h("p", { class: "lt-small" }, "no trial is shown")]));
    card.scrollTop = 0;
  }, (e) => line.say(e.message, true)));
  const root = frame("judge report card", report.node, model.get("about").map((text) => h("div", { class: "lt-small" }, text)), chart, line.node,
    table.tools, h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)));
  onKeys(root, { Escape: () => choose("") });
  el.append(root);

  const stops = [table.stop, follow(model, ["version", "cursor"], show), follow(model, ["filters"], () => report.mark(model.get("filters").kind ?? ""))];
  return () => stops.forEach((s) => s());
}

export default { render };
