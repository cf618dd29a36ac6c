// A sample: its dialogue, its tools (folded), label against prediction argument by argument, and the
// prediction's tokens shaded by log-probability.

/** @param {Call} call */
const callCard = (call) =>
  h(
    "div",
    { class: "lt-call" },
    h("code", { class: "lt-name" }, call.name),
    h(
      "dl",
      {},
      call.arguments.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );

/** @param {SampleDetail} d */
const dialogueOf = (d) =>
  h(
    "div",
    { class: "lt-dialogue", role: "log", "aria-label": "dialogue" },
    d.messages.map((m) =>
      h(
        "div",
        { class: `lt-turn lt-${m.role}` },
        h("span", { class: "lt-role" }, m.role),
        m.content ? h("div", { class: "lt-text" }, m.content) : null,
        m.calls.map(callCard),
      ),
    ),
  );

/** @param {SampleDetail} d */
const toolsOf = (d) =>
  h(
    "details",
    { class: "lt-tools" },
    h("summary", {}, `${d.tools.length} tools on offer: ${d.tools.map((t) => t.name).join(", ")}`),
    d.tools.map((t) =>
      h(
        "details",
        {},
        h("summary", {}, h("code", {}, t.name), ` ${t.description}`),
        h("pre", {}, t.parameters),
      ),
    ),
  );

/** @param {Answer} a */
const answerOf = (a) =>
  a.calls.length ? a.calls.map(callCard) : h("div", { class: "lt-text" }, a.reply || "(says nothing)");

/**
 * A pair of calls side by side, what differs marked by colour, sign and words.
 * @param {Pair} p
 * @param {string} [left]
 * @param {string} [right]
 */
function pairTable(p, left = "label", right = "prediction") {
  const sign = { same: "=", differs: "≠", "label only": "−", "prediction only": "+" };
  const words = {
    same: "same",
    differs: "differs",
    "label only": `${left} only`,
    "prediction only": `${right} only`,
  };
  const other = p.label !== p.prediction;
  return h(
    "table",
    { class: "lt-pair" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", {}, ""),
        h("th", { scope: "col" }, left),
        h("th", { scope: "col" }, right),
        h("th", {}, ""),
      ),
      h(
        "tr",
        { class: other ? "lt-differs" : "" },
        h("th", { scope: "row" }, "tool"),
        h("td", {}, h("code", {}, p.label ?? "(no call)")),
        h("td", {}, h("code", {}, p.prediction ?? "(no call)")),
        h("td", { title: other ? "differs" : "same" }, other ? "≠" : "="),
      ),
    ),
    h(
      "tbody",
      {},
      p.rows.map(([name, mine, theirs, how]) =>
        h(
          "tr",
          { class: how === "same" ? "" : "lt-differs", "data-how": how },
          h("th", { scope: "row" }, name),
          h("td", {}, mine),
          h("td", {}, theirs),
          h("td", { title: words[how], "aria-label": words[how] }, sign[how]),
        ),
      ),
    ),
  );
}

/**
 * Label and prediction where at least one of them is a reply.
 * @param {Answer} label
 * @param {Prediction} prediction
 */
const replyTable = (label, prediction) => {
  const written = prediction.reply || (prediction.calls.length ? "(calls)" : "(says nothing)");
  return h(
    "table",
    { class: "lt-pair" },
    headRow(["label", "prediction"]),
    h(
      "tbody",
      {},
      h(
        "tr",
        {},
        h("td", { class: "lt-text" }, label.calls.length ? "(calls)" : label.reply || "(a plain reply)"),
        h(
          "td",
          { class: "lt-text" },
          prediction.error ? `${prediction.error}: ${prediction.detail}` : written,
        ),
      ),
    ),
  );
};

/**
 * Label against prediction: a table for each pair of calls.
 * @param {SampleDetail} d
 */
function comparison(d) {
  const { label, prediction } = d;
  if (!prediction) return h("div", {}, h("h4", {}, "label"), answerOf(label));
  const calls = label.calls.length && prediction.calls.length;
  const demands = `a right reply holds: ${d.demands.join("; ")}`;
  return h(
    "div",
    { class: "lt-comparison" },
    d.aligned?.map((p) => pairTable(p)),
    calls ? null : replyTable(label, prediction),
    d.demands.length ? h("div", { class: "lt-small" }, demands) : null,
    d.faults?.length
      ? h(
          "ul",
          { class: "lt-faults" },
          d.faults.map((f) => h("li", {}, f)),
        )
      : null,
  );
}

/**
 * The prediction as it was written. The less likely a token, the stronger its shade; the tooltip says how
 * likely it was.
 * @param {SampleDetail} d
 */
function tokensOf(d) {
  if (!d.tokens?.length) return null;
  const summary = `as written: ${d.tokens.length} tokens, perplexity ${d.perplexity?.toFixed(3)}`;
  const tokens = d.tokens.map(([text, logp]) => {
    const title = `log-probability ${logp.toFixed(3)}, probability ${Math.exp(logp).toFixed(3)}`;
    const span = h("span", { title }, text);
    span.style.setProperty("--lt-doubt", Math.min(1, -logp / 3).toFixed(3));
    return span;
  });
  return h("details", { class: "lt-tokens", open: true }, h("summary", {}, summary), h("pre", {}, tokens));
}

/**
 * A sample in full.
 * @param {SampleDetail} d
 */
const sampleCard = (d) =>
  h(
    "article",
    { class: "lt-sample", "aria-label": `sample ${d.id}` },
    h(
      "div",
      { class: "lt-small" },
      h("code", {}, d.id),
      d.facts.map(([k, v]) => ` · ${k} ${v}`),
      d.state ? ` · ${d.state}` : "",
    ),
    toolsOf(d),
    dialogueOf(d),
    comparison(d),
    tokensOf(d),
  );
