// The menu of commands: opens where a message begins with a slash; arrows choose, Enter or Tab take.
import { make } from "./parts.js";

export function slashes(area) {
  const commands = [...area.form.querySelectorAll("[data-command]")].map((each) => [each.dataset.command, each.dataset.says]);
  const list = make("ul", "menu");
  list.id = "commands";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("Commands"));
  area.after(list);
  area.setAttribute("aria-autocomplete", "list");
  area.setAttribute("aria-controls", list.id);
  let chosen = 0;

  const choose = (at) => {
    const options = [...list.children];
    chosen = (at + options.length) % options.length;
    options.forEach((each, index) => each.setAttribute("aria-selected", String(index === chosen)));
    area.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const close = () => { list.hidden = true; area.removeAttribute("aria-activedescendant"); };
  const take = (command) => {
    area.value = `${command} `;
    close();
    area.focus();
  };
  const option = ([command, says]) => {
    const made = make("li", "", make("code", "", command), make("span", "soft small", says));
    made.id = `command-${command.slice(1)}`;
    made.setAttribute("role", "option");
    made.addEventListener("mousedown", (event) => { event.preventDefault(); take(command); });
    return made;
  };
  area.addEventListener("input", () => {
    const typed = area.value;
    const found = /^\/\S*$/.test(typed) ? commands.filter(([command]) => command.startsWith(typed) && command !== typed) : [];
    list.replaceChildren(...found.map(option));
    if (found.length) { list.hidden = false; choose(0); } else close();
  });
  area.addEventListener("blur", close);
  // Says whether the menu took the key.
  return (event) => {
    if (list.hidden) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) take(list.children[chosen].firstChild.textContent);
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    return true;
  };
}
