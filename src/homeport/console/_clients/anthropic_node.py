"""The Anthropic SDK in JavaScript."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Anthropic SDK (JavaScript)",
    does=mark("chat in programs"),
    scopes=frozenset({"duo_chat"}),
    order=88,
    steps=(
        Step(
            "In a module:",
            """import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "@ADDRESS@", apiKey: "@TOKEN@" });
const answer = await client.messages.create({
  model: "chat",
  max_tokens: 1000,
  messages: [{ role: "user", content: "Write a regular expression for a hex colour." }],
});
console.log(answer.content[0].text);""",
            "js",
        ),
    ),
)
