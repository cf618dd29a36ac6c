// ExpansionView: error seeds on the left, on the right the seed and its children with what stayed and what
// changed.

/** @type {[key: string, words: string][]} */
const KEYS = [
  ["j / k", "next / previous child"],
  ["J / K", "next / previous seed"],
  ["a", "accept the child, then to the next one that is not decided"],
  ["r", "reject it, then to the next one"],
  ["e", "edit it; Ctrl+Enter records, Escape leaves, twice where it is changed"],
  ["u", "take the last decision back, and to its child"],
  ["?", "show or hide this; Escape hides it"],
];

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
  const whole = "the whole seed: dialogue, tools, label against prediction, what the judge weighed";
  return [
    h("h4", {}, `seed: ${seed.pattern || "no fault recorded"}`),
    ...(seed.standing ? [] : [h("div", { class: "lt-small lt-fail" }, overruled)]),
    h("span", { class: "lt-role" }, "request"),
    h("div", { class: "lt-text", dir: "auto" }, request),
    h(
      "div",
      { class: "lt-small" },
      `${d.verdict.name} by ${d.verdict.judge}${relabelled}. ${d.verdict.rationale}`,
    ),
    h("details", {}, h("summary", {}, whole), sampleCard(d), judgement(d.verdict)),
  ];
}

/**
 * The seed that is shown, and which of its children is the current one.
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 */
function seedState(model) {
  /** @type {SeedCard} */
  let shown = { id: null, children: [] };
  /** The seed that was asked for last, under way or shown. @type {Promise<void>} */
  let loaded = Promise.resolve();
  /** Whether a card is made current without scrolling to it. */
  let quiet = false;
  /** What is said when another card is made current; empty: its place. */
  let words = "";
  /** When a decision made another card current. */
  let since = -SEEN_AFTER;
  /** @returns {ChildCard[]} */
  const children = () => shown.children;
  const here = () =>
    Math.max(
      0,
      children().findIndex((c) => c.id === model.get("child")),
    );
  /**
   * A key that follows another one closely waits until its seed is shown.
   * @param {() => unknown} action
   * @returns {Promise<unknown>}
   */
  const soon = (action) => {
    const now = loaded;
    return now.then(() => (now === loaded ? action() : soon(action)));
  };
  return {
    shown: () => shown,
    children,
    here,
    current: () => children()[here()],
    soon,
    isQuiet: () => quiet,
    words: () => words,
    isUnseen: () => window.performance.now() - since < SEEN_AFTER,
    /** The next card that no person has decided on; after the last one come the first. @param {string} id */
    nextOpen: (id) => {
      const at = children().findIndex((c) => c.id === id);
      return [...children().slice(at + 1), ...children().slice(0, at)].find((c) => !c.state.decided);
    },
    /** Which of the seed's children a card is, and what became of it. @param {ChildCard} card */
    placeOf: (card) =>
      `child ${children().indexOf(card) + 1} of ${children().length}, which is ${card.state.words}`,
    /**
     * Make a card current that the person did not choose, and say this.
     * @param {ChildCard} card
     * @param {string} text
     */
    lead: (card, text) => {
      since = window.performance.now();
      words = text;
      put(model, { child: card.id });
      words = "";
    },
    /** Make a card current where it stands, without scrolling to it. @param {ChildCard} card */
    choose: (card) => {
      quiet = true;
      put(model, { child: card.id });
      quiet = false;
    },
    /** @param {SeedCard} answer */
    show: (answer) => {
      shown = answer;
    },
    /** @param {Promise<void>} loading */
    load: (loading) => {
      loaded = loading;
    },
    /** @param {Promise<void>} loading */
    isLast: (loading) => loading === loaded,
  };
}

/**
 * What the keys do to the current card, and the buttons to their own.
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 * @param {ReturnType<typeof seedState>} state
 * @param {HTMLElement} panel
 * @param {Say} say
 */
