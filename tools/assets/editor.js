// What the playground's editor is made of: CodeMirror without completion of its own, which ours would fight.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  crosshairCursor, drawSelection, dropCursor, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, keymap, lineNumbers, rectangularSelection,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { LANGUAGES } from "./languages.js";

export { Compartment, EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
export { Decoration, EditorView, keymap, WidgetType } from "@codemirror/view";
export { indentWithTab };

export const setup = [
  lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), foldGutter(), drawSelection(),
  dropCursor(), EditorState.allowMultipleSelections.of(true), indentOnInput(), indentUnit.of("    "),
  syntaxHighlighting(classHighlighter), bracketMatching(), closeBrackets(), rectangularSelection(), crosshairCursor(),
  highlightActiveLine(), highlightSelectionMatches(),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap]),
];

// The extension for a language by its id; nothing for one that is not known.
export const language = async (id) => (Object.hasOwn(LANGUAGES, id) ? LANGUAGES[id]() : []);
