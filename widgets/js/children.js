// The children of the shown seed: their cards, what can be done with them, and the focus while they change.

/** @param {Element | null} node */
function focusOn(node) {
  if (node instanceof HTMLElement) node.focus({ preventScroll: true });
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

/**
 * A function that makes the card of a child.
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 * @param {ReturnType<typeof seedState>} state
 * @param {HTMLElement} panel
 * @param {ReturnType<typeof childActs>} acts
 */
function cardMaker(model, state, panel, { act, close, goOn, failed }) {
  /** @param {ChildCard} card */
  const unfold = ({ id }) =>
    ask(model, "sample", { id }).then(
      (answer) => answer.detail,
      (error) => {
        failed(error);
        return null;
      },
    );
  /** @param {ChildCard} card */
  const editorOf = (card) => {
    const { id, text } = card;
    return childEditor(model.get("drafts")[id] ?? text, text, {
      unfold: () => unfold(card),
      check: (label, tools) => ask(model, "check", { text: label, tools }),
      typed: (draft) => put(model, { drafts: { ...model.get("drafts"), [id]: draft } }),
      save: (draft) => {
        const saved = ask(model, "edit", { id, ...draft });
        return saved.then(
          (outcome) => {
            // The draft may have been on its way to Python while that forgot it.
            const { [id]: _, ...drafts } = model.get("drafts");
            put(model, { drafts });
            focusOn(panel);
            goOn(id, outcome.message ?? "");
            return "";
          },
          (error) => `Not saved: ${wordsOf(error)}`,
        );
      },
      leave: close,
    });
  };
  /** @param {ChildCard} card @param {number} at @param {Novelty | undefined} novelty */
  const cardOf = (card, at, novelty) => {
    const facts = {
      at,
      of: state.children().length,
      current: at === state.here(),
      blocked: Boolean(model.get("blocked")),
      novelty,
      editor: model.get("editing") === card.id ? editorOf(card) : null,
    };
    const node = childCard(card, facts, {
      press: (name) => {
        state.choose(card);
        act(name, card);
      },
      unfold: () => unfold(card),
    });
    node.addEventListener("mousedown", () => {
      if (state.here() !== at) state.choose(card);
    });
    return node;
  };
  return cardOf;
}

/**
 * Redraw cards and keep the focus: on the same button, else on the panel, so that the keys still work.
 * @param {HTMLElement} panel
 * @param {HTMLElement} cards
 * @param {() => void} redraw
 */
function keepFocus(panel, cards, redraw) {
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

/**
 * The cards of the shown seed's children.
 * @param {Model<ExpansionTraits, ExpansionQuestions>} model
 * @param {ReturnType<typeof seedState>} state
 * @param {{ panel: HTMLElement, cards: HTMLElement }} parts
 * @param {(card: ChildCard, at: number, novelty: Novelty | undefined) => HTMLElement} cardOf
 * @param {Say} say
 */
function childCards(model, state, { panel, cards }, cardOf, say) {
  /** @type {Novelty[]} */
  let novelty = [];
  /** @param {boolean} scroll whether to scroll to the current card */
  const mark = (scroll) => {
    const count = state.children().length;
    for (const node of /** @type {Iterable<HTMLElement>} */ (cards.children)) {
      const is = Number(node.dataset.at) === state.here() && count > 0;
      node.setAttribute("aria-current", String(is));
      const buttons = /** @type {NodeListOf<HTMLElement>} */ (
        node.querySelectorAll(":scope > .lt-row > button")
      );
      for (const button of buttons) button.tabIndex = is ? 0 : -1;
      if (is && scroll) panel.scrollTop = Math.max(0, node.offsetTop - 40);
    }
    const card = state.current();
    if (scroll && card) say(state.words() || `Now at ${state.placeOf(card)}.`);
  };
  /** What each card was drawn from. @type {WeakMap<Element, string>} */
  const sources = new WeakMap();
  // Cards that did not change stay as they are, with what is unfolded in them.
  const redraw = () => {
    const old = [...cards.children];
    const fresh = state.children().map((card, at) => {
      const editing = model.get("editing") === card.id;
      const source = JSON.stringify([state.shown().id, state.children().length, card, editing]);
      const before = old[at];
      if (before && sources.get(before) === source) return before;
      const node = cardOf(card, at, novelty[at]);
      sources.set(node, source);
      return node;
    });
    const none =
      "No candidates were made of this seed: the strategies found no way to vary it, or it became an error" +
      " seed by a decision that is newer than the expansion.";
    if (!fresh.length) cards.replaceChildren(h("p", { class: "lt-small" }, none));
    else if (fresh.length !== old.length) cards.replaceChildren(...fresh);
    else fresh.forEach((node, at) => node !== old[at] && old[at]?.replaceWith(node));
    mark(false);
  };
  const draw = () => {
    if (!steady.putOff()) keepFocus(panel, cards, redraw);
  };
  const steady = steadyWhilePressed(cards, draw);
  /** @param {Novelty[]} rows */
  const showNovelty = (rows) => {
    novelty = rows;
    cards.querySelectorAll(":scope > article").forEach((node, at) => {
      node.querySelector(".lt-novelty")?.replaceWith(noveltyNote(novelty[at]));
    });
  };
  const forgetNovelty = () => {
    novelty = [];
  };
  return { draw, mark, showNovelty, forgetNovelty, stop: steady.stop };
}
