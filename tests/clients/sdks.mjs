// The SDKs of other people: ask Homeport once, let it stream, print the text and how an unknown model is told.
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";

const [base, apiKey, model] = process.argv.slice(2);
const messages = [{ role: "user", content: "What is a mutex?" }];
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, authToken: apiKey, apiKey: null, maxRetries: 0 });
const homeport = createOpenAICompatible({ name: "homeport", baseURL: `${base}/v1`, apiKey });
const weather = tool({
  description: "Tells the weather.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: async ({ city }) => `rain in ${city}`,
});

async function joined(pieces, text) {
  let said = "";
  for await (const each of pieces) said += text(each) ?? "";
  return said;
}

const found = {
  chat: await joined(
    await openai.chat.completions.create({ model, messages, stream: true }),
    (chunk) => chunk.choices[0]?.delta.content,
  ),
  responses: (await openai.responses.stream({ model, input: "What is a mutex?" }).finalResponse()).output_text,
  messages: await anthropic.messages.stream({ model, max_tokens: 50, messages }).finalText(),
  counted: (await anthropic.messages.countTokens({ model, messages })).input_tokens > 0,
  ai: await joined(streamText({ model: homeport(model), messages, maxRetries: 0 }).textStream, (text) => text),
  tools: (
    await generateText({ model: homeport(model), messages, tools: { weather }, maxRetries: 0 })
  ).finishReason,
  unknown: await Promise.all([
    openai.responses.create({ model: "gpt-9", input: "x" }).catch((error) => error.constructor.name),
    anthropic.messages.create({ model: "claude-9", max_tokens: 5, messages }).catch((error) => error.status),
  ]),
};
console.log(JSON.stringify(found));