function childActs(model, state, panel, say) {
  /** @param {unknown} error */
  const failed = (error) => say(wordsOf(error), true);
  /** @param {Promise<Outcome>} outcome */
  const tell = (outcome) => outcome.then((answer) => say(answer.message ?? ""), failed);
  /** Let the focus go along with the current card. @param {() => void} move */
  const withFocus = (move) => {
    const focused = document.activeElement;
    const name = focused instanceof HTMLElement && panel.contains(focused) ? focused.dataset.act : undefined;
    move();
    if (name) focusOn(panel.querySelector(`[aria-current='true'] [data-act='${name}']`));
  };
  /** @param {ChildCard} card @param {string} words */
  const lead = (card, words) => {
    if (card.id === state.current()?.id) say(words);
    else withFocus(() => state.lead(card, words));
  };
  /** From a child that was decided on to the next one. @param {string} id @param {string} done */
  const goOn = (id, done) =>
    state.soon(() => {
      const next = state.nextOpen(id);
      if (next) lead(next, `${done} Now at ${state.placeOf(next)}.`);
      else say(`${done} All children of this seed are decided: J goes to the next seed.`);
    });
  const back = async () => {
    const { message = "", place, id } = await ask(model, "undo_last");
    if (typeof place === "number") put(model, { cursor: place });
    await state.soon(() => {
      const card = state.children().find((c) => c.id === id);
      if (card) lead(card, message);
      else say(message);
    });
  };
  /** @type {Record<Act, (card: ChildCard) => unknown>} */
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
  const act = (name, card = state.current()) => {
    const blocked = model.get("blocked");
    if (!card) say("This seed has no children.");
    else if (blocked) say(blocked, true);
    else acts[name](card);
  };
  /** Decide on the current card by a key. @param {"accept" | "reject"} value */
  const decide = async (value) => {
    const card = state.current();
    if (!card || model.get("blocked")) act(value);
    else if (state.isUnseen())
      say("A press came before this child could be seen, and decided nothing: look, then press it again.");
    else {
      const { message = "" } = await ask(model, "decide", { id: card.id, value });
      await goOn(card.id, message);
    }
  };
  const undo = () => {
    const blocked = model.get("blocked");
    return blocked ? say(blocked, true) : back();
  };
  /** Leave the editor and its draft. */
  const close = () => {
    const { [model.get("editing")]: _, ...drafts } = model.get("drafts");
    put(model, { editing: "", drafts });
    focusOn(panel);
  };
  /** What is changed there is dropped by a second thought alone. */
  const toForm = () => panel.querySelector("textarea")?.focus();
  return { act, decide, undo, close, toForm, goOn, withFocus, failed };
}

/**
 * A function that asks for the selected seed and shows it with its children.
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 * @param {ReturnType<typeof seedState>} state
 * @param {ReturnType<typeof childCards>} cards
 * @param {{ root: HTMLElement, panel: HTMLElement, top: HTMLElement }} parts
 * @param {(error: unknown) => void} failed
 */
function seedLoader(model, state, cards, { root, panel, top }, failed) {
  let seedSource = "";
  const drawSeed = () => {
    const { children: _, ...above } = state.shown();
    const source = JSON.stringify(above);
    if (seedSource === source) return;
    seedSource = source;
    top.replaceChildren(...seedHead(state.shown()));
  };
  /** @param {Promise<void>} mine the loading that the question belongs to */
  const askNovelty = (mine) => {
    const { id } = state.shown();
    if (id === null) return;
    ask(model, "novelty", { seed: id }).then((answer) => {
      if (!state.isLast(mine)) return;
      if (!answer.rows) {
        askNovelty(mine);
        return;
      }
      cards.showNovelty(answer.rows);
      root.dataset.novelty = "ready";
    }, failed);
  };
  return () => {
    // With its place: a question may overtake a trait that is on its way.
    const mine = ask(model, "seed", { place: model.get("cursor") }).then((answer) => {
      if (!state.isLast(mine)) return;
      const other = answer.id !== state.shown().id;
      if (other) {
        cards.forgetNovelty();
        panel.scrollTop = 0;
      }
      state.show(answer);
      if (root.dataset.novelty === undefined) focusWhenOpened(panel);
      root.dataset.novelty = "";
      drawSeed();
      cards.draw();
      if (other && state.here() > 0) cards.mark(true);
      if (state.children().length) askNovelty(mine);
    }, failed);
    state.load(mine);
  };
}

