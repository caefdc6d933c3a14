// Completion: up to four models beside each other; what the chosen one says is shown in grey at the cursor.
import { answerOf, desk, figures } from "./asking.js";
import { ghostly } from "./editor.js";
import { alert, make, press } from "./parts.js";

const PAUSE_MS = 250;
// more than a model's window holds need not travel
const BEFORE = 120_000;
const AFTER = 60_000;

const tidy = (select) => select.closest(".field");

// Shows as many choices of a model as are used, and one more when somebody asks.
function models(form) {
  const places = [...form.querySelectorAll("[name=model]")];
  const more = form.querySelector("[data-more]");
  const shown = () => places.filter((each) => !tidy(each).hidden);
  const settle = () => { more.hidden = shown().length === places.length; };
  for (const each of places.slice(1)) tidy(each).hidden = !each.value;
  more.addEventListener("click", () => {
    const next = places.find((each) => tidy(each).hidden);
    tidy(next).hidden = false;
    settle();
    next.focus();
  });
  settle();
  return () => [...new Set(places.map((each, at) => (at && !each.value ? null : each.value.trim())))].filter((each) => each !== null);
}

// A card for each model: who, what, how long.
function pane(name) {
  const whose = make("h3", "", name || t("As the setting says"));
  const said = make("pre", "", make("code", "", ""));
  said.tabIndex = 0;
  said.hidden = true;
  const told = make("p", "soft small", t("Waiting for the first word…"));
  const use = make("div", "buttons");
  const whole = make("div", "card result", whose, said, told, use);
  whole.setAttribute("role", "group");
  const usual = t("the model that is set");
  whole.setAttribute("aria-label", t("Answer of {model}", { model: name || usual }));
  return {
    whole,
    grow(text) { said.hidden = !text; said.firstChild.textContent = text; },
    end(result, onUse) {
      if (result.model) { whose.textContent = result.model; whole.setAttribute("aria-label", t("Answer of {model}", { model: result.model })); }
      if (!result.model && result.error) whose.textContent = name || t("Nobody answered");
      said.hidden = !result.text;
      said.firstChild.textContent = result.text;
      told.textContent = result.model || result.stopped ? figures(result) : "";
      if (result.error) told.before(alert(result));
      else if (!result.text) told.before(make("p", "soft", t("Nothing to add here.")));
      if (result.text) use.append(press(t("Insert"), "", onUse));
    },
    choose(on) { whole.classList.toggle("chosen", on); },
  };
}

// The editor is large: it is loaded when somebody reaches for the form, by pointer or by key.
const SIGNS = ["pointerover", "focusin", "touchstart"];

export function completes(form) {
  const results = form.querySelector(".results");
  const chosen = models(form);
  const { tell, stop, during } = desk(form);
  let timer = 0;
  let round = [];
  let shown = 0;

  let editor = null;
  let loading = null;
  const hears = {
    typed() {
      clearTimeout(timer);
      stop();
      tell("");
      if (form.elements.typing.checked) timer = setTimeout(ask, PAUSE_MS);
    },
    moved() { clearTimeout(timer); },
    accepted() { stop(); tell(t("Accepted.")); },
    dismissed() { clearTimeout(timer); stop(); tell(t("Dismissed.")); },
    ask: () => ask(),
    other: (step) => show(shown + step),
  };
  const load = () => { loading ??= ghostly(form, hears).then((made) => { editor = made; }, () => {}); return loading; };
  for (const each of SIGNS) form.addEventListener(each, load, { once: true, passive: true });

  const show = (at) => {
    const with_ = round.map((each, index) => index).filter((index) => round[index].text);
    if (!with_.length) return false;
    shown = with_.includes(at) ? at : at > Math.max(...with_) ? with_[0] : at < 0 ? with_.at(-1) : with_.find((each) => each > shown) ?? with_[0];
    editor.show(round[shown].text, round[shown].at);
    round.forEach((each, index) => each.pane.choose(index === shown && round.length > 1));
    if (round.length > 1) tell(t("Shown: {model}.", { model: round[shown].pane.whole.querySelector("h3").textContent }));
    return true;
  };
  const askOne = async (mine, name, more, signal) => {
    const { at, pane: into } = mine;
    const onText = (text) => {
      mine.text = text;
      into.grow(text);
      if (round[shown] === mine || !round[shown]?.text) { shown = round.indexOf(mine); editor.show(text, at); }
    };
    const result = await answerOf(form, { ...more, model: name }, signal, onText);
    into.end(result, () => { stop(); editor.insert(result.text, at); tell(t("Inserted.")); });
    return result;
  };
  const ask = () => {
    clearTimeout(timer);
    editor.hide();
    const { before, after, at } = editor.around();
    const more = { before: before.slice(-BEFORE), after: after.slice(0, AFTER), code: "" };
    const names = chosen();
    round = names.map((name) => ({ name, at, text: "", pane: pane(name) }));
    shown = 0;
    const mine = round;
    results.replaceChildren(...mine.map((each) => each.pane.whole));
    tell(t("Asking…"));
    return during(async (signal) => {
      const all = await Promise.all(mine.map((each) => askOne(each, each.name, more, signal)));
      if (round !== mine) return;
      if (all.some((each) => each.stopped)) return;
      const texts = all.filter((each) => each.text).length;
      const keys = texts > 1 ? t("Tab accepts, Esc dismisses, Alt ] shows the next.") : t("Tab accepts, Esc dismisses.");
      tell(texts ? `${figures(all.find((each) => each.text))}. ${keys}`
        : all.some((each) => each.error) ? "" : t("Nothing to add here."));
    });
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await load();
    // without the editor the form is sent as it is without a script
    if (!editor) { form.submit(); return; }
    editor.focus();
    ask();
  });
}
