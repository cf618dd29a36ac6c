// ExpansionView: error seeds on the left, on the right the seed and its children with what stayed and what changed.

const KEYS = "j k: next, previous child · J K: next, previous seed · a: accept · r: reject · e: edit · "
  + "u: take the decision on this child back · ?: this help";

const BUTTONS = [["accept", "this child joins the next dataset"], ["reject", "this child stays out of the next dataset"],
  ["edit", "write another request or label for this child"], ["undo", "take the decision on this child back"]];

const MARKS = { "=": "span", "-": "del", "+": "ins" };

/** A text with what went struck through and what came marked; screen readers hear `del` and `ins`. */
const diffOf = (pieces) => (pieces.map(([op]) => op).join("") === "-+" ? bothOf(pieces[0][1], pieces[1][1])
  : h("div", { class: "lt-text lt-diff" }, pieces.map(([op, text], at) => {
    const words = text.trimStart();
    return [text.slice(0, text.length - words.length) || (at ? " " : ""), h(MARKS[op] ?? "span", {}, words)];
  })));

/** Two texts with little in common, one above the other. */
const bothOf = (before, after) => h("div", { class: "lt-text lt-diff" },
  h("div", {}, h("span", { class: "lt-role" }, "seed "), h("span", { class: "lt-was" }, before.trim())),
  h("div", {}, h("span", { class: "lt-role" }, "child "), h("span", {}, after.trim())));

/** How many calls and arguments of a child's label are as in the seed's, in words. */
function stayed(calls) {
  const rows = calls.flatMap((p) => p.rows);
  const same = rows.filter(([, , , how]) => how === "same").length;
  const tools = calls.filter((p) => p.label === p.prediction).length;
  return `tool${calls.length > 1 ? "s" : ""}: ${tools} of ${calls.length} as in the seed; arguments: ${same} of ${rows.length}`;
}

