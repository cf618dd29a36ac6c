// DisagreementView: the queue, the selected sample beside what the judge weighed, and a verdict by one key.

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
      ? ` ${rest.toLocaleString()} without a verdict that can be accepted, or with a label in the form, stay.`
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
 * What the buttons and the keys of the desk do.
 * @typedef {object} DeskActions
 * @property {(verdict: string) => unknown} decide
 * @property {(by: number) => unknown} step
 * @property {() => unknown} edit
 * @property {() => unknown} skip
 * @property {() => unknown} undo
 * @property {() => unknown} note
 * @property {() => unknown} help
 * @property {() => unknown} escape
 * @property {() => unknown} bulk
 */

/**
 * The buttons of the desk, each with its key.
 * @param {DisagreementTraits["choices"]} choices
 * @param {boolean} blocked whether nothing can be decided
 * @param {DeskActions} on
 */
function deskButtons(choices, blocked, on) {
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
        disabled: decides && blocked,
      },
      h("kbd", {}, key),
      ` ${name}`,
    );
  const verdicts = choices.map(([name, words, effect], i) =>
    button(String(i + 1), words, `${name}: ${effect}`, () => on.decide(name)),
  );
  const others = [
    button("e", "edit label", "write the right label", on.edit),
    button("s", "skip", "select the next row not reviewed", on.skip, false),
    button("u", "undo", "take the last decision back", on.undo),
    button("n", "note", "write a note", on.note),
    button("k", "previous", "previous row", () => on.step(-1), false),
    button("j", "next", "next row", () => on.step(1), false),
    button("?", "keys", "show the keys", on.help, false),
  ];
  const bulkTitle =
    "accept the judge's verdict for all rows shown that are judged and not reviewed; asks first";
  const bulk = h("button", { onclick: () => on.bulk() }, "accept the judge's verdicts…");
  /** @param {boolean} blind */
  const allowBulk = (blind) => {
    bulk.disabled = blocked || blind;
    bulk.title = blind ? "not while you decide blind: it would tell the judge's verdicts" : bulkTitle;
  };
  return { verdicts, others, bulk, allowBulk };
}

/**
 * The keys of the desk.
 * @param {DisagreementTraits["choices"]} choices
 */
const keyList = (choices) =>
  keyOverlay([
    ...choices.map(
      ([name, , effect], i) => /** @type {[string, string]} */ ([String(i + 1), `${name}: ${effect}`]),
    ),
    ["e", "edit the label; Ctrl+Enter saves, Escape leaves, twice where it is changed"],
    ["s", "skip to the next row not reviewed"],
    ["u", "undo the last decision"],
    ["n", "write a note; Enter keeps it"],
    ["t", "tag the sample; Enter keeps the tags"],
    ["c / l", "copy the sample / a link to it"],
    ["j / k", "next / previous row"],
    ["✓1", "in the list: decided, and the key of the verdict"],
    ["?", "show or hide this; Escape hides it"],
  ]);

/**
 * What can be done with the shown row.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {() => ReviewedRow} current
 * @param {ReturnType<typeof deskQueue>} queue
 * @param {{
 *   note: ReturnType<typeof noteField>, keys: HTMLElement, say: Say, leave: () => void,
 *   unseen: () => boolean, editor: { keep: () => void, focus: () => void }
 * }} parts
 */
