// JudgeCheckView: the card (pressing a row filters the trials to that kind), its intervals, the trials, and
// one of them in full.

const TITLE = "The judge's report card";

/**
 * The card.
 * @param {Model<JudgeCheckTraits, JudgeCheckQuestions>} model
 * @param {(kind: string) => void} choose called with the kind that is pressed, "" for all
 */
function reportCard(model, choose) {
  /** @type {Map<string, HTMLButtonElement>} */
  const buttons = new Map();
  const rows = model.get("card").map(([kind, ...cells]) => {
    const title = kind === "all" ? "show the trials of all kinds" : `show only the trials of ${kind}`;
    const button = h("button", { "data-kind": kind, title }, kind);
    const filter = kind === "all" ? "" : kind;
    buttons.set(filter, button);
    // One listener for the row: the button's own click, by mouse or key, arrives here too.
    const row = h(
      "tr",
      { onclick: () => choose(filter) },
      h("th", { scope: "row" }, button),
      cells.map((c) => h("td", {}, String(c))),
    );
    row.style.cursor = "pointer";
    return row;
  });
  const node = h(
    "table",
    { class: "lt-pair", "aria-label": "report card" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        model.get("measures").map(([name, meaning]) => h("th", { scope: "col", title: meaning }, name)),
      ),
    ),
    h("tbody", {}, rows),
  );
  /** @param {string} kind */
  const mark = (kind) => {
    for (const [k, button] of buttons) button.setAttribute("aria-pressed", String(k === kind));
  };
  return { node: h("div", { class: "lt-wide" }, node), mark };
}

/**
 * The expected verdict, the verdict of each repeat, the rationale, and the right answer.
 * @param {Trial} trial
 */
function trialCard({ kind, expected, answer, verdicts, rationale }) {
  /** @param {string} name */
  const verdict = (name) => h("span", { class: "lt-verdict", "data-verdict": name }, name);
  const same = verdicts.every((v) => v === verdicts[0]);
  const given = (same ? verdicts.slice(0, 1) : verdicts).map((v, i) => [i ? ", then " : "", verdict(v)]);
  const right = verdicts[0] === expected;
  const outcome = verdicts[0] === "unjudged" ? " – left unjudged" : right ? " ✓ right" : " ✗ wrong";
  return h(
    "div",
    { class: "lt-decided", "data-right": String(right) },
    h(
      "div",
      {},
      "planted: ",
      h("strong", {}, kind),
      " · expected ",
      verdict(expected),
      " · given ",
      given,
      h("strong", {}, outcome),
    ),
    h("div", { class: "lt-right-answer" }, "right answer: ", answerOf(answer)),
    h("div", { class: "lt-text", dir: "auto" }, rationale || "(no rationale)"),
  );
}

/**
 * The button that checks the judge, what that costs, and how far it is.
 * @param {Model<JudgeCheckTraits, JudgeCheckQuestions>} model
 */
function checkBar(model) {
  const offer = model.get("offer");
  const line = statusLine();
  /** @param {unknown} error */
  const failed = (error) => line.say(wordsOf(error), true);
  const question = h("div", {});
  const begin = () => {
    if (question.contains(document.activeElement)) start.focus();
    question.replaceChildren();
    ask(model, "check").catch(failed);
  };
  const decline = () => {
    question.replaceChildren();
    start.focus();
  };
  const press = () =>
    ask(model, "cost").then((asked) => {
      if (!asked.question) return begin();
      const no = h("button", { onclick: decline, title: "ask no model (Escape)" }, "no");
      const yes = h("button", { onclick: begin, title: "start the check" }, "yes, check");
      question.replaceChildren(h("div", { role: "alert" }, `${asked.question} `, yes, " ", no));
      return no.focus();
    }, failed);
  onKeys(question, { Escape: decline });
  const title =
    "plant errors in samples of this run and ask its judge about them, as looptool judge-check does";
  const start = h("button", { onclick: press, title }, "check the judge");
  const stopTitle = "stop the check; what a model has answered is kept";
  const halt = h("button", { onclick: () => ask(model, "stop").catch(failed), title: stopTitle }, "stop");
  const cost = h("span", { class: "lt-small" }, offer);
  const bar = h("progress", { "aria-label": "check of the judge", max: "100" });
  const show = () => {
    const running = model.get("running");
    const focused = document.activeElement;
    start.disabled = running;
    halt.hidden = bar.hidden = !running;
    cost.hidden = running;
    if (model.get("share") < 0) bar.removeAttribute("value");
    else bar.setAttribute("value", String(model.get("share")));
    line.say(model.get("progress"), model.get("failed"));
    if (running && focused === start) halt.focus();
    if (!running && focused === halt) start.focus();
    if (!running) ask(model, "renew").catch(failed);
  };
  const node = h(
    "div",
    {},
    h("div", { class: "lt-row" }, h("h4", {}, TITLE), offer ? [start, cost] : null, bar, halt, line.node),
    question,
  );
  halt.hidden = bar.hidden = true;
  if (!offer) return { node, stop: () => {} };
  return { node, stop: follow(model, ["running", "progress", "share", "failed"], show) };
}

