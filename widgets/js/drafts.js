// What is half written stays in this tab of the browser (sessionStorage): a page that is loaded again, with
// another kernel, brings it back. As text only; what is read is checked, for others may have written it.

/** @typedef {Record<string, unknown>} Texts text by row */

/** What this tab has stored, if it may. @returns {Record<string, string>} */
function tabStorage() {
  try {
    return { ...window.sessionStorage };
  } catch {
    return {};
  }
}

/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === "string";

/** Where what belongs to no single view is kept. */
const EVERYWHERE = "every view";

/**
 * What is half written in one view of one run.
 * @param {unknown} view the view's model
 * @param {string} [where] another place to keep it
 */
function halfWritten(view, where) {
  const model = /** @type {Model<{ kept_at: string } & Record<string, Texts>, {}>} */ (view);
  const place = where ?? model.get("kept_at");
  const key = (/** @type {string} */ field, /** @type {string} */ row) =>
    JSON.stringify(["looptool half written", place, field, row]);
  /** @param {string} field @param {string} row @param {unknown} [value] empty: forget it */
  const write = (field, row, value = "") => {
    try {
      if (value === "") window.sessionStorage.removeItem(key(field, row));
      else window.sessionStorage.setItem(key(field, row), JSON.stringify(value));
    } catch {
      // No room, or not allowed here: the view itself still holds the text.
    }
  };
  /**
   * The texts of a field, by row.
   * @template T
   * @param {string} field
   * @param {(value: unknown) => value is T} fits
   */
  const read = (field, fits) => {
    /** @type {Record<string, T>} */
    const found = {};
    const start = key(field, "").slice(0, -'""]'.length);
    for (const [name, text] of Object.entries(tabStorage())) {
      if (!name.startsWith(start)) continue;
      try {
        const value = JSON.parse(text);
        if (fits(value)) found[JSON.parse(name)[3]] = value;
      } catch {
        // Not written by this page.
      }
    }
    return found;
  };
  /**
   * Bring back traits that hold texts by row, then keep each change of them.
   * @param {Record<string, Texts>} before what was read of each
   * @param {() => Promise<Outcome>} restore lets Python take what belongs to rows that it has
   * @param {Say} say
   * @returns {() => void} stops that
   */
  const keep = (before, restore, say) => {
    /** @type {(() => void)[]} */
    const stops = [];
    let over = false;
    const start = () => {
      for (const name of over ? [] : Object.keys(before)) {
        let last = before[name] ?? {};
        const changed = () => {
          const now = model.get(name);
          for (const row of Object.keys({ ...last, ...now })) {
            if (now[row] !== last[row]) write(name, row, now[row]);
          }
          last = now;
        };
        stops.push(follow(model, [name], changed));
      }
    };
    if (Object.values(before).some((texts) => Object.keys(texts).length)) {
      restore().then(
        ({ message }) => {
          if (message) say(message);
          start();
        },
        (error) => say(wordsOf(error), true),
      );
    } else start();
    return () => {
      over = true;
      stops.forEach((stop) => stop());
    };
  };
  return { read, write, keep };
}
