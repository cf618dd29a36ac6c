// The review desk: the queue, the selected sample beside what the judge weighed, and a verdict by one key.

const VERDICTS = [
  ["PRED_WRONG", "prediction wrong", "the label stands, the sample is an error seed"],
  ["LABEL_WRONG", "label wrong", "the prediction takes the label's place"],
  ["BOTH_CORRECT", "both correct", "kept only at high perplexity"],
  ["BOTH_WRONG", "both wrong", "the sample is discarded"],
];

/** What the judge decided, why, who voted how, and every piece of evidence for either side. */
function judgement(v) {
  const bar = (value) => {
    const node = h("span", { class: "lt-share" }, value.toFixed(2));
    node.style.setProperty("--lt-share", `${Math.max(0, Math.min(1, value)) * 100}%`);
    return h("td", { class: "lt-number" }, node);
  };
  const votes = Object.entries(v.votes);
  return h("section", { class: "lt-judge", "aria-label": "what the judge weighed" },
    h("h4", {}, `judge${v.judge ? ` (${v.judge})` : ""}: `, h("span", { class: "lt-verdict", "data-verdict": v.name }, v.name), ` · confidence ${v.confidence.toFixed(2)}`),
    h("div", { class: "lt-text" }, v.rationale || "(no rationale)"),
    h("div", { class: "lt-small" }, votes.length ? `votes: ${votes.map(([name, n]) => `${name} ${n}`).join(", ")}` : "votes: none, one judge decided"),
    v.evidence.length
      ? h("table", { class: "lt-pair lt-evidence" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "evidence"), h("th", { scope: "col" }, "for label"), h("th", { scope: "col" }, "for prediction"))),
        h("tbody", {}, v.evidence.map(([name, label, prediction, words]) => [
          h("tr", {}, h("th", { scope: "row" }, name), bar(label), bar(prediction)),
          words ? h("tr", {}, h("td", { colspan: 3, class: "lt-small" }, words)) : null])))
      : h("div", { class: "lt-small" }, "no evidence on record"));
}

/** The decision in force on the row. */
const decided = (d) => d && h("div", { class: "lt-decided", role: "note" }, "decided: ", h("span", { class: "lt-verdict", "data-verdict": d.verdict }, d.verdict),
  h("span", { class: "lt-small" }, ` by ${d.author}, ${new Date(d.time).toLocaleString()}`), d.reason ? h("div", { class: "lt-text" }, d.reason) : null,
  d.label ? h("div", {}, h("span", { class: "lt-small" }, "label from now on:"), answerOf(d.label)) : null);

