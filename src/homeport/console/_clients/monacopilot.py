"""monacopilot: completion in Monaco, the editor of VS Code, on a web page."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Monaco on a web page (monacopilot)"),
    does=mark("completion as you type"),
    scopes=frozenset({"complete_code"}),
    order=91,
    steps=(
        Step(
            "In the page:",
            """import * as monaco from "monaco-editor";
import { registerCompletion } from "monacopilot";

const editor = monaco.editor.create(document.querySelector("#editor"), { language: "python" });
registerCompletion(monaco, editor, { language: "python", endpoint: "/complete", trigger: "onTyping" });""",
            "js",
        ),
        Step(
            "What answers /complete on the page's own server, which keeps the token:",
            """export async function POST(request) {
  const { textBeforeCursor, textAfterCursor } = (await request.json()).completionMetadata;
  const answer = await fetch("@ADDRESS@/v1/completions", {
    method: "POST",
    headers: { Authorization: "Bearer @TOKEN@", "Content-Type": "application/json" },
    body: JSON.stringify({
      model: "code_completions",
      prompt: textBeforeCursor,
      suffix: textAfterCursor,
      max_tokens: 100,
    }),
  });
  if (!answer.ok) return answer;
  return Response.json({ completion: (await answer.json()).choices[0].text });
}""",
            "js",
        ),
    ),
)