function render({ model, el }) {
  const line = statusLine();
  const blocked = () => model.get("blocked");
  let shown = { id: null, children: [] };
  let novelty = [];
  let loaded = Promise.resolve();
  // A card under a mouse button that is down must not move or be drawn anew: the click would be lost.
  let quiet = false, pressed = false, late = false;

  const here = () => Math.max(0, shown.children.findIndex((c) => c.id === model.get("child")));
  const current = () => shown.children[here()];
  // A key that follows another closely waits until what it is about is shown.
  const soon = (act) => { const now = loaded; return now.then(() => (now === loaded ? act() : soon(act))); };
  const go = (by) => {
    const card = shown.children[here() + by];
    const { act } = cards.contains(document.activeElement) ? document.activeElement.dataset : {};
    if (card) put(model, { child: card.id });
    if (card && act) cards.querySelector(`[aria-current='true'] [data-act='${act}']`)?.focus({ preventScroll: true });
  };
  /** Make a card current where it stands, without scrolling to it. */
  const choose = (card) => { quiet = true; put(model, { child: card.id }); quiet = false; };
  const seed = (by) => put(model, { cursor: Math.max(0, Math.min(model.get("count") - 1, model.get("cursor") + by)) });
  const tell = (promise) => promise.then((a) => line.say(a.said), (e) => line.say(e.message, true));

  // What the keys do to the current card and the buttons to their own.
  const acts = {
    accept: (card) => tell(ask(model, "decide", { id: card.id, value: "accept" })),
    reject: (card) => tell(ask(model, "decide", { id: card.id, value: "reject" })),
    undo: (card) => tell(ask(model, "undo", { id: card.id })),
    edit: (card) => { put(model, { editing: card.id }); panel.querySelector("textarea")?.focus(); },
  };
  function act(name, card = current()) {
    if (!card) return line.say("This seed has no children.");
    if (blocked()) return line.say(blocked(), true);
    return acts[name](card);
  }
  function close() {
    const { [model.get("editing")]: _, ...drafts } = model.get("drafts");
    put(model, { editing: "", drafts });
    panel.focus({ preventScroll: true });
  }

  const help = h("div", { class: "lt-small", hidden: true }, KEYS);
  const table = rowTable(model, { label: "error seeds", lines: 20, onopen: () => panel.focus({ preventScroll: true }) });
  const top = h("div");
  const cards = h("div", { class: "lt-children" });
  const panel = h("div", { class: "lt-panel", role: "group", tabindex: "0", "aria-label": "the seed and its children" }, top, cards);
  const root = frame("expansion of error seeds",
    h("div", { class: "lt-row" },
      h("strong", {}, `Iteration ${model.get("iteration")}: error seeds and their children`),
      h("button", { title: "the keys of this view (?)", "aria-label": "keys", onclick: () => { help.hidden = !help.hidden; } }, "?"),
      blocked() ? h("span", { class: "lt-small" }, blocked()) : null),
    help, h("div", { class: "lt-expansion" }, table.node, panel), line.node);
  onKeys(root, {
    j: () => soon(() => go(1)), k: () => soon(() => go(-1)), J: () => seed(1), K: () => seed(-1),
    a: () => soon(() => act("accept")), r: () => soon(() => act("reject")), e: () => soon(() => act("edit")), u: () => soon(() => act("undo")),
    "?": () => { help.hidden = !help.hidden; }, Escape: () => { if (model.get("editing")) close(); },
  });
  el.append(root);

  function editor(card) {
    const draft = model.get("drafts")[card.id] ?? card.text;
    const request = h("textarea", { rows: 3, "aria-label": "request: the last user message", value: draft.request,
      title: "what the user says last" });
    const label = h("textarea", { rows: Math.min(14, draft.label.split("\n").length + 1), spellcheck: "false", value: draft.label,
      "aria-label": "label: calls as JSON, or the plain reply", title: "a JSON list of calls, or a plain reply" });
    let wait;
    const keep = () => put(model, { drafts: { ...model.get("drafts"), [card.id]: { request: request.value, label: label.value } } });
    const typed = () => { clearTimeout(wait); wait = setTimeout(keep, 250); };
    const save = () => { clearTimeout(wait); tell(ask(model, "edit", { id: card.id, request: request.value, label: label.value }).then((a) => {
      panel.focus({ preventScroll: true });
      return a;
    })); };
    const form = h("form", { class: "lt-editor", "aria-label": "edit this child", onsubmit: (e) => { e.preventDefault(); save(); }, oninput: typed },
      h("label", {}, "request (the last user message)", request), h("label", {}, "label (calls as JSON, or the plain reply)", label),
      h("div", { class: "lt-row" }, h("button", { type: "submit", title: "check and record (Ctrl+Enter)" }, "record the edit"),
        h("button", { type: "button", title: "leave the child as it was (Esc)", onclick: () => { clearTimeout(wait); close(); } }, "cancel")));
    form.addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); e.stopPropagation(); save(); } });
    return form;
  }

  function childCard(card, at) {
    const n = novelty[at];
    const failed = card.checks.filter(([, passed]) => !passed);
    const [gone, came] = card.tools;
    const whole = h("details", { ontoggle: (e) => {
      if (e.target.open && e.target.children.length === 1) {
        ask(model, "sample", { id: card.id }).then((a) => e.target.append(sampleCard(a.detail)), (error) => line.say(error.message, true));
      }
    } }, h("summary", {}, `the whole sample (${card.turns} turn${card.turns > 1 ? "s" : ""} before the answer)`));
    const node = h("article", { class: "lt-child", "data-at": at, "data-state": card.state.name, "aria-label": `child ${at + 1} of ${shown.children.length}, ${card.state.words}` },
      h("div", { class: "lt-row" },
        h("strong", { class: "lt-state", title: card.state.time ?? "not decided by a person" }, card.state.words),
        h("span", { class: "lt-small", title: "the strategy that wrote it" }, card.strategy),
        h("span", { class: "lt-small lt-novelty", title: n ? (n[1] ? `most like ${n[1]}: ${n[2]}` : "shares no three words in a row with any row") : "1 - similarity to the most similar row of the dataset" },
          n ? `novelty ${n[0].toFixed(2)}` : "novelty …"),
        h("code", { class: "lt-small" }, card.id)),
      diffOf(card.request),
      card.calls.length ? h("div", { class: "lt-small" }, stayed(card.calls)) : null,
      card.calls.map((p) => pairTable(p, "seed", "child")),
      card.reply ? h("div", {}, h("span", { class: "lt-small" }, "reply"), diffOf(card.reply)) : null,
      gone.length || came.length ? h("div", { class: "lt-small" }, [gone.length ? `no longer on offer: ${gone.join(", ")}` : "", came.length ? `new on offer: ${came.join(", ")}` : ""].filter(Boolean).join(" · ")) : null,
      h("ul", { class: "lt-checks", "aria-label": "checks" }, card.checks.map(([name, passed, words]) =>
        h("li", { class: passed ? "lt-passed" : "lt-fail", title: words || (passed ? "passed" : "failed") }, `${passed ? "✓" : "✗"} ${name}`))),
      failed.filter(([, , words]) => words).map(([name, , words]) => h("div", { class: "lt-small lt-fail" }, `${name}: ${name === "novelty" ? "repeats " : ""}${words}`)),
      whole,
      model.get("editing") === card.id ? editor(card) : null,
      h("div", { class: "lt-row" }, BUTTONS.map(([name, title]) =>
        h("button", { title, "data-act": name, disabled: Boolean(blocked()), tabindex: at === here() ? "0" : "-1",
          onclick: () => { choose(card); act(name, card); } }, `${name} (${name[0]})`))));
    node.addEventListener("mousedown", () => { if (here() !== at) choose(card); });
    return node;
  }

  // What is drawn anew loses the focus: the same button or the panel keeps it, so that the keys go on working.
  function keepFocus(redraw) {
    const before = document.activeElement;
    const inside = panel.contains(before) && before !== panel;
    const at = before?.closest(".lt-child")?.dataset.at;
    redraw();
    if (!inside || panel.contains(document.activeElement)) return;
    const same = before.dataset.act && cards.querySelector(`[data-at='${at}'] [data-act='${before.dataset.act}']`);
    (panel.querySelector("textarea") ?? (same || panel)).focus({ preventScroll: true });
  }

  function mark(scroll) {
    for (const node of cards.children) {
      const is = Number(node.dataset.at) === here() && shown.children.length > 0;
      node.setAttribute("aria-current", String(is));
      for (const button of node.querySelectorAll(":scope > .lt-row > button")) button.tabIndex = is ? 0 : -1;
      if (is && scroll) panel.scrollTop = Math.max(0, node.offsetTop - 40);
    }
    const at = `Now at child ${here() + 1} of ${shown.children.length}, which stands as`;
    if (scroll && current()) line.say(`${at} ${current().state.words}.`);
  }

  // Cards that stayed as they are stay where they are, with what is unfolded in them.
  const drawCards = () => {
    late = pressed;
    if (pressed) return;
    keepFocus(() => {
      const all = [shown.id, shown.children.length];
      const keys = shown.children.map((card) => JSON.stringify([all, card, model.get("editing") === card.id]));
      const old = [...cards.children];
      const fresh = shown.children.map((card, at) => {
        if (old[at]?.key === keys[at]) return old[at];
        return Object.assign(childCard(card, at), { key: keys[at] });
      });
      if (!fresh.length) cards.replaceChildren(h("p", { class: "lt-small" }, "No candidates were made of this seed."));
      else if (fresh.length !== old.length) cards.replaceChildren(...fresh);
      else fresh.forEach((node, at) => { if (node !== old[at]) old[at].replaceWith(node); });
      mark(false);
    });
  };
  const press = () => { pressed = true; };
  // The click comes between letting go and what is timed.
  const release = (e) => {
    if (e.type === "blur" && e.target !== window) return; // an element's: pressing a button takes the focus from another
    pressed = false;
    setTimeout(() => { if (late) drawCards(); });
  };
  cards.addEventListener("pointerdown", press);
  for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, release, true);

  let seedKey;
  function drawSeed() {
    const { children: _, ...above } = shown;
    if (seedKey === JSON.stringify(above)) return;
    seedKey = JSON.stringify(above);
    const d = shown.detail;
    top.replaceChildren(...(shown.id === null ? [h("p", {}, "No error seeds to show.")] : [
      h("h4", {}, `seed: ${shown.pattern || "no fault recorded"}`),
      shown.standing ? "" : h("div", { class: "lt-small lt-fail" }, "Its verdict was changed: it is no error seed any more, and none of its children joins the dataset."),
      h("div", { class: "lt-text" }, h("span", { class: "lt-role" }, "request "), d.messages.filter((m) => m.role === "user").at(-1)?.content ?? ""),
      h("div", { class: "lt-small" }, `${d.verdict.name} by ${d.verdict.judge}${shown.relabelled ? ": the label was wrong, what is shown is the new one" : ""}. ${d.verdict.rationale}`),
      h("details", {}, h("summary", {}, "the whole seed: dialogue, tools, label against prediction"), sampleCard(d))]));
  }

  function askNovelty(mine) {
    ask(model, "novelty", { seed: shown.id }).then((a) => {
      if (mine !== loaded) return;
      if (a.left) return askNovelty(mine);
      novelty = a.rows;
      cards.querySelectorAll(":scope > article").forEach((node, at) => {
        if (!shown.children[at]) return; // a redraw is waiting until the pointer is up
        const fresh = childCard(shown.children[at], at).querySelector(".lt-novelty");
        node.querySelector(".lt-novelty").replaceWith(fresh);
      });
      root.dataset.novelty = "ready";
    }, (error) => line.say(error.message, true));
  }

  function load() {
    // With its place: a question may overtake a trait that is on its way.
    const mine = ask(model, "seed", { place: model.get("cursor") }).then((a) => {
      if (mine !== loaded) return;
      const other = a.id !== shown.id;
      if (other) { novelty = []; panel.scrollTop = 0; }
      shown = a;
      root.dataset.novelty = "";
      drawSeed();
      drawCards();
      if (other && here() > 0) mark(true);
      if (shown.children.length) askNovelty(mine);
    }, (error) => line.say(error.message, true));
    loaded = mine;
  }

  const stops = [
    follow(model, ["cursor", "version"], load),
    follow(model, ["child"], () => mark(!quiet && shown.id !== null)),
    follow(model, ["editing"], drawCards),
  ];
  return () => {
    stops.forEach((stop) => stop());
    table.stop();
    for (const name of ["pointerup", "pointercancel", "blur"]) window.removeEventListener(name, release, true);
  };
}

export default { render };
