// The editor with ghost text: CodeMirror, loaded when somebody reaches for it; until then, and without it, the
// text area is what it always was.
import { languageOf } from "./parts.js";

function theme(cm) {
  return cm.EditorView.theme({
    "&": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--strong)", borderRadius: "8px", height: "24rem", resize: "vertical", overflow: "hidden" },
    "&.cm-focused": { outline: "2px solid var(--accent)", borderColor: "var(--accent)" },
    ".cm-scroller": { fontFamily: "var(--mono)", fontSize: ".9rem", lineHeight: "1.55", overflow: "auto" },
    ".cm-content": { caretColor: "var(--ink)", padding: ".6rem 0" },
    ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
    ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--soft)", border: "0" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--sunk) 60%, transparent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 28%, transparent)" },
    ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 16%, transparent)" },
    "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
    ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)", borderColor: "var(--line)" },
    ".cm-panel.cm-search": { padding: ".5rem .7rem", display: "flex", flexWrap: "wrap", gap: ".4rem", alignItems: "center" },
    ".cm-panel.cm-search br": { display: "none" },
    ".cm-panel.cm-search input:not([type=checkbox])": { width: "11rem", minHeight: "2.2rem", margin: "0", fontSize: ".9rem" },
    ".cm-panel.cm-search label": { display: "flex", gap: ".35rem", alignItems: "center", fontSize: ".86rem", margin: "0" },
    ".cm-button": { backgroundImage: "none", backgroundColor: "var(--card)", borderRadius: "8px", border: "1px solid var(--strong)", margin: "0" },
    ".cm-textfield": { backgroundColor: "var(--card)" },
    ".cm-foldPlaceholder": { backgroundColor: "var(--sunk)", border: "1px solid var(--line)", color: "var(--soft)" },
    ".cm-ghost": { color: "var(--soft)", fontStyle: "italic", whiteSpace: "pre-wrap" },
  });
}

// Grey text at a place, which is no part of the document until it is accepted.
function ghostField(cm, set) {
  class Grey extends cm.WidgetType {
    constructor(text) { super(); this.text = text; }
    eq(other) { return other.text === this.text; }
    toDOM() {
      const made = document.createElement("span");
      made.className = "cm-ghost";
      made.setAttribute("aria-hidden", "true");
      made.textContent = this.text;
      return made;
    }
    ignoreEvent() { return false; }
  }
  const drawn = (ghost) => (ghost ? cm.Decoration.set([cm.Decoration.widget({ widget: new Grey(ghost.text), side: 1 }).range(ghost.at)]) : cm.Decoration.none);
  return cm.StateField.define({
    create: () => null,
    update(ghost, transaction) {
      for (const effect of transaction.effects) if (effect.is(set)) return effect.value;
      if (!ghost) return null;
      const at = transaction.state.selection.main.head;
      if (!transaction.docChanged) return at === ghost.at && transaction.state.selection.main.empty ? ghost : null;
      // what was typed is what the ghost begins with: the rest stays
      const typed = at > ghost.at ? transaction.state.sliceDoc(ghost.at, at) : "";
      const same = typed && transaction.state.doc.length - transaction.startState.doc.length === typed.length;
      return same && ghost.text.startsWith(typed) && ghost.text.length > typed.length ? { text: ghost.text.slice(typed.length), at } : null;
    },
    provide: (field) => cm.EditorView.decorations.from(field, drawn),
  });
}

function keys(cm, ghost, hears, act) {
  const whenShown = (run) => (view) => view.state.field(ghost) !== null && (run(view), true);
  return cm.Prec.highest(cm.keymap.of([
    { key: "Tab", run: whenShown(act.accept) },
    { key: "Escape", run: whenShown((view) => { act.hide(view); hears.dismissed(); }) },
    { key: "Ctrl-Space", run: () => (hears.ask(), true) },
    { key: "Alt-\\", run: () => (hears.ask(), true) },
    { key: "Alt-]", run: () => hears.other(1) },
    { key: "Alt-[", run: () => hears.other(-1) },
    { key: "Mod-Enter", run: () => (hears.ask(), true) },
  ]));
}

export async function ghostly(form, hears) {
  const area = form.elements.code;
  const cm = await import(form.dataset.editor);
  const set = cm.StateEffect.define();
  const ghost = ghostField(cm, set);
  const language = new cm.Compartment();
  const hide = (view) => view.dispatch({ effects: set.of(null) });
  const put = (view, text, at) => {
    view.dispatch({ changes: { from: at, insert: text }, selection: { anchor: at + text.length }, effects: set.of(null), scrollIntoView: true, userEvent: "input.complete" });
    view.focus();
  };
  const accept = (view) => {
    const { text, at } = view.state.field(ghost);
    put(view, text, at);
    hears.accepted();
  };
  const watch = cm.EditorView.updateListener.of((update) => {
    const ours = update.transactions.some((each) => each.isUserEvent("input.complete"));
    // the page asks before it is left; many keys are no input to it
    if (update.docChanged) area.dispatchEvent(new Event("input", { bubbles: true }));
    if (update.docChanged && !ours && !update.state.field(ghost)) hears.typed();
    else if (update.selectionSet && !update.docChanged) hears.moved();
  });
  const view = new cm.EditorView({
    doc: area.value,
    parent: area.parentElement,
    extensions: [
      keys(cm, ghost, hears, { accept, hide }), cm.setup, cm.keymap.of([cm.indentWithTab]), ghost, watch, theme(cm), language.of([]),
      cm.EditorView.contentAttributes.of({ "aria-label": t("Code"), tabindex: "0", "aria-describedby": "code-help", spellcheck: "false", autocapitalize: "off" }),
    ],
  });
  const typing = document.activeElement === area;
  view.dispatch({ selection: { anchor: typing ? Math.min(area.selectionStart, view.state.doc.length) : view.state.doc.length } });
  area.hidden = true;
  if (typing) view.focus();
  follow(form, async (id) => view.dispatch({ effects: language.reconfigure(await cm.language(id)) }));
  return {
    // More of an answer that began at a place; what was typed since, as it says, is not shown again.
    show(text, begun) {
      const at = view.state.selection.main.head;
      const typed = at >= begun ? view.state.sliceDoc(begun, at) : null;
      if (typed === null || typed.length >= text.length || !text.startsWith(typed)) return;
      view.dispatch({ effects: set.of({ text: text.slice(typed.length), at }) });
    },
    hide: () => { if (view.state.field(ghost)) hide(view); },
    insert: (text, at) => put(view, text, Math.min(at, view.state.doc.length)),
    focus: () => view.focus(),
    around() {
      const { from, to } = view.state.selection.main;
      return { before: view.state.sliceDoc(0, from), after: view.state.sliceDoc(to), at: to };
    },
  };
}

// Tells the language that the picker says, or else the file's name.
function follow(form, tell) {
  const { language, file } = form.elements;
  const name = () => file.value.split(/[\\/]/).at(-1);
  const now = () => tell(language.value || languageOf(form, name()) || languageOf(form, name().split(".").at(-1)));
  language.addEventListener("change", now);
  file.addEventListener("change", now);
  now();
}