function deskActions(model, current, queue, { note, keys, say, leave, unseen, editor }) {
  const blocked = model.get("blocked");
  /** Presses since the last decision that were not taken, because nobody had seen the row yet. */
  let untaken = 0;
  const refuse = () => {
    untaken += 1;
    const presses = untaken === 1 ? "A press came" : `${untaken} presses came`;
    say(`${presses} before this row could be seen, and decided nothing: look, then press again.`);
    return null;
  };
  /**
   * Work on the row that is shown, once nothing is under way any more. A row only drawn again, because
   * a tag or another view changed the table, loses no key; a decision never falls on a row not seen yet.
   * @template T
   * @param {(row: Exclude<ReviewedRow, { id: null }>) => T} work
   */
  const onRow = async (work) => {
    if (blocked) say(blocked, true);
    const { id } = current();
    if (!blocked && id === null) say("No row is shown.");
    if (blocked || id === null) return null;
    while (queue.waiting()) await queue.settled();
    const row = current();
    if (row.id === id) return work(row);
    return refuse();
  };
  /** @param {string} verdict */
  const decide = (verdict) =>
    unseen() && !blocked
      ? refuse()
      : onRow(({ id }) => {
          untaken = 0;
          note.keep();
          editor.keep(); // Python decides nothing while a changed label is not saved
          queue.act("decide", { id, verdict, note: note.node.value });
        });
  /** @param {string} id @param {string} text */
  const saved = async (id, text) => {
    try {
      const answer = await ask(model, "label", { id, text, note: note.node.value });
      say(answer.message ?? "");
      await queue.drawn();
      leave();
      return "";
    } catch (error) {
      return `Not saved: ${reasonOf(error)}`;
    }
  };
  /** @param {string} id @param {string} text */
  const saveLabel = async (id, text) => {
    const save = (/** @type {ReviewedRow} */ row) => {
      if (row.id !== id) return "";
      note.keep();
      return queue.during(() => saved(id, text));
    };
    return (await onRow(save)) ?? "";
  };
  const undo = () => {
    if (blocked) say(blocked, true);
    else queue.act("undo");
  };
  const help = () => {
    keys.hidden = !keys.hidden;
    if (keys.hidden) leave();
    else keys.focus({ preventScroll: true });
  };
  const escape = () => {
    if (!keys.hidden) help();
    else editor.focus(); // where Escape leaves it
  };
  const skip = () => queue.act("skip");
  const writeNote = () => !blocked && note.node.focus();
  return {
    onRow,
    saveLabel,
    actions: { decide, undo, help, escape, skip, note: writeNote, step: queue.step },
  };
}

/**
 * The switch that hides the judge's verdict until a row is decided.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 */
function blindSwitch(model) {
  const kept = halfWritten(model, EVERYWHERE); // for all iterations
  const choose = () => {
    put(model, { blind: box.checked });
    kept.write("blind", "", box.checked ? "yes" : "");
  };
  // The page starts another kernel when it is loaded again, which knows nothing of it.
  if (onPage() && kept.read("blind", isText)[""]) put(model, { blind: true });
  /** @type {HTMLInputElement} */
  const box = h("input", { type: "checkbox", onchange: choose });
  const title =
    "hide the judge's verdict and its reasons until you have decided: only then is yours a second opinion";
  const node = h("label", { title }, box, " blind");
  const stop = follow(model, ["blind"], () => {
    box.checked = model.get("blind");
  });
  return { node, stop };
}

/**
 * The whole desk on one screen, which takes the keys of what is in it: list, sample and verdict side by side,
 * each scrolling by itself, with the buttons always in sight below them.
 * @param {Model<DisagreementTraits, DisagreementQuestions>} model
 * @param {object} parts
 * @param {HTMLElement[]} parts.head beside the title
 * @param {ReturnType<typeof rowTable>} parts.table
 * @param {HTMLElement} parts.editor
 * @param {ReturnType<typeof samplePanel>} parts.panel
 * @param {ReturnType<typeof deskButtons>} parts.buttons
 * @param {HTMLElement[]} parts.foot
 * @param {HTMLElement[]} parts.over what is laid over the desk when it is asked for
 */
function deskFrame(model, { head, table, editor, panel, buttons, foot, over }) {
  const blocked = model.get("blocked");
  const { verdicts, others, bulk } = buttons;
  const title = `Disagreements, iteration ${model.get("iteration")}`;
  const root = frame(
    `disagreements of iteration ${model.get("iteration")}`,
    h("div", { class: "lt-row" }, h("strong", {}, title), head),
    blocked ? h("div", { class: "lt-blocked", role: "note" }, blocked) : null,
    table.tools,
    h(
      "div",
      { class: "lt-desk" },
      table.grid,
      h("div", { class: "lt-middle" }, panel.asked, editor, panel.card),
      panel.side,
    ),
    h("div", { class: "lt-row", role: "toolbar", "aria-label": "verdict" }, verdicts, others, bulk),
    h("div", { class: "lt-row lt-foot" }, foot),
    over,
  );
  root.classList.add("lt-desk-view");
  // So that a click on text inside puts the focus, and with it the keys, into the view.
  root.tabIndex = -1;
  return root;
}

/**
 * @param {HTMLElement} root
 * @param {DisagreementTraits["choices"]} choices
 * @param {DeskActions} on
 */
