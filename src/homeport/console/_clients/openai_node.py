"""The OpenAI SDK in JavaScript."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="OpenAI SDK (JavaScript)",
    does=mark("chat in programs"),
    scopes=frozenset({"duo_chat"}),
    order=86,
    steps=(
        Step(
            "In a module:",
            """import OpenAI from "openai";

const client = new OpenAI({ baseURL: "@ADDRESS@/v1", apiKey: "@TOKEN@" });
const answer = await client.chat.completions.create({
  model: "chat",
  messages: [{ role: "user", content: "Write a regular expression for a hex colour." }],
});
console.log(answer.choices[0].message.content);""",
            "js",
        ),
    ),
)
