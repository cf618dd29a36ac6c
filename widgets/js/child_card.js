// A child of an error seed: what stayed, what changed, its checks, its editor and its buttons.

/** @typedef {"accept" | "reject" | "edit" | "undo"} Act */

/** @type {[act: Act, words: string, title: string][]} */
const BUTTONS = [
  ["accept", "accept (a)", "this child joins the next dataset"],
  ["reject", "reject (r)", "this child stays out of the next dataset"],
  ["edit", "edit (e)", "write another request or label for this child"],
  ["undo", "undo", "take the decision on this child back; the key u takes the last decision back"],
];

/** @type {Record<Piece[0], "span" | "del" | "ins">} */
const MARKS = { "=": "span", "-": "del", "+": "ins" };

/**
 * Two texts with little in common, one above the other.
 * @param {string} before
 * @param {string} after
 */
const bothOf = (before, after) =>
  h(
    "div",
    { class: "lt-diff" },
    h("span", { class: "lt-role" }, "seed"),
    h("div", { class: "lt-text lt-was", dir: "auto" }, before.trim()),
    h("span", { class: "lt-role" }, "child"),
    h("div", { class: "lt-text", dir: "auto" }, after.trim()),
  );

/**
 * A text with removed and added words marked; screen readers hear `del` and `ins`.
 * @param {Piece[]} pieces
 */
function diffOf(pieces) {
  const [first, second] = pieces;
  if (pieces.length === 2 && first?.[0] === "-" && second?.[0] === "+") return bothOf(first[1], second[1]);
  return h(
    "div",
    { class: "lt-text lt-diff", dir: "auto" },
    pieces.map(([op, text], at) => {
      const words = text.trimStart();
      return [text.slice(0, text.length - words.length) || (at ? " " : ""), h(MARKS[op], {}, words)];
    }),
  );
}

/**
 * How many calls and arguments of a child's label are as in the seed's, in words.
 * @param {Pair[]} calls
 */
function unchanged(calls) {
  const rows = calls.flatMap((p) => p.rows);
  const same = rows.filter(([, , , how]) => how === "same").length;
  const tools = calls.filter((p) => p.label === p.prediction).length;
  const name = `tool${calls.length > 1 ? "s" : ""}`;
  return `${name}: ${tools} of ${calls.length} as in the seed; arguments: ${same} of ${rows.length}`;
}

/**
 * A child's novelty.
 * @param {Novelty | undefined} novelty undefined: not known yet
 */
function noveltyNote(novelty) {
  if (!novelty) {
    const title = "1 - similarity to the most similar row of the dataset";
    return h("span", { class: "lt-small lt-novelty", title }, "novelty …");
  }
  const [value, nearest, request] = novelty;
  const title = nearest ? `most like ${nearest}: ${request}` : "shares no three words in a row with any row";
  return h("span", { class: "lt-small lt-novelty", title }, `novelty ${value.toFixed(2)}`);
}

/**
 * The checks of a child, and why it failed some.
 * @param {ChildCard["checks"]} checks
 */
const checksOf = (checks) => [
  h(
    "ul",
    { class: "lt-checks", "aria-label": "checks" },
    checks.map(([name, passed, detail]) => {
      const props = {
        class: passed ? "lt-passed" : "lt-fail",
        title: detail || (passed ? "passed" : "failed"),
      };
      return h("li", props, `${passed ? "✓" : "✗"} ${name}`);
    }),
  ),
  checks
    .filter(([, passed, detail]) => !passed && detail)
    .map(([name, , detail]) =>
      h("div", { class: "lt-small lt-fail" }, `${name}: ${name === "novelty" ? "repeats " : ""}${detail}`),
    ),
];

/**
 * The kind of a child, beside that of its seed where another answer is right.
 * @param {ChildCard["kinds"]} kinds
 */
function kindOf([seed, child]) {
  if (!child) return null;
  const title = "a contrast to its seed: the same ground, but another kind of answer is right";
  if (seed === child) return h("span", { class: "lt-small", title: "the kind of the seed" }, child);
  return h("span", { class: "lt-small", title }, `contrast: ${seed ? `${seed} → ` : ""}${child}`);
}

/**
 * The tools that only one of seed and child has.
 * @param {ChildCard["tools"]} tools
 */
function toolChanges([gone, added]) {
  const words = [
    ...(gone.length ? [`no longer on offer: ${gone.join(", ")}`] : []),
    ...(added.length ? [`new on offer: ${added.join(", ")}`] : []),
  ];
  return words.length ? h("div", { class: "lt-small" }, words.join(" · ")) : null;
}

