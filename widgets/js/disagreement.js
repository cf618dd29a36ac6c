// DisagreementView: the queue, the selected sample beside what the judge weighed, and a verdict by one key.

/**
 * The words of an error of Python, without its class.
 * @param {unknown} error
 */
const reasonOf = (error) => wordsOf(error).replace(/^\w+: /, "");

/**
 * The question before the judge's verdicts are accepted.
 * @param {(count: number) => void} accept
 * @param {() => void} closed
 */
function bulkDialog(accept, closed) {
  const node = h("div", {
    class: "lt-dialog",
    role: "alertdialog",
    "aria-label": "accept the judge's verdicts",
    hidden: true,
  });
  const close = () => {
    node.hidden = true;
    node.replaceChildren();
    closed();
  };
  onKeys(node, { Escape: close });
  /** @param {ReturnType<DisagreementQuestions["bulk"]>} bulk */
  const open = ({ count, of, rest }) => {
    const n = count.toLocaleString();
    const verdicts = Object.entries(of).map(([name, rows]) => `${name} ${rows.toLocaleString()}`);
    const question = count
      ? `Accept the judge's verdict for the ${n} rows in this filter that are not reviewed?` +
        ` (${verdicts.join(", ")})`
      : "No row in this filter is judged and not reviewed.";
    const left = rest
      ? ` ${rest.toLocaleString()} without a verdict that can be accepted stay as they are.`
      : "";
    const undo = count ? " Undo takes them back together." : "";
    const yes = () => {
      close();
      accept(count);
    };
    const title = "save these decisions; undo takes them back together";
    const cancel = h("button", { title: "decide nothing (Escape)", onclick: close }, "cancel");
    node.replaceChildren(
      h("div", {}, `${question}${left}${undo}`),
      h(
        "div",
        { class: "lt-row" },
        count ? h("button", { title, onclick: yes }, `accept ${n}`) : null,
        cancel,
      ),
    );
    node.hidden = false;
    cancel.focus();
  };
  return { node, open };
}

/**
 * How far the review is, and how person and judge agree.
 * @param {DisagreementTraits["progress"]} progress
 */
function progressWords({ reviewed, left, n, observed, kappa }) {
  const done = `reviewed ${reviewed.toLocaleString()} / left ${left.toLocaleString()}`;
  if (!n || observed === null) return done;
  const coefficient = kappa === null ? "undefined (only one verdict so far)" : kappa.toFixed(2);
  const agreed = `you and the judge agree on ${Math.round(observed * n)} of ${n}`;
  return `${done} · ${agreed} · Cohen's kappa ${coefficient}`;
}

