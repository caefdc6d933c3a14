// The playground: ghost text in the editor, answers that are read while they are written.
// What a model says is untrusted: it becomes text nodes and nothing else.
const PAGE = "/console/playground";
const PAUSE_MS = 250;

function make(tag, name, ...content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
}

// --- asking

async function* asked(form, more, signal) {
  const body = new URLSearchParams(new FormData(form));
  for (const [name, value] of Object.entries({ ...more, do: "stream" })) body.set(name, value);
  const answer = await fetch(PAGE, { method: "POST", body, signal });
  if (!answer.headers.get("content-type")?.startsWith("application/x-ndjson")) {
    throw new Error(answer.ok
      ? "Your session has ended. Sign in in another tab, then ask again: nothing here is lost."
      : "Homeport did not take the question. Reload the page and ask again.");
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
    if (done) return;
  }
}

// Gives what came of it: text, and who, how long and how much; `onText` hears each piece.
async function answerOf(form, more, signal, onText) {
  let text = "";
  let result = { error: "The answer broke off." };
  try {
    for await (const line of asked(form, more, signal)) {
      if (line.done) result = line.done;
      else { text += line.text; onText(text); }
    }
  } catch (error) {
    const stopped = error.name === "AbortError";
    result = stopped ? { stopped } : { error: error instanceof TypeError ? "Homeport cannot be reached." : error.message };
  }
  return { ...result, text };
}

function figures(result) {
  if (result.stopped) return "stopped";
  const tokens = `${result.counted ? "" : "about "}${result.tokens} token${result.tokens === 1 ? "" : "s"}`;
  return `${result.model}: first after ${result.first_ms} ms · whole after ${result.whole_ms} ms · ${tokens}`;
}

// --- Markdown, as far as chat needs it: paragraphs, headings, lists, code

let blocks = 0;

function codeBlock(language, text) {
  const id = `block-${++blocks}`;
  const copy = make("button", "quiet", "Copy");
  copy.type = "button";
  copy.dataset.copy = id;
  const content = make("code", "", text);
  content.id = id;
  return make("div", "block", make("div", "bar", make("span", "soft small", language), copy), make("pre", "", content));
}

function inline(text) {
  const parts = text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/);
  return parts.filter(Boolean).map((part) => {
    if (/^`.+`$/.test(part)) return make("code", "", part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return make("strong", "", part.slice(2, -2));
    return part;
  });
}

const FENCE = /^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/;
const ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;

