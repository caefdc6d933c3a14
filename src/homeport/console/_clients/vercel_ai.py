"""Vercel's AI SDK."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Vercel AI SDK (JavaScript)",
    does=mark("chat and tools in programs"),
    scopes=frozenset({"duo_chat"}),
    order=89,
    steps=(
        Step(
            "In a module, with the packages ai and @ai-sdk/openai-compatible:",
            """import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";

const homeport = createOpenAICompatible({ name: "homeport", baseURL: "@ADDRESS@/v1", apiKey: "@TOKEN@" });
const { text } = await generateText({
  model: homeport("chat"),
  prompt: "Write a regular expression for a hex colour.",
});
console.log(text);""",
            "js",
        ),
    ),
)
