// ExpansionView: error seeds on the left, on the right the seed and its children with what stayed and what
// changed.

const KEYS =
  "j k: next, previous child · J K: next, previous seed · a: accept · r: reject · e: edit · " +
  "u: take the decision on this child back · ?: this help";

/**
 * The seed above its children.
 * @param {SeedCard} seed
 * @returns {Node[]}
 */
function seedHead(seed) {
  if (seed.id === null) return [h("p", {}, "No error seeds to show.")];
  const d = seed.detail;
  const overruled =
    "Its verdict was changed: it is not an error seed any more, and none of its children joins the dataset.";
  const relabelled = seed.relabelled ? ": the label was wrong, what is shown is the new one" : "";
  const request = d.messages.filter((m) => m.role === "user").at(-1)?.content ?? "";
  const whole = "the whole seed: dialogue, tools, label against prediction";
  return [
    h("h4", {}, `seed: ${seed.pattern || "no fault recorded"}`),
    ...(seed.standing ? [] : [h("div", { class: "lt-small lt-fail" }, overruled)]),
    h("div", { class: "lt-text" }, h("span", { class: "lt-role" }, "request "), request),
    h(
      "div",
      { class: "lt-small" },
      `${d.verdict.name} by ${d.verdict.judge}${relabelled}. ${d.verdict.rationale}`,
    ),
    h("details", {}, h("summary", {}, whole), sampleCard(d)),
  ];
}

/**
 * Keep cards where they are while a mouse button is down: one that moves or is drawn again loses its click.
 * @param {HTMLElement} cards
 * @param {() => void} redraw called when a drawing was put off and the button is up
 */
function steadyWhilePressed(cards, redraw) {
  let pressed = false;
  let late = false;
  const press = () => {
    pressed = true;
  };
  /** @param {Event} event */
  const release = (event) => {
    // Pressing a button takes the focus from another element; only the window's own blur ends the press.
    if (event.type === "blur" && event.target !== window) return;
    pressed = false;
    // The click comes between the release and what is timed.
    setTimeout(() => {
      if (late) redraw();
    });
  };
  const events = ["pointerup", "pointercancel", "blur"];
  cards.addEventListener("pointerdown", press);
  for (const name of events) window.addEventListener(name, release, true);
  return {
    /** Whether a drawing has to wait; it is then done later. */
    putOff: () => {
      late = pressed;
      return late;
    },
    stop: () => events.forEach((name) => window.removeEventListener(name, release, true)),
  };
}

