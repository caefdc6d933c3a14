// What a page can do only with a script: keys, times in the reader's own words, forms that are not lost.
const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function tellTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const then = new Date(each.dateTime);
    const seconds = (then - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
    each.textContent = ago.format(Math.round(seconds / size), unit);
    each.title = then.toLocaleString();
  }
}

let changed = null;

document.addEventListener("input", (event) => {
  if (event.target.closest("form.stack")) changed = event.target.closest("form.stack");
});
document.addEventListener("submit", () => { changed = null; });
window.addEventListener("beforeunload", (event) => {
  if (changed?.isConnected) event.preventDefault();
});
document.addEventListener("htmx:beforeRequest", (event) => {
  const leaves = event.detail.boosted && event.detail.requestConfig.verb === "get";
  if (leaves && changed?.isConnected && !window.confirm("Leave without saving what you changed?")) {
    event.preventDefault();
  } else if (leaves) {
    changed = null;
  }
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
  done.then(() => { button.textContent = "Copied"; }, () => {
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  });
}
function showTheme(root) {
  const now = document.documentElement.dataset.theme ?? "";
  for (const each of root.querySelectorAll("[data-set-theme]")) {
    each.setAttribute("aria-pressed", String(each.dataset.setTheme === now));
  }
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey) return;
  const search = document.querySelector("input[type=search]");
  if (search) { event.preventDefault(); search.focus(); }
});
document.addEventListener("htmx:load", (event) => {
  tellTimes(event.target);
  showTheme(event.target);
  for (const each of event.target.querySelectorAll("[data-scripted]")) each.hidden = false;
});
