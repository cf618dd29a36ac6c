// What the judge weighed on a sample, and what a person decided about it.

/**
 * The judge's verdict, rationale, votes, and every piece of evidence for either side.
 * @param {Judgement} v
 */
function judgement(v) {
  /** @param {number} value */
  const bar = (value) => {
    const node = h("span", { class: "lt-share" }, value.toFixed(2));
    node.style.setProperty("--lt-share", `${Math.max(0, Math.min(1, value)) * 100}%`);
    return h("td", { class: "lt-number" }, node);
  };
  const votes = Object.entries(v.votes).map(([name, n]) => `${name} ${n}`);
  const rows = v.evidence.map(([name, label, prediction, words]) => [
    h("tr", {}, h("th", { scope: "row" }, name), bar(label), bar(prediction)),
    words ? h("tr", {}, h("td", { colspan: 3, class: "lt-small" }, words)) : null,
  ]);
  const evidence = headRow(["evidence", "for label", "for prediction"]);
  return h(
    "section",
    { class: "lt-judge", "aria-label": "what the judge weighed" },
    h(
      "h4",
      {},
      `judge${v.judge ? ` (${v.judge})` : ""}: `,
      h("span", { class: "lt-verdict", "data-verdict": v.name }, v.name),
      v.confidence ? ` · confidence ${v.confidence.toFixed(2)}` : "",
    ),
    v.right
      ? h(
          "div",
          { class: "lt-small" },
          `probability of being right: label ${v.right[0].toFixed(2)}, prediction ${v.right[1].toFixed(2)}`,
        )
      : null,
    h("div", { class: "lt-text", dir: "auto" }, v.rationale || "(no rationale)"),
    h("div", { class: "lt-small" }, `votes: ${votes.length ? votes.join(", ") : "none, one judge decided"}`),
    rows.length
      ? h("table", { class: "lt-pair lt-evidence" }, evidence, h("tbody", {}, rows))
      : h("div", { class: "lt-small" }, "no evidence on record"),
  );
}

/**
 * The decision in force on a row.
 * @param {VerdictDecision} d
 */
const decisionNote = (d) =>
  h(
    "div",
    { class: "lt-decided", role: "note" },
    "decided: ",
    h("span", { class: "lt-verdict", "data-verdict": d.verdict }, d.verdict),
    h("span", { class: "lt-small" }, ` by ${d.author}, ${new Date(d.time).toLocaleString()}`),
    d.reason ? h("div", { class: "lt-text" }, d.reason) : null,
    d.label ? h("div", {}, h("span", { class: "lt-small" }, "label from now on:"), answerOf(d.label)) : null,
  );

/**
 * In the list the decided verdict stands where the judge's was, as long as it has no column of its own.
 * @type {Reword}
 */
const decidedVerdict = (column, text, { decided = "not reviewed" }) =>
  column === "judge" && decided !== "not reviewed"
    ? { words: decided, title: `decided: ${decided}; the judge: ${text}` }
    : null;
