// CompareView: buttons for what was fixed, broken and left as it was, the samples, and one of them with both
// answers against its label.

const POLICIES = "base: the model before any training · D1, D2, …: the policy trained on that dataset";

/**
 * A button for each kind of change, with its count; pressing it again shows all.
 * @param {Model<CompareTraits, CompareQuestions>} model
 */
function changeButtons(model) {
  /** @param {string} change */
  const choose = (change) => {
    const { change: before, ...filters } = model.get("filters");
    put(model, { filters: change !== before ? { ...filters, change } : filters, cursor: 0 });
  };
  const title = "show only these samples; again: all";
  const buttons = model
    .get("counts")
    .map(([change]) => h("button", { title, "data-change": change, onclick: () => choose(change) }));
  const stop = follow(model, ["filters", "counts"], () => {
    const chosen = model.get("filters").change ?? "";
    const counts = Object.fromEntries(model.get("counts"));
    for (const button of buttons) {
      const change = button.dataset.change ?? "";
      button.textContent = plain(`${counts[change] ?? 0} ${change}`);
      button.setAttribute("aria-pressed", String(change === chosen));
    }
  });
  const node = h("div", { class: "lt-row", role: "group", "aria-label": "changes" }, buttons);
  return { node, stop };
}

/**
 * Two choices: which policy is compared with which.
 * @param {Model<CompareTraits, CompareQuestions>} model
 * @param {() => void} reading called when other answers are to be read
 */
function policyChoices(model, reading) {
  /** @param {"before" | "after"} which @param {string[]} names */
  const choice = (which, names) => {
    const title = which === "before" ? "the policy to compare with" : "the policy that is compared";
    const select = h(
      "select",
      { "aria-label": which, title },
      names.map((name) => h("option", { value: name }, name)),
    );
    select.addEventListener("change", () => {
      put(model, { [which]: select.value, cursor: 0 });
      reading();
    });
    return select;
  };
  const [first, last] = model.get("choices");
  const [before, after] = [choice("before", first), choice("after", last)];
  const stop = follow(model, ["before", "after"], () => {
    before.value = model.get("before");
    after.value = model.get("after");
  });
  const node = h(
    "div",
    { class: "lt-row" },
    h("label", {}, "before ", before),
    h("label", {}, "after ", after),
  );
  return { node, stop };
}

/**
 * Where a prediction differs from the label; the prediction itself where one of both is a reply.
 * @param {SampleDetail} d
 */
function differences({ label, prediction, aligned }) {
  if (!prediction) return null;
  if (prediction.error) return h("div", { class: "lt-text" }, `${prediction.error}: ${prediction.detail}`);
  if (!label.calls.length || !prediction.calls.length) return answerOf(prediction);
  const other = (aligned ?? [])
    // Of a call that is not made its tool says enough: the label has its arguments.
    .map((p) => ({ ...p, rows: p.prediction === null ? [] : p.rows.filter(([, , , how]) => how !== "same") }))
    .filter((p) => p.rows.length || p.label !== p.prediction);
  if (!other.length) return h("div", { class: "lt-small" }, "calls as the label");
  const alike = (aligned ?? [])
    .filter((p) => p.prediction !== null)
    .reduce((sum, p) => sum + p.rows.filter(([, , , how]) => how === "same").length, 0);
  const rest = alike === 1 ? "1 other argument as in the label" : `${alike} other arguments as in the label`;
  return [...other.map((p) => pairTable(p)), alike ? h("div", { class: "lt-small" }, rest) : null];
}

/**
 * One policy's answer against the label.
 * @param {string} name
 * @param {SampleDetail} d
 */
const answerAgainstLabel = (name, d) =>
  h(
    "section",
    { "aria-label": `answer of ${name}` },
    h("h4", {}, h("code", {}, name), d.state === "right" ? " ✓ right" : " ✗ wrong"),
    differences(d),
    faultsOf(d),
    tokensOf(d),
  );

/**
 * A sample with both answers: what was asked, the label, and how either answer differs from it.
 * @param {string[]} names
 * @param {SampleDetail} before
 * @param {SampleDetail} after
 */
const bothCard = (names, before, after) =>
  h(
    "article",
    { class: "lt-sample", "aria-label": `sample ${before.id}` },
    h(
      "div",
      { class: "lt-small" },
      h("code", {}, before.id),
      before.facts.map(([k, v]) => ` · ${k} ${v}`),
    ),
    dialogueOf(before, Math.max(0, before.messages.map(({ role }) => role).lastIndexOf("user"))),
    h(
      "section",
      { "aria-label": "label" },
      h("h4", {}, "label"),
      before.label.calls.length || before.label.reply ? answerOf(before.label) : "(a plain reply)",
      demandsOf(before),
    ),
    answerAgainstLabel(names[0] ?? "", before),
    answerAgainstLabel(names[1] ?? "", after),
    toolsOf(before),
  );

/** @param {Place<CompareTraits, CompareQuestions>} place */
function render({ model, el }) {
  const line = statusLine();
  const changes = changeButtons(model);
  const policies = policyChoices(model, () => {
    const [before, after] = [model.get("before"), model.get("after")];
    line.say(`reading the answers of ${before} and ${after} …`);
    shown.setAttribute("aria-busy", "true");
  });
  const about = h("p", {});
  const card = h("div", {
    class: "lt-probe-card",
    role: "region",
    "aria-label": "selected sample",
    tabindex: "0",
  });
  const table = rowTable(model, { label: "samples", lines: 0, onopen: () => card.focus() });
  const show = oneAtATime(() =>
    ask(model, "sample", { at: model.get("cursor") }).then(
      ({ before, after }) => {
        const none = h("p", { class: "lt-small" }, "no sample is shown; press a count above, or clear");
        card.replaceChildren(before && after ? bothCard(model.get("names"), before, after) : none);
        card.scrollTop = 0;
      },
      (error) => line.say(wordsOf(error), true),
    ),
  );
  const shown = h(
    "div",
    { class: "lt-shown" },
    about,
    changes.node,
    table.tools,
    h(
      "div",
      { class: "lt-probe-box" },
      h(
        "div",
        { class: "lt-columns lt-probe lt-filled lt-both", style: "--lt-above: 250px" },
        table.node,
        card,
      ),
    ),
    h("div", { class: "lt-small" }, "keys: f fixed, b broken, a all, ↑ ↓ samples, Enter to the sample"),
    h("div", { class: "lt-small" }, POLICIES),
  );
  policies.node.append(line.node);
  const root = frame("two policies side by side", policies.node, shown);
  const all = () => {
    const { change: _, ...filters } = model.get("filters");
    put(model, { filters, cursor: 0 });
  };
  /** @param {string} change */
  const only = (change) => () => put(model, { filters: { ...model.get("filters"), change }, cursor: 0 });
  onKeys(root, { f: only("fixed"), b: only("broken"), a: all, Escape: all });
  /** @param {number} by */
  const step = (by) => () => moveCursor(model, model.get("cursor") + by);
  // A count that was pressed has the focus.
  onKeys(changes.node, { ArrowDown: step(1), ArrowUp: step(-1) });
  el.append(root);
  const stops = [
    table.stop,
    changes.stop,
    policies.stop,
    follow(model, ["about"], () => {
      about.textContent = plain(model.get("about"));
    }),
    follow(model, ["drawn"], () => {
      shown.removeAttribute("aria-busy");
      line.say("");
    }),
    follow(model, ["version", "cursor"], show),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
