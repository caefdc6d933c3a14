// What a page can do only with a script: keys, times in the reader's own words, forms that are not lost.
// Texts stand here in English; a page in another language brings the others.
const texts = JSON.parse(document.querySelector("meta[name=texts]")?.content ?? "{}");
const filled = (said, values) => said.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
function t(message, values = {}) { return filled(texts[message] ?? message, values); }
// A translation with a number says first which form each number takes, a digit each.
function tn(one, many, count, values = {}) {
  const [which, ...forms] = texts[one] ?? [];
  const said = which ? forms[which[count < which.length ? count : 100 + (count % 100)]] : count === 1 ? one : many;
  return filled(said, { count, ...values });
}

// Made when a time is to be told. The first question about languages has the browser look through all it knows, which
// takes a phone a tenth of a second: that is asked where nobody waits for it.
const teacher = document.currentScript.dataset.learn;
let learned, words;
function learn() {
  learned ??= new Promise((go) => {
    const apart = new Worker(teacher);
    apart.onmessage = apart.onerror = () => { apart.terminate(); go(); };
  }).catch(() => {}); // a browser that gives us no worker learns it in the page
  return learned;
}
const inWords = () => {
  words ??= {
    ago: new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" }),
    clock: new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "short" }),
  };
  return words;
};
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function tellTimes(root) {
  const times = root.querySelectorAll("time[datetime]");
  if (!times.length) return;
  const { ago, clock } = inWords();
  for (const each of times) {
    const then = new Date(each.dateTime);
    if ("clock" in each.dataset) { each.textContent = clock.format(then); continue; }
    const seconds = (then - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
    each.textContent = ago.format(Math.round(seconds / size), unit);
    each.title = then.toLocaleString();
  }
}

// Each in a task of its own: between two the page answers to whoever uses it.
const task = () => new Promise((go) => { setTimeout(go); });
async function soon(...doings) {
  for (const each of doings) {
    await task();
    await each();
  }
}

// what is read grows old, and what is printed stays
setInterval(() => { if (!document.hidden) tellTimes(document); }, 60_000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tellTimes(document); });
window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("time[datetime]")) each.textContent = new Date(each.dateTime).toLocaleString();
});
window.addEventListener("afterprint", () => tellTimes(document));

// --- ways between pages that leave the scripts where they are

// A link or a form is htmx's from when somebody uses it: to give it every one of a page with hundreds takes long.
function takeOver(each) {
  if (!each || each.closest("[hx-boost]") || each.matches("[hx-get], [hx-post]")) return;
  each.setAttribute("hx-boost", "true");
  htmx.process(each);
}
// the click before the submission, too: htmx keeps in mind which button it was
document.addEventListener("click", ({ target }) => {
  takeOver(target.closest("a[href]"));
  takeOver(target.closest("button, input")?.form);
}, true);
document.addEventListener("submit", ({ target }) => takeOver(target), true);

// --- what was typed and is not saved

const typed = new WeakSet();
document.addEventListener("input", ({ target }) => {
  const form = target.form;
  // a question of the playground is its text; what is only shown, as the editor's own search, has no name
  if (form && target.name && !(form.matches(".play") && target.matches("select, [type=checkbox]"))) typed.add(form);
});
// a chat keeps what was said; a form that was refused came with what was typed
const isUnsaved = (form) => (form.dataset.kind === "chat"
  ? typed.has(form) && Boolean(form.elements.message.value.trim() || form.elements.code.value)
  : typed.has(form) || form.matches("[data-refused], .stack:has([data-refused])"));
const unsaved = (root) => [...root.querySelectorAll("form[method=post]")].filter(isUnsaved);
const giveUp = () => window.confirm(t("Go on without saving what you changed?"));
const formOf = ({ verb, elt }) => (verb === "get" ? null : elt.form ?? elt.closest("form"));

window.addEventListener("beforeunload", (event) => {
  if (unsaved(document).length) event.preventDefault();
});
// whatever takes the place of a form: a link, another form of the page
document.addEventListener("htmx:beforeRequest", (event) => {
  const { target, requestConfig } = event.detail;
  const own = formOf(requestConfig);
  if (!target.matches("[data-keeps]") && unsaved(target).some((each) => each !== own) && !giveUp()) event.preventDefault();
});

// Back and forward: the browser has changed the address before anybody is asked
let here = location.href;
for (const each of ["htmx:pushedIntoHistory", "htmx:replacedInHistory", "htmx:historyRestore"]) {
  document.addEventListener(each, () => { here = location.href; });
}
document.addEventListener("htmx:historyCacheMiss", (event) => {
  if (!unsaved(document).length || giveUp()) return;
  event.preventDefault();
  history.pushState({ htmx: true }, "", here);
});

