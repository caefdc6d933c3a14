// The SDKs of other people: ask Homeport once, let it stream, fill a hole, call a tool, leave; print what came.
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const [base, apiKey, model] = process.argv.slice(2);
const messages = [{ role: "user", content: "What is a mutex?" }];
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, authToken: apiKey, apiKey: null, maxRetries: 0 });
const homeport = createOpenAICompatible({ name: "homeport", baseURL: `${base}/v1`, apiKey });
const schema = { type: "object", properties: { city: { type: "string" } } };
const weather = tool({
  description: "Tells the weather.",
  inputSchema: jsonSchema(schema),
  execute: async ({ city }) => `rain in ${city}`,
});
const asked = [{ role: "user", content: "Weather in Ghent?" }];
const code = { model: "code_completions", prompt: "print(", suffix: ")", max_tokens: 50 };

const wait = [{ role: "user", content: "Wait." }];

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
  hole: (await openai.completions.create(code)).choices[0].text,
  models: (await openai.models.list()).data.map((each) => each.id),
  embedding: (await openai.embeddings.create({ model, input: "a" })).data[0].embedding.length,
  calls: [
    (
      await openai.chat.completions.create({
        model,
        messages: asked,
        tools: [{ type: "function", function: { name: "weather", parameters: schema } }],
      })
    ).choices[0].message.tool_calls[0].function.arguments,
    (
      await anthropic.messages.create({
        model,
        max_tokens: 50,
        messages: asked,
        tools: [{ name: "weather", input_schema: schema }],
      })
    ).content[0].input.city,
    (
      await generateText({
        model: homeport(model),
        messages: asked,
        tools: { weather },
        stopWhen: stepCountIs(2),
        maxRetries: 0,
      })
    ).text,
  ],
  unknown: await Promise.all([
    openai.responses.create({ model: "gpt-9", input: "x" }).catch((error) => error.constructor.name),
    anthropic.messages.create({ model: "claude-9", max_tokens: 5, messages }).catch((error) => error.status),
  ]),
};
for await (const _ of await openai.chat.completions.create({ model, messages: wait, stream: true })) break;
for await (const _ of await anthropic.messages.create({ model, max_tokens: 50, messages: wait, stream: true })) break;
const leaving = new AbortController();
const waiting = streamText({ model: homeport(model), messages: wait, maxRetries: 0, abortSignal: leaving.signal });
for await (const _ of waiting.textStream) leaving.abort();
console.log(JSON.stringify(found));