function render({ model, el }) {
  const blocked = model.get("blocked");
  const line = statusLine();
  let row = { id: null };
  let drawing = Promise.resolve();
  let last = drawing;
  let under = 0;
  let asked = 0;
  let answered = 0;

  // ------------------------------------------------------- fixed parts
  const table = rowTable(model, { label: "disagreements", lines: 7, onopen: () => card.focus() });
  const button = (key, name, title, run, decides = true) => h("button", { "aria-keyshortcuts": key, title: `${title} (key ${key})`, onclick: () => run(),
    disabled: decides && Boolean(blocked) }, h("kbd", {}, key), ` ${name}`);
  const note = h("input", { type: "text", class: "lt-note", placeholder: "note: why you decide so", "aria-label": "note",
    title: "becomes the decision's reason (key n); Enter keeps it", disabled: Boolean(blocked) });
  const verdicts = VERDICTS.map(([name, words, effect], i) => button(String(i + 1), words, `${name}: ${effect}`, () => decide(name)));
  const buttons = [
    button("e", "edit label", "write the right label", () => edit()),
    button("s", "skip", "go on to the next row not reviewed", () => act("skip"), false),
    button("u", "undo", "take the last decision back", undo),
    button("n", "note", "write a note", () => note.focus()),
    button("k", "previous", "previous row", () => step(-1), false),
    button("j", "next", "next row", () => step(1), false),
    button("?", "keys", "show the keys", () => help(), false),
  ];
  const bulk = h("button", { title: "accept the judge's verdict for all rows shown that are judged and not reviewed; asks first", disabled: Boolean(blocked),
    onclick: () => askBulk() }, "accept the judge's verdicts…");
  const keys = h("dl", { class: "lt-keys", hidden: true, "aria-label": "keys" },
    [...VERDICTS.map(([name, , effect], i) => [String(i + 1), `${name}: ${effect}`]),
      ["e", "edit the label; Ctrl+Enter saves, Escape leaves"], ["s", "skip to the next row not reviewed"], ["u", "undo the last decision"],
      ["n", "write a note; Enter keeps it"], ["j / k", "next / previous row"], ["?", "show or hide this"]]
      .map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]));
  const progress = h("div", { class: "lt-progress", role: "status", "aria-live": "polite" });
  const dialog = h("div", { class: "lt-dialog", role: "alertdialog", "aria-label": "accept the judge's verdicts", hidden: true });
  const editor = h("div", {});
  const card = h("div", { class: "lt-card", tabindex: "-1", role: "region", "aria-label": "sample" });
  const side = h("div", { class: "lt-weighed" });
  const root = frame(`disagreements of iteration ${model.get("iteration")}`,
    h("div", { class: "lt-row" }, h("strong", {}, `Disagreements, iteration ${model.get("iteration")}`), progress),
    blocked ? h("div", { class: "lt-blocked", role: "note" }, blocked) : null,
    table.node, h("div", { class: "lt-row", role: "toolbar", "aria-label": "verdict" }, verdicts, buttons, bulk), h("div", { class: "lt-row" }, note), keys, dialog,
    line.node, editor, h("div", { class: "lt-desk-box" }, h("div", { class: "lt-desk" }, card, side)));
  // So that a click on text inside puts the focus, and with it the keys, into the view.
  root.tabIndex = -1;
  el.append(root);

  // ----------------------------------------------------------- actions
  const rest = () => root.focus({ preventScroll: true });

  /** One after the other; what is said meanwhile waits. */
  function act(type, values = {}) {
    const next = last.then(async () => {
      try {
        const answer = await ask(model, type, values);
        if (answer.said) line.say(answer.said);
        return answer;
      } catch (error) {
        line.say(error.message.replace(/^\w+: /, ""), true);
        return null;
      } finally {
        await drawing;
        under -= 1;
      }
    });
    under += 1;
    last = next;
    return next;
  }
  /** Whether a verdict may be given: not on a row that nobody has seen yet, because it is still on its way to the page. */
  function free() {
    const wait = under > 0 || answered !== asked;
    if (blocked) line.say(blocked, true);
    else if (wait) line.say("The row was not shown yet: press again.");
    return !blocked && !wait && Boolean(row.id);
  }
  function decide(verdict) {
    if (free()) { noting.now(); act("decide", { id: row.id, verdict, note: note.value }); }
  }
  function undo() {
    if (blocked) line.say(blocked, true);
    else act("undo");
  }
  function step(by) {
    last = last.then(() => {
      if (model.get("count")) put(model, { cursor: Math.max(0, Math.min(model.get("count") - 1, model.get("cursor") + by)) });
    });
  }
  function help() { keys.hidden = !keys.hidden; }

  // -------------------------------------------------------------- note
  /** Keep what is typed, a moment after the last key. */
  function keeper(keep) {
    let timer = null;
    const now = () => { if (timer !== null) { clearTimeout(timer); timer = null; keep(); } };
    return { now, later: () => { clearTimeout(timer); timer = setTimeout(now, 250); }, drop: () => { clearTimeout(timer); timer = null; } };
  }
  const noting = keeper(() => put(model, { notes: { ...model.get("notes"), [row.id]: note.value } }));
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
      ask(model, "note", { id: row.id, note: note.value }).then((answer) => line.say(answer.said), (error) => line.say(error.message, true));
    }
  });

  // ------------------------------------------------------------- label
  const draft = (text) => {
    const { [row.id]: _, ...others } = model.get("drafts");
    put(model, { drafts: text === null ? others : { ...others, [row.id]: text } });
  };
  function edit() {
    if (!free()) return;
    if (!(row.id in model.get("drafts"))) draft(row.text);
    drawEditor(true);
  }
  function drawEditor(focus = false) {
    const text = model.get("drafts")[row.id];
    if (text === undefined || blocked) return editor.replaceChildren();
    const area = h("textarea", { rows: Math.min(16, Math.max(4, text.split("\n").length + 1)), "aria-label": "label", spellcheck: "false", value: text,
      title: "a JSON list of calls, or a plain reply" });
    const fault = h("div", { class: "lt-status lt-bad", role: "alert" });
    const keeping = keeper(() => draft(area.value));
    const save = async () => {
      if (!free()) return;
      keeping.drop();
      noting.now();
      draft(area.value);
      under += 1;
      try {
        const answer = await ask(model, "label", { id: row.id, text: area.value, note: note.value });
        line.say(answer.said);
        await drawing;
        rest();
      } catch (error) {
        fault.textContent = plain(`Not saved: ${error.message.replace(/^\w+: /, "")}`);
      } finally { under -= 1; }
    };
    const leave = () => { keeping.drop(); draft(null); drawEditor(); rest(); };
    area.addEventListener("input", keeping.later);
    area.addEventListener("blur", keeping.now);
    area.addEventListener("keydown", (event) => {
      const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey);
      if (!saves && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      if (saves) save();
      else leave();
    });
    editor.replaceChildren(h("div", { class: "lt-editor" },
      h("div", { class: "lt-small" }, "The right label: a JSON list of calls [{\"name\": …, \"arguments\": {…}}], or a plain reply as it should be said."), area, fault,
      h("div", { class: "lt-row" }, h("button", { onclick: save, title: "save as LABEL_WRONG with this label (Ctrl+Enter)" }, "save label"),
        h("button", { onclick: leave, title: "leave the label as it was (Escape)" }, "cancel"))));
    if (focus) { area.focus(); area.setSelectionRange(0, 0); }
  }

  // -------------------------------------------------------------- bulk
  async function askBulk() {
    if (blocked) return;
    const found = await act("bulk");
    if (!found) return;
    const close = () => { dialog.hidden = true; dialog.replaceChildren(); bulk.focus(); };
    const what = Object.entries(found.of).map(([name, n]) => `${name} ${n.toLocaleString()}`).join(", ");
    const cancel = h("button", { title: "decide nothing (Escape)", onclick: close }, "cancel");
    const left = found.rest ? ` ${found.rest.toLocaleString()} without a verdict that can be accepted stay as they are.` : "";
    dialog.replaceChildren(
      h("div", {}, found.count ? `Accept the judge's verdict for the ${found.count.toLocaleString()} rows in this filter that are not reviewed? (${what})${left} Undo takes them back together.`
        : `No row in this filter is judged and not reviewed.${left}`),
      h("div", { class: "lt-row" }, found.count ? h("button", { title: "write these decisions down; undo takes them back together", onclick: async () => { close(); await act("accept", { count: found.count }); rest(); } },
        `accept ${found.count.toLocaleString()}`) : null, cancel));
    onKeys(dialog, { Escape: close });
    dialog.hidden = false;
    cancel.focus();
  }

  // ----------------------------------------------------------- drawing
  function draw() {
    const mine = ++asked;
    // The cursor goes along: the page's own change of it may not have reached Python yet.
    drawing = ask(model, "detail", { at: model.get("cursor") }).then((found) => {
      if (mine !== asked) return;
      const held = card.contains(document.activeElement) || side.contains(document.activeElement) || editor.contains(document.activeElement);
      noting.now(); // what was typed meanwhile belongs to the row that was shown
      const same = row.id === found.id;
      row = found;
      answered = mine;
      if (row.id) {
        card.replaceChildren(sampleCard(row.detail));
        side.replaceChildren(...[decided(row.decision), judgement(row.detail.verdict)].filter(Boolean));
      } else {
        card.replaceChildren("No row passes the filter.");
        side.replaceChildren();
      }
      card.scrollTop = side.scrollTop = 0;
      card.dataset.row = row.id ?? "";
      note.value = model.get("notes")[row.id] ?? row.decision?.reason ?? "";
      VERDICTS.forEach(([name], i) => verdicts[i].setAttribute("aria-pressed", String(row.decision?.verdict === name)));
      if (!same || !(row.id in model.get("drafts")) || !editor.firstChild) drawEditor();
      if (held && !root.contains(document.activeElement)) rest();
    }).catch((error) => { answered = mine; line.say(error.message, true); });
  }
  const stops = [
    follow(model, ["version", "cursor"], draw),
    follow(model, ["progress"], () => {
      const { reviewed, left, n, observed, kappa } = model.get("progress");
      const agreed = n ? ` · you and the judge agree on ${Math.round(observed * n)} of ${n} · Cohen's kappa ${kappa === null ? "undefined (only one verdict so far)" : kappa.toFixed(2)}` : "";
      progress.textContent = `reviewed ${reviewed.toLocaleString()} / left ${left.toLocaleString()}${agreed}`;
    }),
  ];
  onKeys(root, { ...Object.fromEntries(VERDICTS.map(([name], i) => [String(i + 1), () => decide(name)])), e: edit, s: () => act("skip"),
    u: undo, n: () => !blocked && note.focus(), j: () => step(1), k: () => step(-1), "?": help });
  return () => { stops.forEach((stop) => stop()); table.stop(); };
}

export default { render };
