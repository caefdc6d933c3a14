// Chat: answers that are drawn while they come, and conversations that can be taken up again.
import { answerOf, desk, figures } from "./asking.js";
import { attaching } from "./attach.js";
import { keeper } from "./kept.js";
import { colour, drawer, markdown } from "./markdown.js";
import { alert, make, press } from "./parts.js";
import { slashes } from "./slash.js";

const fresh = () => Math.random().toString(36).slice(2);

function turn(role, whose, text = "") {
  const said = make("div", "said", markdown(text));
  const told = make("div", "told");
  return { whole: make("li", `turn ${role}`, make("div", "whose", whose), said, told), said, told };
}

function copier(text, tell) {
  const copy = press(t("Copy"), "quiet", () => {
    const done = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error());
    done.then(() => { copy.textContent = t("Copied"); tell(t("Copied.")); }, () => tell(t("This browser lets nothing be copied here: select it.")));
  });
  copy.setAttribute("aria-label", t("Copy the answer"));
  return copy;
}

// The list of conversations of this tab.
function shelf(form, kept, open, forgotten) {
  const place = form.querySelector("[data-kept]");
  const list = place.querySelector("ul");
  place.querySelector("[data-forget]").addEventListener("click", () => {
    if (window.confirm(t("Delete every conversation of this tab?"))) { kept.forget(); forgotten(); }
  });
  return (now) => {
    const all = kept.all();
    place.hidden = !all.length;
    list.replaceChildren(...all.map((each) => {
      const way = press(each.title, "quiet", () => open(each));
      if (each.id === now) way.setAttribute("aria-current", "true");
      const remove = press(t("Delete"), "quiet", () => { kept.forget(each.id); forgotten(each.id); });
      remove.setAttribute("aria-label", t("Delete “{name}”", { name: each.title }));
      return make("li", "", way, remove);
    }));
  };
}

export function chats(form) {
  const log = form.querySelector(".turns");
  const { history, message } = form.elements;
  const { tell, during, stop } = desk(form);
  const kept = keeper(form.dataset.person);
  const menu = slashes(message);
  let id = fresh();

  const turns = () => JSON.parse(history.value || "[]");
  const draw = () => {
    const made = turns().map((each) => {
      const one = turn(each.role, each.role === "user" ? t("You") : each.model || t("Model"), each.content);
      if (each.role !== "user") one.told.append(copier(each.content, tell));
      return one.whole;
    });
    log.replaceChildren(...made);
    colour(form, log);
  };
  const begin = (words) => {
    stop();
    id = fresh();
    history.value = "[]";
    draw();
    list(id);
    tell(words);
    message.focus();
  };
  const open = (each) => {
    stop();
    id = each.id;
    history.value = JSON.stringify(each.turns);
    draw();
    list(id);
    tell(t("Taken up again."));
    message.focus();
    log.lastChild?.scrollIntoView({ block: "nearest" });
  };
  const list = shelf(form, kept, open, (gone) => (!gone || gone === id ? begin(t("Deleted.")) : list(id)));
  const keep = (added) => {
    const all = [...turns(), ...added];
    history.value = JSON.stringify(all);
    kept.save(id, all);
    list(id);
  };
  const again = (text, mine, theirs) => {
    mine.whole.remove();
    theirs.whole.remove();
    send(text);
  };
  const answered = (text, result, mine, theirs) => {
    if (result.model || form.elements.model.value) theirs.whole.firstChild.textContent = result.model || form.elements.model.value;
    if (result.error) {
      theirs.said.append(alert(result));
      theirs.told.append(press(t("Ask again"), "", () => again(text, mine, theirs)));
    }
    if (result.text) theirs.told.append(copier(result.text, tell));
    if (result.model || result.stopped) theirs.told.append(make("span", "soft small", figures(result)));
    tell(result.error ? "" : result.stopped ? t("Stopped.") : t("Answered."));
    // an answer that broke off is shown, and no part of what goes on
    if (result.text && !result.error) keep([{ role: "user", content: text }, { role: "assistant", content: result.text, model: result.model || form.elements.model.value }]);
    else if (result.stopped) { mine.whole.remove(); theirs.whole.remove(); if (!message.value) message.value = text; }
  };
  const send = (text) => {
    const mine = turn("user", t("You"), text);
    const theirs = turn("assistant", t("Model"));
    theirs.said.append(make("p", "soft", t("Thinking…")));
    log.append(mine.whole, theirs.whole);
    tell(t("Asking…"));
    log.setAttribute("aria-busy", "true");
    const near = () => window.innerHeight + window.scrollY > document.documentElement.scrollHeight - 160;
    let follows = true;
    const grow = drawer(theirs.said, () => { if (follows) theirs.whole.scrollIntoView({ block: "nearest" }); });
    const onScroll = () => { follows = near() || theirs.whole.getBoundingClientRect().bottom < window.innerHeight + 200; };
    window.addEventListener("wheel", onScroll, { passive: true });
    message.value = "";
    return during(async (signal) => {
      const result = await answerOf(form, { message: text }, signal, grow);
      window.removeEventListener("wheel", onScroll);
      grow.end(markdown(result.text));
      answered(text, result, mine, theirs);
      log.setAttribute("aria-busy", "false");
      colour(form, theirs.whole);
    });
  };
  const submit = () => {
    const text = message.value.trim();
    if (!text) { tell(t("Write a message first.")); message.focus(); return; }
    if (text === "/clear") { message.value = ""; begin(t("A new conversation.")); } else send(text);
  };

  attaching(form, tell);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.value === "clear") begin(t("A new conversation."));
    else submit();
  });
  message.addEventListener("keydown", (event) => {
    if (menu(event) || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  draw();
  list(id);
}
