// Elements made of text: what a model says becomes text nodes and nothing else.
export function make(tag, name, ...content) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
}

// What went wrong, with its commands between backticks drawn as code, and ways to the pages that do the same.
export function alert({ error, ways = [] }) {
  const made = make("p", "bad", ...error.split("`").map((part, at) => (at % 2 ? make("code", "", part) : part)));
  for (const [address, page] of ways) {
    const way = make("a", "", t("Here: {page}", { page }));
    way.setAttribute("href", address);
    made.append(" ", way);
  }
  made.setAttribute("role", "alert");
  return made;
}

export function press(text, name, then) {
  const made = make("button", name, text);
  made.type = "button";
  made.addEventListener("click", then);
  return made;
}

// Languages by what people write: ids, extensions, names that editors use.
export const languageOf = (form, word) => {
  const known = JSON.parse(form.dataset.languages);
  const wanted = word.toLowerCase();
  return Object.hasOwn(known, wanted) ? known[wanted] : "";
};