// Choices of other rows outlive a row that is saved, with what they were made against.
let kept = [];
document.addEventListener("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (!target.matches("[data-keeps]")) return;
  const own = formOf(requestConfig);
  const done = own?.elements.section ? own.closest(".section") : own;
  kept = unsaved(target).filter((each) => !done?.contains(each))
    .map((each) => ({ id: each.elements.serves.id, value: each.elements.serves.value, was: each.elements.was?.value }));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const { id, value, was } of kept) {
    const select = document.getElementById(id);
    if (![...(select?.options ?? [])].some((each) => each.value === value)) continue;
    select.value = value;
    if (was !== undefined) select.form.elements.was.value = was;
    typed.add(select.form);
  }
  kept = [];
});

// --- a server that is slow, or cannot be reached

function tell(text, role, tone) {
  document.querySelector(".told.over")?.remove();
  if (!text) return;
  const told = Object.assign(document.createElement("div"), { className: `told over note ${tone}`, textContent: text });
  told.setAttribute("role", role);
  document.body.append(told);
}
const waits = new WeakMap();
document.addEventListener("htmx:beforeSend", ({ detail: { xhr, boosted, target, requestConfig } }) => {
  // others have a sign of their own
  if (!boosted && !target.matches("[data-keeps]")) return;
  const said = requestConfig.verb === "get" ? t("Loading …") : t("Saving …");
  waits.set(xhr, setTimeout(() => tell(said, "status", "soft"), 1000));
});
document.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
  clearTimeout(waits.get(xhr));
  if (waits.has(xhr) || xhr.status) tell("");
});
function unreached({ requestConfig: { verb } }) {
  tell(verb === "get" ? t("Homeport cannot be reached.")
    : t("Homeport cannot be reached, and as far as is known nothing was saved. What you typed is still here: try again."), "alert", "bad");
}
for (const each of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(each, ({ detail }) => unreached(detail));
// what a proxy says for a server that is gone takes no form's place: it has none of our headers; nor does a page
// of ours that could not draw the form again
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { xhr: { status }, serverResponse, requestConfig: { verb } } = detail;
  const ours = detail.xhr.getResponseHeader("content-security-policy");
  if (ours ? status < 500 || verb === "get" || serverResponse.includes('role="alert"') : status < 502 || status > 504) return;
  detail.shouldSwap = false;
  setTimeout(() => (ours ? tell(t("Homeport could not do that. What you typed is still here: try again."), "alert", "bad") : unreached(detail)));
});

// --- who uses keys or listens is where something happened, not at the top of nowhere

let pressed = "";
document.addEventListener("htmx:beforeRequest", ({ detail: { requestConfig: { elt } } }) => {
  pressed = elt === document.activeElement ? elt.id : "";
});
document.addEventListener("htmx:afterSettle", ({ detail: { boosted } }) => {
  if (document.activeElement !== document.body) return;
  const refused = document.querySelector("main .note.bad[role=alert]");
  const place = boosted ? refused ?? document.querySelector("main .note.good, main h1") : document.getElementById(pressed);
  if (boosted && place) place.tabIndex = -1;
  place?.focus({ preventScroll: !refused });
});

// Help that somebody asked for is seen where it stands below its form, on phones.
document.addEventListener("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  if (target?.id !== "help" || !requestConfig.elt.matches("button")) return; // going back has no target
  const { top, bottom } = target.getBoundingClientRect();
  if (top > innerHeight * 0.7 || bottom < 0) target.scrollIntoView({ block: "start" });
});

document.addEventListener("click", (event) => {
  const sure = event.target.closest("[data-sure]");
  if (sure && !window.confirm(sure.dataset.sure)) event.preventDefault();
  const copied = event.target.closest("[data-copy]");
  if (copied) copy(copied, document.getElementById(copied.dataset.copy));
  const theme = event.target.closest("[data-set-theme]");
  if (theme) { setTheme(theme.dataset.setTheme); showTheme(document); }
});
function copy(button, source) {
  const selection = window.getSelection();
  selection.selectAllChildren(source);
  // browsers have a clipboard only over TLS and on this machine; what is selected can be copied everywhere
  const done = navigator.clipboard?.writeText(source.textContent) ?? Promise.reject();
  done.then(() => { button.textContent = t("Copied"); }, () => {
    button.textContent = document.execCommand("copy") ? t("Copied") : t("Selected: press Ctrl+C");
  });
}
function showTheme(root) {
  const now = document.documentElement.dataset.theme ?? "";
  for (const each of root.querySelectorAll("[data-set-theme]")) {
    each.setAttribute("aria-pressed", String(each.dataset.setTheme === now));
  }
}
// --- dialogs: a page of ours, shown over the one that is there

// what was pressed is seen to be taken first
const painted = () => new Promise((go) => { requestAnimationFrame(() => setTimeout(go)); });

