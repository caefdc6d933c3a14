// Markdown, as far as chat needs it. No element, address or style comes from the text: an image is its
// description, a link is its words with the address behind them, to read and not to follow.
import { languageOf, make } from "./parts.js";

let blocks = 0;

function codeBlock(language, text) {
  const id = `block-${++blocks}`;
  const copy = make("button", "quiet", t("Copy"));
  copy.type = "button";
  copy.dataset.copy = id;
  copy.setAttribute("aria-label", t("Copy the code"));
  const content = make("code", "", text);
  content.id = id;
  content.dataset.language = language;
  const pre = make("pre", "", content);
  // what scrolls must be reached by keys
  pre.tabIndex = 0;
  return make("div", "block", make("div", "bar", make("span", "soft small", language || t("text")), copy), pre);
}

const INLINE = /(`+)(.+?)\1(?!`)|\*\*(.+?)\*\*|(?<!\w)\*([^*\s](?:[^*]*[^*\s])?)\*(?!\w)|(?<!\w)_([^_\s](?:[^_]*[^_\s])?)_(?!\w)|~~(.+?)~~|(!?)\[([^\]]*)\]\(([^()\s]*)[^()]*\)/;

function inline(text) {
  const found = text.length < 20_000 ? INLINE.exec(text) : null;
  if (!found) return text ? [text] : [];
  const [whole, , code, bold, slanted, also, struck, image, words, address] = found;
  const made = code !== undefined ? [make("code", "", code)]
    : bold !== undefined ? [make("strong", "", ...inline(bold))]
    : struck !== undefined ? [make("s", "", ...inline(struck))]
    : slanted ?? also ? [make("em", "", ...inline(slanted ?? also))]
    : [image ? t("[image: {words}]", { words }) : words, address && address !== words ? make("span", "soft", ` (${address})`) : ""];
  return [text.slice(0, found.index), ...made, ...inline(text.slice(found.index + whole.length))].filter(Boolean);
}

const FENCE = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const RULE = /^\s*([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^\s*>\s?(.*)$/;
const DASHES = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

const tableAt = (lines, at) => lines[at].includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && DASHES.test(lines[at + 1]);
const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((each) => each.trim().replaceAll("\\|", "|"));

function fencedFrom(lines, at, into) {
  const [, fence, language] = lines[at].match(FENCE);
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(fence) && /^[`~]+$/.test(lines[end].trim()))) end++;
  into.append(codeBlock(language, lines.slice(at + 1, end).join("\n")));
  return end + 1;
}

function listFrom(lines, at, into) {
  const [, indent, number] = lines[at].match(ITEM);
  const list = make(number ? "ol" : "ul");
  if (Number(number) > 1) list.start = Number(number);
  let end = at;
  for (let found; end < lines.length && (found = lines[end].match(ITEM)) && found[1].length >= indent.length;) {
    if (found[1].length > indent.length + 1 && list.lastChild) end = listFrom(lines, end, list.lastChild);
    else { list.append(make("li", "", ...inline(found[3]))); end++; }
  }
  into.append(list);
  return end;
}

function tableFrom(lines, at, into) {
  const row = (line, tag) => make("tr", "", ...cells(line).map((each) => make(tag, "", ...inline(each))));
  let end = at + 2;
  const body = make("tbody");
  for (; end < lines.length && lines[end].includes("|"); end++) body.append(row(lines[end], "td"));
  into.append(make("div", "scroll", make("table", "", make("thead", "", row(lines[at], "th")), body)));
  return end;
}

function quoteFrom(lines, at, into, depth) {
  let end = at;
  const inner = [];
  for (let found; end < lines.length && (found = lines[end].match(QUOTE)); end++) inner.push(found[1]);
  into.append(make("blockquote", "", depth < 5 ? markdown(inner.join("\n"), depth + 1) : inner.join("\n")));
  return end;
}

const begins = (lines, at) => !lines[at].trim() || [FENCE, ITEM, HEADING, RULE, QUOTE].some((each) => each.test(lines[at])) || tableAt(lines, at);

function paragraphFrom(lines, at, into) {
  let end = at + 1;
  while (end < lines.length && !begins(lines, end)) end++;
  into.append(make("p", "", ...inline(lines.slice(at, end).join("\n"))));
  return end;
}

export function markdown(text, depth = 0) {
  const into = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length;) {
    const heading = lines[at].match(HEADING);
    if (!lines[at].trim()) at++;
    else if (FENCE.test(lines[at])) at = fencedFrom(lines, at, into);
    else if (heading) { into.append(make("p", "heading", ...inline(heading[1]))); at++; }
    else if (RULE.test(lines[at])) { into.append(make("hr")); at++; }
    else if (QUOTE.test(lines[at])) at = quoteFrom(lines, at, into, depth);
    else if (ITEM.test(lines[at])) at = listFrom(lines, at, into);
    else if (tableAt(lines, at)) at = tableFrom(lines, at, into);
    else at = paragraphFrom(lines, at, into);
  }
  return into;
}

// Draws an answer that grows, once a frame at most.
export function drawer(into, after = () => {}) {
  let wanted = null;
  const draw = (text) => {
    if (wanted === null) requestAnimationFrame(() => {
      if (wanted !== null) { into.replaceChildren(markdown(wanted)); after(); }
      wanted = null;
    });
    wanted = text;
  };
  // The last word: no frame that was asked for may take it back.
  draw.end = (...content) => { wanted = null; into.replaceChildren(...content); };
  return draw;
}

const COLOURED = 60_000;

// Colours the code within, once it is whole; what cannot be coloured stays as it is.
export async function colour(form, root) {
  const wanted = [...root.querySelectorAll("code[data-language]")]
    .map((code) => [code, languageOf(form, code.dataset.language)])
    .filter(([code, id]) => id && !code.childElementCount && code.textContent.length < COLOURED);
  if (!wanted.length) return;
  try {
    const { pieces } = await import(form.dataset.highlight);
    for (const [code, id] of wanted) {
      const found = await pieces(code.textContent, id);
      if (found) code.replaceChildren(...found.map(([text, kind]) => (kind ? make("span", kind, text) : text)));
    }
  } catch { /* without colours it can be read, too */ }
}