/**
 * The editor of a child.
 * @param {Draft} draft as it is edited so far
 * @param {Draft} given the child as it is
 * @param {object} on
 * @param {() => Promise<SampleDetail | null>} on.unfold the child, for the tools on offer
 * @param {(text: string, tools: SampleDetail["tools"]) => Promise<{ faults: Fault[] }>} on.check
 * @param {(draft: Draft) => void} on.typed called a moment after the last change
 * @param {(draft: Draft) => Promise<string>} on.save answers with what is wrong, empty if it was saved
 * @param {() => void} on.leave
 */
function childEditor(draft, given, on) {
  const request = h("textarea", {
    rows: 3,
    dir: "auto",
    "aria-label": "request: the last user message",
    value: draft.request,
    title: "what the user says last",
  });
  /** @type {ReturnType<typeof labelForm> | null} */
  let label = null;
  const written = () => ({ request: request.value, label: label?.text() ?? draft.label });
  const typing = keeper(() => on.typed(written()));
  const fault = refusal(typing.later);
  const box = h("div", {});
  on.unfold().then((sample) => {
    const tools = sample?.tools ?? [];
    label = labelForm(draft.label, tools, fault.changed, (text) => on.check(text, tools), given.label);
    box.replaceChildren(label.node);
  });
  const save = async () => {
    typing.now();
    fault.tell(await on.save(written()));
  };
  const leave = () => {
    typing.drop();
    on.leave();
  };
  const buttons = [
    h("button", { type: "button", title: "check and record (Ctrl+Enter)", onclick: save }, "save edit"),
    h("button", { type: "button", title: "leave the child as it was (Escape)", onclick: leave }, "cancel"),
  ];
  const form = h(
    "div",
    { class: "lt-editor", role: "group", "aria-label": "edit this child" },
    editorHead(fault.node, h("strong", {}, "this child"), ...buttons),
    h("label", {}, "request (the last user message)", request),
    box,
  );
  request.addEventListener("input", fault.changed);
  form.addEventListener("focusout", typing.now);
  const isChanged = () => {
    const now = written();
    return now.request !== given.request || now.label !== given.label;
  };
  editorKeys(form, fault, { save, isChanged, leave });
  return form;
}

/**
 * The whole sample, folded; it is fetched when it is unfolded for the first time.
 * @param {number} turns
 * @param {() => Promise<SampleDetail | null>} fetched
 */
function wholeSample(turns, fetched) {
  const summary = `the whole sample (${turns} turn${turns > 1 ? "s" : ""} before the answer)`;
  const node = h("details", {}, h("summary", {}, summary));
  node.addEventListener("toggle", async () => {
    if (!node.open || node.children.length > 1) return;
    const sample = await fetched();
    if (sample && node.children.length === 1) node.append(sampleCard(sample));
  });
  return node;
}

/**
 * The card of a child.
 * @param {ChildCard} card
 * @param {object} state
 * @param {number} state.at its place among the seed's children
 * @param {number} state.of how many they are
 * @param {boolean} state.current
 * @param {boolean} state.blocked whether nothing can be decided
 * @param {Novelty | undefined} state.novelty
 * @param {HTMLElement | null} state.editor
 * @param {object} on
 * @param {(act: Act) => void} on.press
 * @param {() => Promise<SampleDetail | null>} on.unfold
 */
function childCard(card, { at, of, current, blocked, novelty, editor }, on) {
  const name = `child ${at + 1} of ${of}, ${card.state.words}`;
  return h(
    "article",
    { class: "lt-child", "data-at": at, "data-state": card.state.name, "aria-label": name },
    h(
      "div",
      { class: "lt-row" },
      h(
        "strong",
        { class: "lt-state", title: card.state.time ?? "not decided by a person" },
        card.state.words,
      ),
      h("span", { class: "lt-small", title: "the strategy that wrote it" }, card.strategy),
      kindOf(card.kinds),
      noveltyNote(novelty),
      h("code", { class: "lt-small" }, card.id),
    ),
    diffOf(card.request),
    card.calls.length ? h("div", { class: "lt-small" }, unchanged(card.calls)) : null,
    card.calls.map((p) => pairTable(p, "seed", "child")),
    card.reply ? h("div", {}, h("span", { class: "lt-small" }, "reply"), diffOf(card.reply)) : null,
    toolChanges(card.tools),
    checksOf(card.checks),
    wholeSample(card.turns, on.unfold),
    editor,
    h(
      "div",
      { class: "lt-row" },
      BUTTONS.map(([act, words, title]) => {
        const props = { title, "data-act": act, disabled: blocked, tabindex: current ? "0" : "-1" };
        return h("button", { ...props, onclick: () => on.press(act) }, words);
      }),
    ),
  );
}
