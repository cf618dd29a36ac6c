// TrainingView: charts that grow while a cell trains, and what the policy answered in the last GRPO step.
// Everything comes by traits: a kernel that trains does not answer questions.

/** @param {TrainingTraits["rollouts"]} rollouts */
function completionsOf(rollouts) {
  if (!rollouts.rows?.length) return [];
  const { iteration, step, total, rows } = /** @type {Rollouts} */ (rollouts);
  const part = total > rows.length ? `, the first ${rows.length} of ${total}` : "";
  return [
    h(
      "table",
      { class: "lt-pair" },
      h("caption", {}, `The policy's tries in iteration ${iteration}, GRPO step ${step}, the newest${part}`),
      headRow(["request", "completion", "reward", "error"]),
      h(
        "tbody",
        {},
        rows.map(([request, text, reward, error], k) =>
          h(
            "tr",
            { "data-reward": String(reward) },
            // Each request is tried several times.
            h("td", { class: "lt-text", dir: "auto" }, request === rows[k - 1]?.[0] ? "″" : request),
            h("td", { class: "lt-text", dir: "auto" }, h("code", {}, text)),
            h("td", { class: error ? "" : "lt-passed" }, String(reward)),
            h("td", {}, error),
          ),
        ),
      ),
    ),
  ];
}

/**
 * The steps of a trainer that has taken few.
 * @param {TrainingTraits["steps"][number]} table
 */
const stepsOf = ([name, head, rows]) =>
  h(
    "table",
    { class: "lt-pair" },
    h("caption", {}, name),
    headRow(head),
    h(
      "tbody",
      {},
      rows.map((cells) =>
        h(
          "tr",
          {},
          cells.map((cell) => h("td", { class: "lt-number" }, cell)),
        ),
      ),
    ),
  );

/**
 * What each training changed.
 * @param {TrainingTraits["outcome"]} outcome
 */
function outcomeOf([head, rows]) {
  if (!head || !rows) return [];
  const about =
    "The mean of the first third of the steps, and of the last. Each step sees other samples, so" +
    " few steps say little. These are samples that the policy trains on; whether it became better" +
    " at others, the held-out samples say (the loop).";
  return [
    h(
      "table",
      { class: "lt-pair" },
      h("caption", {}, "What the training changed"),
      headRow(head),
      h(
        "tbody",
        {},
        rows.map((cells) =>
          h(
            "tr",
            {},
            cells.map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
    h("p", { class: "lt-small" }, about),
  ];
}

/** @param {Place<TrainingTraits, {}>} place */
function render({ model, el }) {
  const line = statusLine();
  const outcome = h("div", { class: "lt-outcome", tabindex: "0", role: "region", "aria-label": "outcome" });
  const charts = h("div", { class: "lt-charts" }, outcome);
  const steps = h("div", {
    class: "lt-steps",
    tabindex: "0",
    role: "region",
    "aria-label": "steps of the training",
  });
  const table = h("div", {
    class: "lt-rollouts",
    tabindex: "0",
    role: "region",
    "aria-label": "sampled completions",
  });
  const words = h("div", {});
  const live = h("span", { class: "lt-small" });
  const head = h("div", { class: "lt-row" }, h("strong", {}, "Training"), live);
  el.append(frame("training", head, line.node, charts, steps, words, table));

  const stops = [
    follow(model, ["charts"], () => {
      while (outcome.nextSibling) outcome.nextSibling.remove(); // it stays, and with it the focus
      charts.append(...model.get("charts").map(drawing));
    }),
    follow(model, ["outcome"], () => outcome.replaceChildren(...outcomeOf(model.get("outcome")))),
    follow(model, ["steps"], () => steps.replaceChildren(...model.get("steps").map(stepsOf))),
    follow(model, ["meanings"], () => words.replaceChildren(meanings(model.get("meanings")))),
    follow(model, ["rollouts"], () => table.replaceChildren(...completionsOf(model.get("rollouts")))),
    follow(model, ["progress", "fault"], () => {
      const fault = model.get("fault");
      const newest = model.get("progress").split("; ").at(-1);
      if (fault) line.say(`The training continues, but cannot be shown: ${fault}`, true);
      else line.say(newest ? `newest step: ${newest}` : model.get("missing"));
    }),
    follow(model, ["watching", "finished"], () => {
      const closed = `not updated any more: ${onPage() ? "load this page" : "run the cell"} again`;
      const now = model.get("watching") ? "live" : closed;
      live.textContent = model.get("finished") ? "finished" : now;
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