/** @param {Place<DisagreementTraits, DisagreementQuestions>} place */
function render({ model, el }) {
  const blocked = model.get("blocked");
  const choices = model.get("choices");
  const line = statusLine();
  /** @type {ReviewedRow} */
  let row = { id: null };
  /** The drawing of the selected row, under way or done. @type {Promise<unknown>} */
  let drawn = Promise.resolve();
  /** The last action, under way or done. @type {Promise<unknown>} */
  let last = drawn;
  /** Actions under way. */
  let pending = 0;
  /** Numbers of the last row that was asked for, and of the last one that is shown. */
  let asked = 0;
  let answered = 0;

  // ------------------------------------------------------- fixed parts
  const table = rowTable(model, { label: "disagreements", lines: 7, onopen: () => card.focus() });
  /**
   * @param {string} key
   * @param {string} name
   * @param {string} title
   * @param {() => unknown} run
   * @param {boolean} [decides] whether it writes a decision
   */
  const button = (key, name, title, run, decides = true) =>
    h(
      "button",
      {
        "aria-keyshortcuts": key,
        title: `${title} (key ${key})`,
        onclick: () => run(),
        disabled: decides && Boolean(blocked),
      },
      h("kbd", {}, key),
      ` ${name}`,
    );
  const note = h("input", {
    type: "text",
    class: "lt-note",
    placeholder: "note: why you decide so",
    "aria-label": "note",
    title: "becomes the decision's reason (key n); Enter keeps it",
    disabled: Boolean(blocked),
  });
  const verdicts = choices.map(([name, words, effect], i) =>
    button(String(i + 1), words, `${name}: ${effect}`, () => decide(name)),
  );
  const buttons = [
    button("e", "edit label", "write the right label", () => edit()),
    button("s", "skip", "select the next row not reviewed", () => act("skip"), false),
    button("u", "undo", "take the last decision back", undo),
    button("n", "note", "write a note", () => note.focus()),
    button("k", "previous", "previous row", () => step(-1), false),
    button("j", "next", "next row", () => step(1), false),
    button("?", "keys", "show the keys", () => help(), false),
  ];
  const bulk = h(
    "button",
    {
      title: "accept the judge's verdict for all rows shown that are judged and not reviewed; asks first",
      disabled: Boolean(blocked),
      onclick: () => askBulk(),
    },
    "accept the judge's verdicts…",
  );
  const keys = h(
    "dl",
    { class: "lt-keys", hidden: true, "aria-label": "keys" },
    [
      ...choices.map(([name, , effect], i) => [String(i + 1), `${name}: ${effect}`]),
      ["e", "edit the label; Ctrl+Enter saves, Escape leaves"],
      ["s", "skip to the next row not reviewed"],
      ["u", "undo the last decision"],
      ["n", "write a note; Enter keeps it"],
      ["j / k", "next / previous row"],
      ["?", "show or hide this"],
    ].map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]),
  );
  const progress = h("div", { class: "lt-progress", role: "status", "aria-live": "polite" });
  const accept = (/** @type {number} */ count) => act("accept", { count }).then(rest);
  const dialog = bulkDialog(accept, () => bulk.focus());
  const editor = h("div", {});
  const card = h("div", { class: "lt-card", tabindex: "-1", role: "region", "aria-label": "sample" });
  const side = h("div", { class: "lt-weighed" });
  const title = `Disagreements, iteration ${model.get("iteration")}`;
  const root = frame(
    `disagreements of iteration ${model.get("iteration")}`,
    h("div", { class: "lt-row" }, h("strong", {}, title), progress),
    blocked ? h("div", { class: "lt-blocked", role: "note" }, blocked) : null,
    table.node,
    h("div", { class: "lt-row", role: "toolbar", "aria-label": "verdict" }, verdicts, buttons, bulk),
    h("div", { class: "lt-row" }, note),
    keys,
    dialog.node,
    line.node,
    editor,
    h("div", { class: "lt-desk-box" }, h("div", { class: "lt-desk" }, card, side)),
  );
  // So that a click on text inside puts the focus, and with it the keys, into the view.
  root.tabIndex = -1;
  el.append(root);

  // ----------------------------------------------------------- actions
  const rest = () => root.focus({ preventScroll: true });

  /**
   * Ask for something that changes the queue: one after the other, each when its row is drawn.
   * @template {keyof DisagreementQuestions} K
   * @param {K} type
   * @param {Parameters<DisagreementQuestions[K]>} values
   * @returns {Promise<ReturnType<DisagreementQuestions[K]> | null>} null after an error, which was shown
   */
  function act(type, ...values) {
    const next = last.then(async () => {
      try {
        const answer = await ask(model, type, ...values);
        if ("message" in answer && answer.message) line.say(answer.message);
        return answer;
      } catch (error) {
        line.say(reasonOf(error), true);
        return null;
      } finally {
        await drawn;
        pending -= 1;
      }
    });
    pending += 1;
    last = next;
    return next;
  }
  /** The row to decide on; null: nothing can be decided, or its row is still on its way to the page. */
  function shownRow() {
    const wait = pending > 0 || answered !== asked;
    if (blocked) line.say(blocked, true);
    else if (wait) line.say("The row was not shown yet: press again.");
    return blocked || wait || !row.id ? null : row;
  }
  /** @param {string} verdict */
  function decide(verdict) {
    const about = shownRow();
    if (!about) return;
    noting.now();
    act("decide", { id: about.id, verdict, note: note.value });
  }
  function undo() {
    if (blocked) line.say(blocked, true);
    else act("undo");
  }
  /** @param {number} by */
  function step(by) {
    last = last.then(() => {
      const count = model.get("count");
      if (count) put(model, { cursor: Math.max(0, Math.min(count - 1, model.get("cursor") + by)) });
    });
  }
  function help() {
    keys.hidden = !keys.hidden;
  }
  async function askBulk() {
    const answer = blocked ? null : await act("bulk");
    if (answer) dialog.open(answer);
  }

  // -------------------------------------------------------------- note
  const noting = keeper(() => {
    if (row.id) put(model, { notes: { ...model.get("notes"), [row.id]: note.value } });
  });
  note.addEventListener("input", noting.later);
  note.addEventListener("blur", noting.now);
  note.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    noting.now();
    rest();
    // The row stays, so the next key need not wait for this.
    if (event.key === "Enter" && !blocked && row.id) {
      ask(model, "note", { id: row.id, note: note.value }).then(
        (answer) => line.say(answer.message ?? ""),
        (error) => line.say(wordsOf(error), true),
      );
    }
  });

  // ------------------------------------------------------------- label
  /** @param {string} id @param {string | null} text null: no label is being edited */
  const draft = (id, text) => {
    const { [id]: _, ...others } = model.get("drafts");
    put(model, { drafts: text === null ? others : { ...others, [id]: text } });
  };
  function edit() {
    const about = shownRow();
    if (!about) return;
    if (!(about.id in model.get("drafts"))) draft(about.id, about.text);
    drawEditor(true);
  }
  /** @param {boolean} [focus] */
  function drawEditor(focus = false) {
    const { id } = row;
    const text = id === null ? undefined : model.get("drafts")[id];
    if (id === null || text === undefined || blocked) return editor.replaceChildren();
    const opened = labelEditor(text, {
      typed: (label) => draft(id, label),
      save: (label) => saveLabel(id, label),
      leave: () => {
        draft(id, null);
        drawEditor();
        rest();
      },
    });
    editor.replaceChildren(opened.node);
    if (focus) opened.focus();
    return undefined;
  }
  /** @param {string} id @param {string} text */
  async function saveLabel(id, text) {
    if (shownRow()?.id !== id) return "";
    noting.now();
    pending += 1;
    try {
      const answer = await ask(model, "label", { id, text, note: note.value });
      line.say(answer.message ?? "");
      await drawn;
      rest();
      return "";
    } catch (error) {
      return `Not saved: ${reasonOf(error)}`;
    } finally {
      pending -= 1;
    }
  }

  // ----------------------------------------------------------- drawing
  /** @param {ReviewedRow} selected */
  function show(selected) {
    const focused = [card, side, editor].some((part) => part.contains(document.activeElement));
    noting.now(); // what was typed meanwhile belongs to the row that was shown
    const same = row.id === selected.id;
    row = selected;
    if (row.id !== null) {
      card.replaceChildren(sampleCard(row.detail));
      side.replaceChildren(judgement(row.detail.verdict));
      if (row.decision) side.prepend(decisionNote(row.decision));
    } else {
      card.replaceChildren("No row passes the filter.");
      side.replaceChildren();
    }
    card.scrollTop = side.scrollTop = 0;
    card.dataset.row = row.id ?? "";
    const decision = row.id === null ? null : row.decision;
    const drafted = row.id !== null && row.id in model.get("drafts");
    note.value = (row.id === null ? null : model.get("notes")[row.id]) ?? decision?.reason ?? "";
    choices.forEach(([name], i) =>
      verdicts[i]?.setAttribute("aria-pressed", String(decision?.verdict === name)),
    );
    if (!same || !drafted || !editor.firstChild) drawEditor();
    if (focused && !root.contains(document.activeElement)) rest();
  }
  function draw() {
    const mine = ++asked;
    // The cursor goes along: the page's own change of it may not have reached Python yet.
    drawn = ask(model, "detail", { at: model.get("cursor") })
      .then((selected) => {
        if (mine !== asked) return;
        answered = mine;
        show(selected);
      })
      .catch((error) => {
        answered = mine;
        line.say(wordsOf(error), true);
      });
  }
  const stops = [
    follow(model, ["version", "cursor"], draw),
    follow(model, ["progress"], () => {
      progress.textContent = progressWords(model.get("progress"));
    }),
  ];
  onKeys(root, {
    ...Object.fromEntries(choices.map(([name], i) => [String(i + 1), () => decide(name)])),
    e: edit,
    s: () => act("skip"),
    u: undo,
    n: () => !blocked && note.focus(),
    j: () => step(1),
    k: () => step(-1),
    "?": help,
  });
  return () => {
    stops.forEach((stop) => stop());
    table.stop();
  };
}

export default { render };
