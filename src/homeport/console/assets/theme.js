// Light or dark, where somebody chose one; it stays in this browser. Runs before the page is drawn.
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing */ }
}
try { setTheme(localStorage.getItem("theme") ?? ""); } catch { /* as above */ }