/**
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 * @param {HTMLElement} root
 * @param {ReturnType<typeof seedState>} state
 * @param {ReturnType<typeof childActs>} acts
 * @param {{ node: HTMLElement, toggle: () => void }} help
 */
function expansionKeys(model, root, state, { act, decide, undo, close, toForm, withFocus, failed }, help) {
  /** What the last key does, under way or done. @type {Promise<unknown>} */
  let last = Promise.resolve();
  /** Do this after what the keys before it do, on the seed that they led to. @param {() => unknown} action */
  const inTurn = (action) => {
    last = last.then(() => state.soon(action)).catch(failed);
  };
  /** @param {number} by */
  const go = (by) => {
    const card = state.children()[state.here() + by];
    if (card) withFocus(() => put(model, { child: card.id }));
  };
  /** @param {number} by */
  const seed = (by) => moveCursor(model, model.get("cursor") + by);
  onKeys(root, {
    j: () => inTurn(() => go(1)),
    k: () => inTurn(() => go(-1)),
    J: () => inTurn(() => seed(1)),
    K: () => inTurn(() => seed(-1)),
    a: () => inTurn(() => decide("accept")),
    r: () => inTurn(() => decide("reject")),
    e: () => inTurn(() => act("edit")),
    u: () => inTurn(undo),
    "?": help.toggle,
    Escape: () => {
      if (!help.node.hidden) help.toggle();
      else if (model.get("editing") in model.get("drafts")) toForm();
      else if (model.get("editing")) close();
    },
  });
}

/** @param {unknown} value @returns {value is Draft} */
const isDraft = (value) =>
  isObject(value) && isText(value.request) && isText(value.label) && Object.keys(value).length === 2;

/** @param {Place<ExpansionTraits, ExpansionQuestions>} place */
function render({ model, el }) {
  if (model.get("missing")) {
    el.append(nothingYet("expansion of error seeds", model.get("missing")));
    return () => {};
  }
  const line = statusLine();
  const blocked = model.get("blocked");
  const state = seedState(model);
  const top = h("div");
  const cards = h("div", { class: "lt-children" });
  const panel = h(
    "div",
    { class: "lt-panel", role: "group", tabindex: "0", "aria-label": "the seed and its children" },
    top,
    cards,
  );
  const acts = childActs(model, state, panel, line.say);
  const table = rowTable(model, { label: "error seeds", lines: 0, onopen: () => focusOn(panel) });
  const help = keyOverlay(KEYS);
  const toggleHelp = () => {
    help.hidden = !help.hidden;
    focusOn(help.hidden ? panel : help);
  };
  const title = `Iteration ${model.get("iteration")}: error seeds and their children`;
  const helpButton = { title: "the keys of this view (?)", "aria-label": "keys", onclick: toggleHelp };
  const root = frame(
    "expansion of error seeds",
    h(
      "div",
      { class: "lt-row" },
      h("strong", {}, title),
      h("button", helpButton, h("kbd", {}, "?"), " keys"),
      blocked ? h("span", { class: "lt-small" }, blocked) : null,
    ),
    help,
    h("div", { class: "lt-expansion lt-filled" }, table.node, panel),
    line.node,
  );
  expansionKeys(model, root, state, acts, { node: help, toggle: toggleHelp });
  el.append(root);
  const cardOf = cardMaker(model, state, panel, acts);
  const drawn = childCards(model, state, { panel, cards }, cardOf, line.say);
  const load = seedLoader(model, state, drawn, { root, panel, top }, acts.failed);
  const kept = halfWritten(model);
  const texts = { drafts: kept.read("drafts", isDraft) };
  const stops = [
    follow(model, ["cursor", "version"], load),
    follow(model, ["child"], () => drawn.mark(!state.isQuiet() && state.shown().id !== null)),
    follow(model, ["editing"], drawn.draw),
    drawn.stop,
    table.stop,
    kept.keep(texts, () => ask(model, "restore", texts), line.say),
  ];
  return () => stops.forEach((stop) => stop());
}

export default { render };
