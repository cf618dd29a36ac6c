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
  /** @param {string} name @param {[number, number] | null} pair @param {string} words */
  const chance = (name, pair, words) =>
    pair
      ? [
          h("tr", { class: "lt-chance" }, h("th", { scope: "row" }, name), pair.map(bar)),
          h("tr", {}, h("td", { colspan: 3, class: "lt-small" }, words)),
        ]
      : null;
  const pieces = v.evidence.map(([name, label, prediction, words, says]) => [
    h(
      "tr",
      { class: says.startsWith("not counted") ? "lt-uncounted" : "" },
      h("th", { scope: "row" }, name),
      bar(label),
      bar(prediction),
    ),
    h(
      "tr",
      {},
      h("td", { colspan: 3, class: "lt-small" }, h("strong", {}, says), words ? ` · ${words}` : ""),
    ),
  ]);
  const before = "probability of being right, before anything is weighed: shares of failed samples";
  const after = `probability of being right; both may be, or neither. ${v.why}`;
  const rows = [chance("start", v.start, before), pieces, chance("result", v.right, after)];
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
    h("div", { class: "lt-text", dir: "auto" }, v.rationale || "(no rationale)"),
    h("div", { class: "lt-small" }, `votes: ${votes.length ? votes.join(", ") : "none, one judge decided"}`),
    pieces.length || v.right
      ? h(
          "table",
          { class: "lt-pair lt-evidence" },
          headRow(["weighed", "label", "prediction"]),
          h("tbody", {}, rows),
        )
      : null,
    pieces.length ? null : h("div", { class: "lt-small" }, "no evidence on record"),
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