function fencedFrom(lines, at, into) {
  const [, fence, language] = lines[at].match(FENCE);
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(fence) && /^[`~]+$/.test(lines[end].trim()))) end++;
  into.append(codeBlock(language, lines.slice(at + 1, end).join("\n")));
  return end + 1;
}

function listFrom(lines, at, into) {
  const ordered = lines[at].match(ITEM)[1];
  const list = make(ordered ? "ol" : "ul");
  if (ordered && Number(ordered) > 1) list.start = Number(ordered);
  let end = at;
  for (; end < lines.length && ITEM.test(lines[end]); end++) list.append(make("li", "", ...inline(lines[end].match(ITEM)[2])));
  into.append(list);
  return end;
}

function paragraphFrom(lines, at, into) {
  let end = at;
  while (end < lines.length && lines[end].trim() && !FENCE.test(lines[end]) && !ITEM.test(lines[end]) && !HEADING.test(lines[end])) end++;
  into.append(make("p", "", ...inline(lines.slice(at, end).join("\n"))));
  return end;
}

function markdown(text) {
  const into = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length;) {
    const heading = lines[at].match(HEADING);
    if (!lines[at].trim()) at++;
    else if (FENCE.test(lines[at])) at = fencedFrom(lines, at, into);
    else if (heading) { into.append(make("p", "heading", ...inline(heading[1]))); at++; }
    else if (ITEM.test(lines[at])) at = listFrom(lines, at, into);
    else at = paragraphFrom(lines, at, into);
  }
  return into;
}

// Draws an answer that grows, once a frame at most.
function drawer(into) {
  let wanted = null;
  return (text) => {
    if (wanted === null) requestAnimationFrame(() => { into.replaceChildren(markdown(wanted)); wanted = null; });
    wanted = text;
  };
}

// --- what all three have in common: one question at a time, and a way to stop it

function desk(form) {
  const stop = form.querySelector("[data-stop]");
  const told = form.querySelector("[data-told]");
  let going = null;
  stop.addEventListener("click", () => going?.abort());
  return {
    tell(text) { told.textContent = text; },
    stop() { going?.abort(); },
    async during(work) {
      going?.abort();
      const mine = going = new AbortController();
      stop.hidden = false;
      try { await work(mine.signal); } finally {
        if (going === mine) { going = null; stop.hidden = true; }
      }
    },
  };
}

function card(results, at) {
  while (results.children.length <= at) results.append(make("div", "card result"));
  return results.children[at];
}

function fill(into, result, drawn) {
  const parts = [make("h3", "", result.model || "Nobody answered")];
  if (result.error) { const p = make("p", "bad", result.error); p.setAttribute("role", "alert"); parts.push(p); }
  if (result.text) parts.push(drawn(result.text));
  else if (!result.error && !result.stopped) parts.push(make("p", "soft", "Nothing to add here."));
  if (result.model || result.stopped) parts.push(make("p", "soft small", figures(result)));
  into.replaceChildren(...parts);
}

const asCode = (text) => make("pre", "", make("code", "", text));
const asMarkdown = (text) => make("div", "said", markdown(text));

// --- completion

function ghostOver(area) {
  const mirror = make("pre", "mirror");
  mirror.setAttribute("aria-hidden", "true");
  mirror.hidden = true;
  area.parentElement.append(mirror);
  const follow = () => { mirror.scrollTop = area.scrollTop; mirror.scrollLeft = area.scrollLeft; };
  area.addEventListener("scroll", follow);
  const ghost = {
    text: "",
    at: 0,
    show(text, at) {
      Object.assign(ghost, { text, at });
      mirror.hidden = !text;
      area.classList.toggle("under", Boolean(text));
      mirror.replaceChildren(area.value.slice(0, at), make("span", "ghost", text), `${area.value.slice(at)}\n`);
      follow();
    },
    hide() { if (ghost.text) ghost.show("", 0); },
    accept() {
      const { text, at } = ghost;
      ghost.hide();
      area.setSelectionRange(at, at);
      // deprecated, and the only way that leaves it to the browser's undo
      if (!document.execCommand("insertText", false, text)) area.setRangeText(text, at, at, "end");
    },
    // What was typed is what the ghost begins with: the rest stays.
    typed() {
      const at = area.selectionStart;
      const typed = area.value.slice(ghost.at, at);
      const stays = ghost.text && at > ghost.at && ghost.text.startsWith(typed) && ghost.text.length > typed.length;
      if (stays) ghost.show(ghost.text.slice(typed.length), at);
      else ghost.hide();
      return stays;
    },
  };
  return ghost;
}

function completes(form) {
  const area = form.elements.code;
  const results = form.querySelector(".results");
  const ghost = ghostOver(area);
  const { tell, stop, during } = desk(form);
  let timer = 0;

  const askOne = async (at, more, name, signal) => {
    const first = name === "model";
    const onText = first ? (text) => ghost.show(text, at) : () => {};
    const result = await answerOf(form, { ...more, model: form.elements[name].value }, signal, onText);
    if (result.stopped) return;
    fill(card(results, first ? 0 : 1), result, asCode);
    if (first) tell(result.error ? "" : result.text ? `${figures(result)}. Tab accepts, Esc dismisses.` : "Nothing to add here.");
  };
  const ask = () => {
    clearTimeout(timer);
    ghost.hide();
    const at = area.selectionStart;
    const more = { before: area.value.slice(0, at), after: area.value.slice(area.selectionEnd), code: "" };
    const names = form.elements.second.value ? ["model", "second"] : ["model"];
    if (names.length === 1) results.children[1]?.remove();
    tell("Asking…");
    return during((signal) => Promise.all(names.map((name) => askOne(at, more, name, signal))));
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); area.focus(); ask(); });
  area.addEventListener("input", () => {
    clearTimeout(timer);
    if (ghost.typed()) return;
    stop();
    tell("");
    if (form.elements.typing.checked) timer = setTimeout(ask, PAUSE_MS);
  });
  area.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    if (ghost.text && event.key === "Tab" && plain) { event.preventDefault(); stop(); ghost.accept(); }
    else if (ghost.text && event.key === "Escape") { event.preventDefault(); stop(); ghost.hide(); tell("Dismissed."); }
    else if (event.key === " " && event.ctrlKey) { event.preventDefault(); ask(); }
  });
  document.addEventListener("selectionchange", () => {
    if (document.activeElement === area && area.selectionStart !== ghost.at) ghost.hide();
  });
  area.addEventListener("blur", () => ghost.hide());
}

// --- chat

function turn(role, whose) {
  const said = make("div", "said");
  return { whole: make("li", `turn ${role}`, make("div", "whose", whose), said), said };
}

function chats(form) {
  const log = form.querySelector(".turns");
  const kept = form.elements.history;
  const message = form.elements.message;
  const { tell, during, stop } = desk(form);
  for (const each of log.querySelectorAll("[data-markdown]")) each.replaceChildren(markdown(each.textContent));

  const clear = () => {
    stop();
    kept.value = "[]";
    message.value = "";
    log.replaceChildren();
    tell("A new conversation.");
    message.focus();
  };
  const answered = (text, result, theirs, mine) => {
    if (result.model) theirs.whole.firstChild.textContent = result.model;
    theirs.said.replaceChildren(markdown(result.text));
    if (result.error) theirs.said.append(make("p", "bad", result.error));
    tell(result.error && !result.model ? "" : figures(result));
    if (result.text) {
      const turns = [{ role: "user", content: text }, { role: "assistant", content: result.text }];
      kept.value = JSON.stringify([...JSON.parse(kept.value), ...turns]);
    } else if (!message.value) {
      message.value = text;
      if (result.stopped) { mine.whole.remove(); theirs.whole.remove(); }
    }
  };
  const send = () => {
    const text = message.value.trim();
    if (!text) { tell("Write a message first."); message.focus(); return; }
    if (text === "/clear") { clear(); return; }
    const mine = turn("user", "You");
    const theirs = turn("assistant", "Model");
    mine.said.replaceChildren(markdown(text));
    log.append(mine.whole, theirs.whole);
    theirs.said.append(make("p", "soft", "Thinking…"));
    tell("Asking…");
    log.setAttribute("aria-busy", "true");
    const draw = drawer(theirs.said);
    during(async (signal) => {
      const asking = answerOf(form, { message: text }, signal, (said) => { draw(said); theirs.whole.scrollIntoView({ block: "nearest" }); });
      message.value = "";
      const result = await asking;
      // after the last frame that was asked for
      requestAnimationFrame(() => answered(text, result, theirs, mine));
      log.setAttribute("aria-busy", "false");
    });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.value === "clear") clear();
    else send();
  });
  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
}

// --- any other feature

function prompts(form) {
  const results = form.querySelector(".results");
  const { tell, during } = desk(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell("Asking…");
    const into = make("div", "said");
    card(results, 0).replaceChildren(into);
    const draw = drawer(into);
    during(async (signal) => {
      const result = await answerOf(form, {}, signal, draw);
      requestAnimationFrame(() => fill(card(results, 0), result, asMarkdown));
      tell(result.stopped ? "Stopped." : "");
    });
  });
}

const KINDS = { code: completes, chat: chats, prompt: prompts };

function start(root) {
  for (const form of root.querySelectorAll("form.play:not([data-ready])")) {
    form.dataset.ready = "";
    for (const each of form.querySelectorAll(".scripted:not([data-stop])")) each.hidden = false;
    KINDS[form.dataset.kind]?.(form);
  }
}

document.addEventListener("htmx:load", (event) => start(event.target));
start(document);