const deskKeys = (root, choices, on) =>
  onKeys(root, {
    Escape: on.escape,
    ...Object.fromEntries(choices.map(([name], i) => [String(i + 1), () => on.decide(name)])),
    e: on.edit,
    s: on.skip,
    u: on.undo,
    n: on.note,
    j: () => on.step(1),
    k: () => on.step(-1),
    "?": on.help,
  });

/**
 * Mark the button of the verdict that was decided.
 * @param {ReturnType<typeof deskButtons>} buttons
 * @param {DisagreementTraits["choices"]} choices
 * @param {ReviewedRow} row
 */
function markDecided({ verdicts }, choices, row) {
  const verdict = row.id === null ? undefined : row.decision?.verdict;
  choices.forEach(([name], i) => verdicts[i]?.setAttribute("aria-pressed", String(verdict === name)));
}

/** @param {Place<DisagreementTraits, DisagreementQuestions>} place */
function render({ model, el }) {
  if (model.get("missing")) {
    el.append(nothingYet("disagreements", model.get("missing")));
    return () => {};
  }
  const blocked = model.get("blocked");
  const choices = model.get("choices");
  const line = statusLine();
  /** @type {ReviewedRow} */
  let row = { id: null };
  let since = 0;
  const current = () => row;
  const unseen = () => row.id !== null && window.performance.now() - since < SEEN_AFTER;
  const rest = () => root.focus({ preventScroll: true });

  /** @param {ReviewedRow} selected */
  const show = (selected) => {
    const focused = [panel.card, panel.side, label.node].some((part) =>
      part.contains(document.activeElement),
    );
    note.keep(); // what was typed meanwhile belongs to the row that was shown
    const same = row.id === selected.id;
    row = selected;
    if (!same) since = window.performance.now();
    if (panel.card.dataset.row === undefined) focusWhenOpened(root);
    panel.show(row);
    note.show(row);
    markDecided(buttons, choices, row);
    if (!same || !label.isOpen()) label.draw();
    if (focused && !root.contains(document.activeElement)) rest();
  };
  const queue = deskQueue(model, line.say, show);
  const note = noteField(model, current, line.say, rest);
  const keys = keyList(choices);
  const editor = { keep: () => label.keep(), focus: () => label.focus() };
  const parts = { note, keys, say: line.say, leave: rest, unseen, editor };
  const desk = deskActions(model, current, queue, parts);
  const label = labelDesk(model, current, desk.saveLabel, rest);
  const edit = () => desk.onRow(label.edit);
  const bulk = async () => {
    label.keep(); // a row whose label is changed in the form is not accepted
    const answer = blocked ? null : await queue.act("bulk");
    if (answer) dialog.open(answer);
  };
  /** @type {DeskActions} */
  const on = { ...desk.actions, edit, bulk };
  const buttons = deskButtons(choices, Boolean(blocked), on);
  const accept = (/** @type {number} */ count) => queue.act("accept", { count }).then(rest);
  const dialog = bulkDialog(accept, () => buttons.bulk.focus());
  const panel = samplePanel();
  const blind = blindSwitch(model); // before the rows, which it hides a part of
  const onopen = () => panel.card.focus();
  const table = rowTable(model, { label: "disagreements", lines: 0, onopen, roomy: ["decided"] });
  const progress = h("div", { class: "lt-progress", role: "status", "aria-live": "polite" });
  const menu = selectionMenu(model, line.say, rest);
  const [head, foot, over] = [
    [progress, blind.node, menu.node],
    [note.node, menu.tags, line.node],
    [keys, dialog.node],
  ];
  const root = deskFrame(model, { head, table, editor: label.node, panel, buttons, foot, over });
  el.append(root);
  const kept = halfWritten(model);
  const texts = { drafts: kept.read("drafts", isText), notes: kept.read("notes", isText) };
  const restore = () => ask(model, "restore", texts).finally(queue.draw);
  deskKeys(root, choices, on);
  onKeys(root, menu.keys);
  const stops = [
    follow(model, ["version", "cursor"], queue.draw),
    follow(model, ["progress"], () => {
      showProgress(progress, model.get("progress"));
    }),
    table.stop,
    menu.stop,
    blind.stop,
    follow(model, ["blind"], () => buttons.allowBulk(model.get("blind"))),
    kept.keep(texts, restore, line.say),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