/** @param {Place<ExpansionTraits, ExpansionQuestions>} place */
function render({ model, el }) {
  const line = statusLine();
  const blocked = () => model.get("blocked");
  /** @type {SeedCard} */
  let shown = { id: null, children: [] };
  /** @type {Novelty[]} */
  let novelty = [];
  /** The seed that was asked for last, under way or shown. @type {Promise<void>} */
  let loaded = Promise.resolve();
  /** Whether a card is made current without scrolling to it. */
  let quiet = false;

  /** @returns {ChildCard[]} */
  const children = () => shown.children;
  const here = () =>
    Math.max(
      0,
      children().findIndex((c) => c.id === model.get("child")),
    );
  const current = () => children()[here()];
  /**
   * A key that follows another one closely waits until its seed is shown.
   * @param {() => unknown} action
   * @returns {Promise<unknown>}
   */
  const soon = (action) => {
    const now = loaded;
    return now.then(() => (now === loaded ? action() : soon(action)));
  };
  /** @param {number} by */
  const go = (by) => {
    const card = children()[here() + by];
    if (!card) return;
    const focused = document.activeElement;
    const name = focused instanceof HTMLElement && cards.contains(focused) ? focused.dataset.act : undefined;
    put(model, { child: card.id });
    if (name) focusOn(cards.querySelector(`[aria-current='true'] [data-act='${name}']`));
  };
  /** @param {Element | null} node */
  const focusOn = (node) => {
    if (node instanceof HTMLElement) node.focus({ preventScroll: true });
  };
  /** Make a card current where it stands, without scrolling to it. @param {ChildCard} card */
  const choose = (card) => {
    quiet = true;
    put(model, { child: card.id });
    quiet = false;
  };
  /** @param {number} by */
  const seed = (by) => {
    put(model, { cursor: Math.max(0, Math.min(model.get("count") - 1, model.get("cursor") + by)) });
  };
  /** @param {unknown} error */
  const failed = (error) => line.say(wordsOf(error), true);
  /** @param {Promise<Outcome>} outcome */
  const tell = (outcome) => outcome.then((answer) => line.say(answer.message ?? ""), failed);

  /**
   * What the keys do to the current card, and the buttons to their own.
   * @type {Record<Act, (card: ChildCard) => unknown>}
   */
  const acts = {
    accept: ({ id }) => tell(ask(model, "decide", { id, value: "accept" })),
    reject: ({ id }) => tell(ask(model, "decide", { id, value: "reject" })),
    undo: ({ id }) => tell(ask(model, "undo", { id })),
    edit: ({ id }) => {
      put(model, { editing: id });
      panel.querySelector("textarea")?.focus();
    },
  };
  /** @param {Act} name */
  function act(name, card = current()) {
    if (!card) line.say("This seed has no children.");
    else if (blocked()) line.say(blocked(), true);
    else acts[name](card);
  }
  function close() {
    const { [model.get("editing")]: _, ...drafts } = model.get("drafts");
    put(model, { editing: "", drafts });
    focusOn(panel);
  }

  const help = h("div", { class: "lt-small", hidden: true }, KEYS);
  const toggleHelp = () => {
    help.hidden = !help.hidden;
  };
  const table = rowTable(model, { label: "error seeds", lines: 20, onopen: () => focusOn(panel) });
  const top = h("div");
  const cards = h("div", { class: "lt-children" });
  const panel = h(
    "div",
    { class: "lt-panel", role: "group", tabindex: "0", "aria-label": "the seed and its children" },
    top,
    cards,
  );
  const title = `Iteration ${model.get("iteration")}: error seeds and their children`;
  const helpButton = { title: "the keys of this view (?)", "aria-label": "keys", onclick: toggleHelp };
  const root = frame(
    "expansion of error seeds",
    h(
      "div",
      { class: "lt-row" },
      h("strong", {}, title),
      h("button", helpButton, "?"),
      blocked() ? h("span", { class: "lt-small" }, blocked()) : null,
    ),
    help,
    h("div", { class: "lt-expansion" }, table.node, panel),
    line.node,
  );
  onKeys(root, {
    j: () => soon(() => go(1)),
    k: () => soon(() => go(-1)),
    J: () => seed(1),
    K: () => seed(-1),
    a: () => soon(() => act("accept")),
    r: () => soon(() => act("reject")),
    e: () => soon(() => act("edit")),
    u: () => soon(() => act("undo")),
    "?": toggleHelp,
    Escape: () => {
      if (model.get("editing")) close();
    },
  });
  el.append(root);

  /** @param {ChildCard} card */
  function editorOf({ id, text }) {
    return childEditor(model.get("drafts")[id] ?? text, {
      typed: (draft) => put(model, { drafts: { ...model.get("drafts"), [id]: draft } }),
      save: (draft) => {
        const saved = ask(model, "edit", { id, ...draft });
        tell(saved);
        saved.then(
          () => focusOn(panel),
          () => {},
        );
      },
      leave: close,
    });
  }

  /** @param {ChildCard} card @param {number} at */
  function cardOf(card, at) {
    const state = {
      at,
      of: children().length,
      current: at === here(),
      blocked: Boolean(blocked()),
      novelty: novelty[at],
      editor: model.get("editing") === card.id ? editorOf(card) : null,
    };
    const node = childCard(card, state, {
      press: (name) => {
        choose(card);
        act(name, card);
      },
      unfold: () =>
        ask(model, "sample", { id: card.id }).then(
          (answer) => answer.detail,
          (error) => {
            failed(error);
            return null;
          },
        ),
    });
    node.addEventListener("mousedown", () => {
      if (here() !== at) choose(card);
    });
    return node;
  }

  /**
   * Redraw cards and keep the focus: on the same button, else on the panel, so that the keys still work.
   * @param {() => void} redraw
   */
  function keepFocus(redraw) {
    const before = document.activeElement;
    const inside = panel.contains(before) && before !== panel;
    const card = before?.closest(".lt-child");
    const at = card instanceof HTMLElement ? card.dataset.at : undefined;
    const name = before instanceof HTMLElement ? before.dataset.act : undefined;
    redraw();
    if (!inside || panel.contains(document.activeElement)) return;
    const same = name ? cards.querySelector(`[data-at='${at}'] [data-act='${name}']`) : null;
    focusOn(panel.querySelector("textarea") ?? same ?? panel);
  }

  /** @param {boolean} scroll whether to scroll to the current card */
  function mark(scroll) {
    for (const node of /** @type {Iterable<HTMLElement>} */ (cards.children)) {
      const is = Number(node.dataset.at) === here() && children().length > 0;
      node.setAttribute("aria-current", String(is));
      const buttons = /** @type {NodeListOf<HTMLElement>} */ (
        node.querySelectorAll(":scope > .lt-row > button")
      );
      for (const button of buttons) button.tabIndex = is ? 0 : -1;
      if (is && scroll) panel.scrollTop = Math.max(0, node.offsetTop - 40);
    }
    const card = current();
    const place = `child ${here() + 1} of ${children().length}`;
    if (scroll && card) line.say(`Now at ${place}, which is ${card.state.words}.`);
  }

  /** What each card was drawn from. @type {WeakMap<Element, string>} */
  const sources = new WeakMap();
  // Cards that did not change stay as they are, with what is unfolded in them.
  const drawCards = () => {
    if (steady.putOff()) return;
    keepFocus(() => {
      const old = [...cards.children];
      const fresh = children().map((card, at) => {
        const editing = model.get("editing") === card.id;
        const source = JSON.stringify([shown.id, children().length, card, editing]);
        const before = old[at];
        if (before && sources.get(before) === source) return before;
        const node = cardOf(card, at);
        sources.set(node, source);
        return node;
      });
      const none = "No candidates were made of this seed.";
      if (!fresh.length) cards.replaceChildren(h("p", { class: "lt-small" }, none));
      else if (fresh.length !== old.length) cards.replaceChildren(...fresh);
      else fresh.forEach((node, at) => node !== old[at] && old[at]?.replaceWith(node));
      mark(false);
    });
  };
  const steady = steadyWhilePressed(cards, drawCards);

  let seedSource = "";
  function drawSeed() {
    const { children: _, ...above } = shown;
    const source = JSON.stringify(above);
    if (seedSource === source) return;
    seedSource = source;
    top.replaceChildren(...seedHead(shown));
  }

  /** @param {Promise<void>} mine the loading that the question belongs to */
  function askNovelty(mine) {
    if (shown.id === null) return;
    ask(model, "novelty", { seed: shown.id }).then((answer) => {
      if (mine !== loaded) return;
      if (!answer.rows) {
        askNovelty(mine);
        return;
      }
      novelty = answer.rows;
      cards.querySelectorAll(":scope > article").forEach((node, at) => {
        node.querySelector(".lt-novelty")?.replaceWith(noveltyNote(novelty[at]));
      });
      root.dataset.novelty = "ready";
    }, failed);
  }

  function load() {
    // With its place: a question may overtake a trait that is on its way.
    const mine = ask(model, "seed", { place: model.get("cursor") }).then((answer) => {
      if (mine !== loaded) return;
      const other = answer.id !== shown.id;
      if (other) {
        novelty = [];
        panel.scrollTop = 0;
      }
      shown = answer;
      root.dataset.novelty = "";
      drawSeed();
      drawCards();
      if (other && here() > 0) mark(true);
      if (children().length) askNovelty(mine);
    }, failed);
    loaded = mine;
  }

  const stops = [
    follow(model, ["cursor", "version"], load),
    follow(model, ["child"], () => mark(!quiet && shown.id !== null)),
    follow(model, ["editing"], drawCards),
    steady.stop,
    table.stop,
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
