// Colours for code in a conversation: pieces of text with the classes of their kind.
import { classHighlighter, highlightCode } from "@lezer/highlight";
import { GRAMMARS, LANGUAGES } from "./languages.js";

async function grammar(id) {
  if (Object.hasOwn(GRAMMARS, id)) return GRAMMARS[id]();
  if (Object.hasOwn(LANGUAGES, id)) return (await LANGUAGES[id]()).language.parser;
  return null;
}

// Gives [text, classes] for each piece, or null for a language that is not known.
export async function pieces(code, id) {
  const parser = await grammar(id);
  if (!parser) return null;
  const found = [];
  highlightCode(code, parser.parse(code), classHighlighter, (text, kind) => found.push([text, kind]), () => found.push(["\n", ""]));
  return found;
}
