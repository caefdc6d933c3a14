"""codemirror-copilot: completion in an editor on a web page."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("CodeMirror on a web page (codemirror-copilot)"),
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=90,
    steps=(
        Step(
            "In the page:",
            """import { EditorView } from "@codemirror/view";
import { inlineCopilot } from "codemirror-copilot";

async function complete(prefix, suffix) {
  const answer = await fetch("/complete", { method: "POST", body: JSON.stringify({ prefix, suffix }) });
  if (answer.ok) return (await answer.json()).text;
  console.warn(await answer.text());
  return "";
}

new EditorView({ parent: document.querySelector("#editor"), extensions: [inlineCopilot(complete, 300)] });""",
            "js",
        ),
        Step(
            "What answers /complete on the page's own server, which keeps the token:",
            """export async function POST(request) {
  const { prefix, suffix } = await request.json();
  const answer = await fetch("@ADDRESS@/v1/completions", {
    method: "POST",
    headers: { Authorization: "Bearer @TOKEN@", "Content-Type": "application/json" },
    body: JSON.stringify({ model: "code_completions", prompt: prefix, suffix, max_tokens: 100 }),
  });
  if (!answer.ok) return answer;
  return Response.json({ text: (await answer.json()).choices[0].text });
}""",
            "js",
        ),
    ),
)
