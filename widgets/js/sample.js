// A sample: label against prediction argument by argument first, then its dialogue, its tools (folded), and
// the prediction's tokens shaded by log-probability. What is long is folded: earlier turns, tools, texts.

/** Messages at the end of a dialogue that are not folded. */
const LAST_MESSAGES = 6;
/** Characters of a message that are shown before "show all": what tools return is read least. */
const MAX_CHARACTERS = { tool: 500, other: 2000 };

/**
 * A text, cut where it is long, with a button that shows the rest. It runs in the direction of its letters.
 * @param {string} text
 * @param {number} most characters
 */
function longText(text, most) {
  const node = h(
    "div",
    { class: "lt-text", dir: "auto" },
    text.length > most ? `${text.slice(0, most)}…` : text,
  );
  if (text.length <= most) return node;
  const all = () => {
    node.textContent = plain(text);
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
  };
  const words = `show all ${text.length.toLocaleString()} characters`;
  node.append(" ", h("button", { class: "lt-more", title: words, onclick: all }, words));
  return node;
}

/** @param {Call} call */
const callCard = (call) =>
  h(
    "div",
    { class: "lt-call" },
    h("code", { class: "lt-name" }, breakable(call.name)),
    h(
      "dl",
      {},
      call.arguments.map(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)]),
    ),
  );

/** @param {SampleDetail["messages"][number]} m */
const turnOf = (m) =>
  h(
    "div",
    { class: `lt-turn lt-${m.role}` },
    h("span", { class: "lt-role" }, m.role),
    m.content ? longText(m.content, m.role === "tool" ? MAX_CHARACTERS.tool : MAX_CHARACTERS.other) : null,
    m.calls.map(callCard),
  );

/** The message from which on a long dialogue is shown. @param {SampleDetail["messages"]} messages */
const lastMessages = ({ length }) => (length > LAST_MESSAGES + 2 ? length - LAST_MESSAGES : 0);

/**
 * The dialogue. Of a long one, what comes before the last messages is folded.
 * @param {Pick<SampleDetail, "messages">} d
 * @param {number} [from] the first message that is not folded
 */
function dialogueOf({ messages }, from = lastMessages(messages)) {
  const count = `${from} earlier message${from === 1 ? "" : "s"}`;
  const earlier = h("details", {}, h("summary", {}, count));
  // Drawn when it is unfolded: a dialogue of thirty turns is rarely read from its start.
  earlier.addEventListener("toggle", () => {
    if (earlier.open && earlier.children.length === 1) earlier.append(...messages.slice(0, from).map(turnOf));
  });
  return h(
    "div",
    { class: "lt-dialogue", role: "log", "aria-label": "dialogue" },
    from ? earlier : null,
    messages.slice(from).map(turnOf),
  );
}

/** What the user said last in a dialogue. @param {SampleDetail} d */
const lastRequest = ({ messages }) => messages.findLast(({ role }) => role === "user")?.content ?? "";

/** Names of tools that are called by label or prediction. @param {SampleDetail} d */
const calledIn = (d) => [...new Set([...d.label.calls, ...(d.prediction?.calls ?? [])].map((c) => c.name))];

/** @param {SampleDetail} d */
function toolsOf(d) {
  const called = calledIn(d);
  const count = `${d.tools.length} tool${d.tools.length === 1 ? "" : "s"} on offer`;
  return h(
    "details",
    { class: "lt-tools" },
    h("summary", {}, count, called.length ? `; called here: ${called.join(", ")}` : ""),
    d.tools.map((t) =>
      h(
        "details",
        {},
        h("summary", {}, h("code", {}, t.name), ` ${t.description}`),
        h("pre", {}, t.parameters),
      ),
    ),
  );
}

/** @param {Answer} a */
const answerOf = (a) =>
  a.calls.length
    ? a.calls.map(callCard)
    : h("div", { class: "lt-text", dir: "auto" }, a.reply || "(says nothing)");

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
        h("td", {}, h("code", {}, breakable(p.label ?? "(no call)"))),
        h("td", {}, h("code", {}, breakable(p.prediction ?? "(no call)"))),
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
          h("th", { scope: "row" }, breakable(name)),
          h("td", { dir: "auto" }, mine),
          h("td", { dir: "auto" }, theirs),
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
 * @param {string} [right] what the right column is
 */
const replyTable = (label, prediction, right = "prediction") => {
  const written = prediction.reply || (prediction.calls.length ? "(calls)" : "(says nothing)");
  return h(
    "table",
    { class: "lt-pair" },
    headRow(["label", right]),
    h(
      "tbody",
      {},
      h(
        "tr",
        {},
        h(
          "td",
          { class: "lt-text", dir: "auto" },
          label.calls.length ? "(calls)" : label.reply || "(a plain reply)",
        ),
        h(
          "td",
          { class: "lt-text", dir: "auto" },
          prediction.error ? `${prediction.error}: ${prediction.detail}` : written,
        ),
      ),
    ),
  );
};

/** What a right reply must hold. @param {SampleDetail} d */
const demandsOf = ({ demands }) =>
  demands.length ? h("div", { class: "lt-small" }, `a right reply holds: ${demands.join("; ")}`) : null;

/** What is wrong with a prediction. @param {SampleDetail} d */
const faultsOf = ({ faults }) =>
  faults?.length
    ? h(
        "ul",
        { class: "lt-faults" },
        faults.map((f) => h("li", {}, f)),
      )
    : null;

/**
 * Label against prediction: a table for each pair of calls.
 * @param {SampleDetail} d
 */
function comparison(d) {
  const { label, prediction } = d;
  // An audit proposes a label, or none, and asks no policy.
  const audited = d.verdict?.judge === "audit";
  const right = audited ? "proposal" : "prediction";
  const unproposed = audited && d.verdict?.name === "unjudged";
  if (!prediction || unproposed) return h("div", {}, h("h4", {}, "label"), answerOf(label));
  const calls = label.calls.length && prediction.calls.length;
  return h(
    "div",
    { class: "lt-comparison" },
    d.aligned?.map((p) => pairTable(p, "label", right)),
    calls ? null : replyTable(label, prediction, right),
    demandsOf(d),
    faultsOf(d),
  );
}

/**
 * The prediction as it was written. The less likely a token, the stronger its shade; the tooltip says how
 * likely it was.
 * @param {SampleDetail} d
 * @param {string} [whose] what they are of
 */
function tokensOf(d, whose = "the prediction") {
  if (!d.tokens?.length) return null;
  const measured = `${d.tokens.length} tokens, perplexity ${d.perplexity?.toFixed(3)}`;
  const summary = `${whose} as written: ${measured}; the less likely a token, the stronger its colour`;
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
    comparison(d),
    dialogueOf(d),
    toolsOf(d),
    tokensOf(d),
  );
