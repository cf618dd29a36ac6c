// The editor of a label in DisagreementView.

/**
 * The editor of a label.
 * @param {string} text as it is edited so far
 * @param {string} given the label that stands
 * @param {SampleDetail["tools"]} tools on offer in the sample
 * @param {object} on
 * @param {(text: string) => void} on.typed called a moment after the last change
 * @param {(text: string) => Promise<{ faults: Fault[] }>} on.check
 * @param {(text: string) => Promise<string>} on.save answers with what is wrong, empty if it was saved
 * @param {() => void} on.leave
 */
function labelEditor(text, given, tools, on) {
  const typing = keeper(() => on.typed(form.text()));
  const fault = refusal(typing.later);
  const form = labelForm(text, tools, fault.changed, on.check, given);
  const save = async () => {
    typing.now();
    fault.tell(await on.save(form.text()));
  };
  const leave = () => {
    typing.drop();
    on.leave();
  };
  const saveTitle = "save as LABEL_WRONG with this label (Ctrl+Enter)";
  const node = h(
    "div",
    { class: "lt-editor", role: "group", "aria-label": "the right label" },
    editorHead(
      fault.node,
      h("strong", {}, "the right label"),
      h("button", { onclick: save, title: saveTitle }, "save label"),
      h("button", { onclick: leave, title: "leave the label as it was (Escape)" }, "cancel"),
    ),
    form.node,
  );
  node.addEventListener("focusout", typing.now);
  editorKeys(node, fault, { save, isChanged: () => form.text() !== given, leave });
  return { node, focus: form.focus, keep: typing.now };
}
