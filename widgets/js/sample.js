// A sample: its dialogue, its tools (folded), label against prediction argument by argument, the prediction's tokens shaded by log-probability.

const callCard = (call) =>
  h("div", { class: "lt-call" }, h("code", { class: "lt-name" }, call.name),
    h("dl", {}, call.arguments.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));

const dialogueOf = (d) =>
  h("div", { class: "lt-dialogue", role: "log", "aria-label": "dialogue" }, d.messages.map((m) =>
    h("div", { class: `lt-turn lt-${m.role}` }, h("span", { class: "lt-role" }, m.role),
      m.content ? h("div", { class: "lt-text" }, m.content) : null, m.calls.map(callCard))));

const toolsOf = (d) =>
  h("details", { class: "lt-tools" }, h("summary", {}, `${d.tools.length} tools on offer: ${d.tools.map((t) => t.name).join(", ")}`),
    d.tools.map((t) => h("details", {}, h("summary", {}, h("code", {}, t.name), ` ${t.description}`), h("pre", {}, t.parameters))));

const answerOf = (a) => (a.calls.length ? a.calls.map(callCard) : h("div", { class: "lt-text" }, a.reply || "(says nothing)"));

/** A pair of calls side by side (a row of `detail.aligned`), what differs marked by colour, sign and words. */
function pairTable(p, left = "label", right = "prediction") {
  const sign = { same: "=", differs: "≠", "label only": "−", "prediction only": "+" };
  const words = { same: "same", differs: "differs", "label only": `${left} only`, "prediction only": `${right} only` };
  const other = p.label !== p.prediction;
  return h("table", { class: "lt-pair" },
    h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", { scope: "col" }, left), h("th", { scope: "col" }, right), h("th", {}, "")),
      h("tr", { class: other ? "lt-differs" : "" }, h("th", { scope: "row" }, "tool"), h("td", {}, h("code", {}, p.label ?? "(no call)")),
        h("td", {}, h("code", {}, p.prediction ?? "(no call)")), h("td", { title: other ? "differs" : "same" }, other ? "≠" : "="))),
    h("tbody", {}, p.rows.map(([name, mine, theirs, how]) =>
      h("tr", { class: how === "same" ? "" : "lt-differs", "data-how": how }, h("th", { scope: "row" }, name), h("td", {}, mine), h("td", {}, theirs),
        h("td", { title: words[how], "aria-label": words[how] }, sign[how])))));
}

/** Label against prediction: a table for each pair of calls. */
function comparison(d) {
  const said = d.prediction;
  if (!said) return h("div", {}, h("h4", {}, "label"), answerOf(d.label));
  const replies = d.label.calls.length && said.calls.length ? null : h("table", { class: "lt-pair" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "label"), h("th", { scope: "col" }, "prediction"))),
    h("tbody", {}, h("tr", {}, h("td", { class: "lt-text" }, d.label.calls.length ? "(calls)" : d.label.reply || "(a plain reply)"),
      h("td", { class: "lt-text" }, said.error ? `${said.error}: ${said.detail}` : said.reply || (said.calls.length ? "(calls)" : "(says nothing)")))));
  return h("div", { class: "lt-comparison" }, d.aligned.map((p) => pairTable(p)), replies,
    d.demands.length ? h("div", { class: "lt-small" }, `a right reply holds: ${d.demands.join("; ")}`) : null,
    d.faults.length ? h("ul", { class: "lt-faults" }, d.faults.map((f) => h("li", {}, f))) : null);
}

/** The prediction as it was written, the less likely a token the stronger its shade; the number stands in the tooltip. */
function tokensOf(d) {
  if (!d.tokens?.length) return null;
  return h("details", { class: "lt-tokens", open: true },
    h("summary", {}, `as written: ${d.tokens.length} tokens, perplexity ${d.perplexity.toFixed(3)}`),
    h("pre", {}, d.tokens.map(([text, logp]) => {
      const span = h("span", { title: `log-probability ${logp.toFixed(3)}, probability ${Math.exp(logp).toFixed(3)}` }, text);
      span.style.setProperty("--lt-doubt", Math.min(1, -logp / 3).toFixed(3));
      return span;
    })));
}

/** All of a sample. */
const sampleCard = (d) =>
  h("article", { class: "lt-sample", "aria-label": `sample ${d.id}` },
    h("div", { class: "lt-small" }, h("code", {}, d.id), d.facts.map(([k, v]) => ` · ${k} ${v}`), d.state ? ` · ${d.state}` : ""),
    toolsOf(d), dialogueOf(d), comparison(d), tokensOf(d));