/**
 * The card that there is now, or why there is none.
 * @param {Model<JudgeCheckTraits, JudgeCheckQuestions>} model
 * @param {HTMLElement} el
 */
function showCard(model, el) {
  const bar = checkBar(model);
  if (model.get("missing")) {
    const why = h("p", {}, model.get("missing"));
    el.append(frame("judge report card", bar.node, why));
    // A check that is under way makes the card: there is no button to press.
    const unfollow = follow(model, ["running"], () => {
      why.hidden = model.get("running");
    });
    return () => {
      unfollow();
      bar.stop();
    };
  }
  const line = statusLine();
  /** @param {string} kind "" for all; the one that is chosen already: all */
  const choose = (kind) => {
    const { kind: before = "", ...filters } = model.get("filters");
    put(model, { filters: kind && kind !== before ? { ...filters, kind } : filters });
  };
  /** @param {string} kind */
  const press = (kind) => {
    choose(kind);
    // The trials stand below the card, on a small screen out of sight.
    table.grid.scrollIntoView({ block: "nearest" });
  };
  /** @param {KeyboardEvent} event */
  const escape = ({ target }) => {
    const searching = target instanceof HTMLInputElement && target.type === "search" && target.value;
    if (!searching) return choose("");
    // The field takes no text from Python while a person is in it.
    target.value = "";
    put(model, { search: "" });
  };
  const report = reportCard(model, press);
  const svg = model.get("chart");
  const chart = svg ? h("details", {}, h("summary", {}, "the intervals as a chart"), drawing(svg)) : null;
  const words = h("details", {}, h("summary", {}, "what the columns say"), meanings(model.get("measures")));
  const card = h("div", {
    class: "lt-probe-card",
    role: "region",
    "aria-label": "selected trial",
    tabindex: "0",
  });
  // The card says both, too.
  const roomy = ["request", "right"];
  const table = rowTable(model, { label: "trials", lines: 16, onopen: () => card.focus(), roomy, room: 700 });
  const show = oneAtATime(() =>
    ask(model, "sample", { at: model.get("cursor") }).then(
      ({ sample, trial }) => {
        if (sample) card.replaceChildren(trialCard(trial), sampleCard(sample));
        else card.replaceChildren(h("p", { class: "lt-small" }, "no trial is shown"));
        card.scrollTop = 0;
      },
      (error) => line.say(wordsOf(error), true),
    ),
  );
  const root = frame(
    "judge report card",
    bar.node,
    h(
      "div",
      { class: "lt-report" },
      report.node,
      h(
        "ul",
        { class: "lt-small" },
        [model.get("lead"), ...model.get("about")].map((text) => h("li", {}, text)),
      ),
    ),
    h("div", { class: "lt-folded" }, words, chart),
    line.node,
    table.tools,
    h("div", { class: "lt-probe-box" }, h("div", { class: "lt-columns lt-probe" }, table.node, card)),
  );
  onKeys(root, { Escape: escape });
  el.append(root);

  const stops = [
    table.stop,
    bar.stop,
    follow(model, ["version", "cursor"], show),
    follow(model, ["filters"], () => report.mark(model.get("filters").kind ?? "")),
  ];
  return () => stops.forEach((stop) => stop());
}

/** @param {Place<JudgeCheckTraits, JudgeCheckQuestions>} place */
function render({ model, el }) {
  let stop = () => {};
  const unfollow = follow(model, ["shown"], () => {
    const inside = el.contains(document.activeElement);
    stop();
    el.replaceChildren();
    stop = showCard(model, el);
    const button = el.querySelector("button");
    if (inside && button) button.focus({ preventScroll: true });
  });
  return () => {
    unfollow();
    stop();
  };
}

export default { render };
