// The playground: what its forms do where there is a script.
import { answerOf, desk, figures } from "./asking.js";
import { chats } from "./chat.js";
import { completes } from "./completion.js";
import { colour, drawer, markdown } from "./markdown.js";
import { alert, make } from "./parts.js";

function prompts(form) {
  const results = form.querySelector(".results");
  const { tell, during } = desk(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell(t("Asking…"));
    const whose = make("h3", "", t("Answer"));
    const said = make("div", "said", make("p", "soft", t("Waiting for the first word…")));
    const told = make("p", "soft small");
    results.replaceChildren(make("div", "card result", whose, said, told));
    const draw = drawer(said);
    during(async (signal) => {
      const result = await answerOf(form, {}, signal, draw);
      if (result.model) whose.textContent = result.model;
      draw.end(markdown(result.text), ...(result.error ? [alert(result)] : []));
      told.textContent = result.model || result.stopped ? figures(result) : "";
      tell(result.stopped ? t("Stopped.") : result.error ? "" : t("Answered."));
      colour(form, said);
    });
  });
}

const KINDS = { code: completes, chat: chats, prompt: prompts };

function start() {
  for (const form of document.querySelectorAll("form.play:not([data-ready])")) {
    form.dataset.ready = "";
    for (const each of form.querySelectorAll(".scripted:not([data-stop])")) each.hidden = false;
    for (const each of form.querySelectorAll(".unscripted")) each.hidden = true;
    KINDS[form.dataset.kind]?.(form);
  }
}

document.addEventListener("htmx:load", start);
start();