async function openDialog(address, label, kind = "over") {
  const open = document.querySelector("dialog[open]");
  if (open && !leave(open)) return;
  document.querySelector("dialog")?.remove();
  const dialog = document.createElement("dialog");
  dialog.className = kind;
  dialog.setAttribute("aria-label", label);
  dialog.addEventListener("close", () => { dialog.remove(); if (history.state?.panel) goBack(); });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); leave(dialog); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) leave(dialog); });
  document.body.append(dialog);
  await painted();
  await htmx.ajax("GET", address, { target: dialog, swap: "innerHTML" });
  if (!dialog.isConnected || !dialog.childElementCount) return;
  dialog.showModal();
  if (kind === "side-panel") history.pushState({ htmx: true, panel: true }, "", address);
  (dialog.querySelector("input[type=search], select") ?? dialog).focus();
}
// Closing gives the focus back to what opened it; what was typed is not lost unasked.
function leave(dialog) {
  if (unsaved(dialog).length && !giveUp()) return false;
  dialog.close();
  return true;
}
// A panel has the address of the page that it is: going back closes it, and the page below stays as it is.
let returning = false;
function goBack() { returning = true; history.back(); }
window.addEventListener("popstate", (event) => {
  const panel = document.querySelector("dialog.side-panel[open]");
  if (!returning && !panel) return;
  event.stopImmediatePropagation();
  const { pathname } = new URL(panel?.querySelector("form")?.action ?? "", location.href);
  if (!returning && !leave(panel)) history.pushState({ htmx: true, panel: true }, "", pathname);
  returning = false;
}, true);
document.addEventListener("click", (event) => {
  const out = event.target.closest("dialog [data-close]");
  const way = out ?? event.target.closest("a[data-dialog], a[data-panel]");
  if (!way || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (out) leave(out.closest("dialog"));
  else openDialog(way.getAttribute("href"), way.firstChild.textContent, "panel" in way.dataset ? "side-panel" : "over");
}, true);
// A panel's form that was carried out has drawn the list anew: the panel has done its work.
document.addEventListener("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  const panel = document.querySelector("dialog.side-panel[open]");
  if (!panel?.contains(requestConfig?.elt)) return;
  if (target?.matches("[data-keeps]")) {
    const key = new URL(requestConfig.path, location.href).pathname.split("/").pop();
    panel.close();
    document.getElementById(`open-${key}`)?.focus({ preventScroll: true });
  }
});

// Arrows go through what was found, Enter takes the first, letters go on with the search.
function walk(event, dialog) {
  const ways = [...dialog.querySelectorAll("#found a")];
  const at = ways.indexOf(document.activeElement);
  const line = dialog.querySelector("input[type=search]");
  if (!line) return;
  if (event.key === "ArrowDown") ways[Math.min(at + 1, ways.length - 1)]?.focus();
  else if (event.key === "ArrowUp") (ways[at - 1] ?? line)?.focus();
  else if (event.key === "Enter" && event.target === line) ways[0]?.click();
  else {
    if (at >= 0 && event.key.length === 1 && !event.ctrlKey && !event.metaKey) line?.focus();
    return;
  }
  event.preventDefault();
}

// --- keys

const quietKeys = () => { try { return localStorage.getItem("keys") === "off"; } catch { return false; } };
let jumps = 0;

function single(event) {
  if (event.key === "?") openDialog("/console/keys", t("Keyboard"));
  else if (event.key === "/") {
    const search = document.querySelector("main input[type=search]");
    if (!search) return;
    search.focus();
  } else if (event.key === "g") jumps = Date.now();
  else if (Date.now() - jumps < 1500) {
    jumps = 0;
    const way = document.querySelector(`a[data-go="${CSS.escape(event.key)}"]`);
    if (!way) return;
    way.click();
  } else return;
  event.preventDefault();
}
document.addEventListener("keydown", (event) => {
  const dialog = document.querySelector("dialog[open]");
  if (dialog && event.key === "Escape") {
    event.preventDefault();
    leave(dialog);
  } else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openDialog("/console/find", t("Find"));
  } else if (dialog) walk(event, dialog);
  else if (!event.ctrlKey && !event.metaKey && !event.altKey && !quietKeys()
    && !event.target.closest("input, textarea, select, [contenteditable=true]")) single(event);
});
function showKeys(root) {
  for (const each of root.querySelectorAll("[data-keys]")) each.setAttribute("aria-pressed", String(quietKeys()));
}
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-keys]")) return;
  try { localStorage.setItem("keys", quietKeys() ? "on" : "off"); } catch { /* a browser that keeps nothing */ }
  showKeys(document);
});
// what the playground kept belongs to who is leaving
document.addEventListener("submit", (event) => {
  if (event.target.elements.do?.value === "leave") try { sessionStorage.clear(); } catch { /* as above */ }
});
// what is wider than its place is scrolled with keys, too
const places = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.addEventListener("htmx:load", (event) => {
  for (const each of event.target.querySelectorAll(".scroll:not([tabindex])")) places.observe(each);
  if (words) tellTimes(event.target);
  else if (event.target.querySelector("time[datetime]")) soon(learn, inWords, () => tellTimes(document));
  showTheme(event.target);
  showKeys(event.target);
  for (const each of event.target.querySelectorAll("[data-scripted]")) each.hidden = false;
});
