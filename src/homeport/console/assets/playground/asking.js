// Asking: an answer is read while it is written, and the server hears when nobody waits for it any longer.
const PAGE = "/console/playground";
const MOST = 1_000_000;

// A key of the session that somebody has signed in to meanwhile, in another tab; nothing where that is not why.
async function freshKey(form, answer) {
  const found = answer.status === 403 && (await answer.text()).match(/name="key" value="([\w-]+)"/);
  if (!found || found[1] === form.elements.key.value) return false;
  form.elements.key.value = found[1];
  return true;
}

async function* asked(form, more, signal) {
  const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
  for (const [name, value] of Object.entries({ ...more, do: "stream" })) body.set(name, value);
  const size = body.toString().length;
  if (size > MOST) throw new Error(t("This is too large to send: {size} kB, where {most} kB are the most. Remove the file, or begin anew.", { size: Math.round(size / 1000), most: MOST / 1000 }));
  const answer = await fetch(PAGE, { method: "POST", body, signal });
  if (!answer.headers.get("content-type")?.startsWith("application/x-ndjson")) {
    if (await freshKey(form, answer)) { yield* asked(form, more, signal); return; }
    throw new Error(answer.status === 401
      ? t("Your session has ended. Sign in in another tab, then ask again: nothing here is lost.")
      : t("Homeport did not take the question. Reload the page and ask again."));
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
export async function answerOf(form, more, signal, onText) {
  let text = "";
  let result = { error: t("The answer broke off.") };
  try {
    for await (const line of asked(form, more, signal)) {
      if (line.done) result = line.done;
      else { text += line.text; onText(text); }
    }
  } catch (error) {
    const stopped = error.name === "AbortError";
    result = stopped ? { stopped } : { error: error instanceof TypeError ? t("Homeport cannot be reached.") : error.message };
  }
  return { ...result, text };
}

export function figures(result) {
  if (result.stopped) return t("stopped");
  if (result.error && !result.text) return "";
  const tokens = result.counted ? tn("{count} token", "{count} tokens", result.tokens) : tn("about {count} token", "about {count} tokens", result.tokens);
  return t("first after {first} ms · whole after {whole} ms · {tokens}", { first: result.first_ms, whole: result.whole_ms, tokens });
}

// What all forms have in common: one question at a time, a way to stop it, and a clock while nothing comes.
export function desk(form) {
  const stop = form.querySelector("[data-stop]");
  const told = form.querySelector("[data-told]");
  let going = null;
  const end = () => going?.abort();
  stop.addEventListener("click", end);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && going && !event.defaultPrevented) end();
  });
  // another page took the place of this one
  document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target?.contains(form)) end(); });
  return {
    tell(text) { told.textContent = text; },
    stop: end,
    async during(work) {
      going?.abort();
      const mine = going = new AbortController();
      stop.hidden = false;
      try { await work(mine.signal); } finally {
        if (going === mine) {
          going = null;
          // the focus would be lost with the button
          if (document.activeElement === stop) form.querySelector("button.first").focus();
          stop.hidden = true;
        }
      }
    },
  };
}
