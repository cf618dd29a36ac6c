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
      h("caption", {}, `Completions sampled in iteration ${iteration}, GRPO step ${step}${part}`),
      headRow(["request", "completion", "reward", "error"]),
      h(
        "tbody",
        {},
        rows.map(([request, text, reward, error]) =>
          h(
            "tr",
            { "data-reward": String(reward) },
            h("td", { class: "lt-text", dir: "auto" }, request),
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

/** @param {Place<TrainingTraits, {}>} place */
function render({ model, el }) {
  const line = statusLine();
  const charts = h("div", { class: "lt-charts" });
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
    follow(model, ["charts"], () => charts.replaceChildren(...model.get("charts").map(drawing))),
    follow(model, ["steps"], () => steps.replaceChildren(...model.get("steps").map(stepsOf))),
    follow(model, ["meanings"], () => words.replaceChildren(meanings(model.get("meanings")))),
    follow(model, ["rollouts"], () => table.replaceChildren(...completionsOf(model.get("rollouts")))),
    follow(model, ["progress", "fault"], () => {
      const fault = model.get("fault");
      if (fault) line.say(`The training continues, but cannot be shown: ${fault}`, true);
      else line.say(model.get("progress") || "No training has logged a step yet.");
    }),
    follow(model, ["watching", "finished"], () => {
      const closed = "not updated any more: run the cell again";
      const now = model.get("watching") ? "live" : closed;
      live.textContent = model.get("finished") ? "finished" : now;
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
