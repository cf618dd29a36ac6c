// TrainingView: charts that grow while a cell trains, and what the policy answered in the last GRPO step. Everything comes by traits: a kernel that
// trains answers no questions.

function render({ model, el }) {
  const line = statusLine();
  const charts = h("div", { class: "lt-charts" });
  const table = h("div", { class: "lt-rollouts", tabindex: "0", role: "region", "aria-label": "sampled completions" });
  const live = h("span", { class: "lt-small" });
  const root = frame("training", h("div", { class: "lt-row" }, h("strong", {}, "Training"), live), line.node, charts, table);
  el.append(root);

  function completions() {
    const r = model.get("rollouts");
    if (!r.rows?.length) return table.replaceChildren();
    const left = r.total > r.rows.length ? `, the first ${r.rows.length} of ${r.total}` : "";
    return table.replaceChildren(h("table", { class: "lt-pair" },
      h("caption", {}, `Completions sampled in iteration ${r.iteration}, GRPO step ${r.step}${left}`),
      h("thead", {}, h("tr", {}, ["request", "completion", "reward", "error"].map((c) => h("th", { scope: "col" }, c)))),
      h("tbody", {}, r.rows.map(([request, text, reward, error]) => h("tr", { "data-reward": String(reward) },
        h("td", { class: "lt-text" }, request), h("td", { class: "lt-text" }, h("code", {}, text)), h("td", { class: reward > 0 ? "lt-passed" : "" }, String(reward)), h("td", {}, error))))));
  }

  const stops = [
    follow(model, ["charts"], () => charts.replaceChildren(...model.get("charts").map(drawing))),
    follow(model, ["rollouts"], completions),
    follow(model, ["progress", "fault"], () => {
      if (model.get("fault")) line.say(`The training goes on, but cannot be shown: ${model.get("fault")}`, true);
      else line.say(model.get("progress") || "No training has logged a step yet.");
    }),
    follow(model, ["watching"], () => { live.textContent = model.get("watching") ? "live" : "finished or closed: run the cell again to look anew"; }),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
