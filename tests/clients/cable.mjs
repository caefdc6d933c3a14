// Rails' own client of ActionCable, as GitLab's extensions use it: subscribe, ask, print what comes, leave.
import { createRequire } from "node:module";
import WS from "ws";

const [base, token, user, question] = process.argv.slice(2);
globalThis.self = globalThis;
globalThis.document = { addEventListener() {}, visibilityState: "visible" };
globalThis.addEventListener = () => {};
globalThis.removeEventListener = () => {};
const { createConsumer, adapters } = createRequire(import.meta.url)("@rails/actioncable");

const headers = { Authorization: `Bearer ${token}`, Origin: base };
adapters.WebSocket = class extends WS {
  constructor(url, protocols) {
    super(url, protocols, { headers });
  }
};
const subscription = `subscription aiCompletionResponse($userId: UserID, $clientSubscriptionId: String, $aiAction: AiAction,
  $htmlResponse: Boolean = true) {
  aiCompletionResponse(userId: $userId, aiAction: $aiAction, clientSubscriptionId: $clientSubscriptionId) {
    id requestId content contentHtml @include(if: $htmlResponse) errors role timestamp type chunkId extras { sources }
  }
}`;
const mutation = `mutation chat($question: String!, $clientSubscriptionId: String, $platformOrigin: String!) {
  aiAction(input: { chat: { content: $question }, clientSubscriptionId: $clientSubscriptionId,
    platformOrigin: $platformOrigin }) { requestId errors }
}`;
const clientSubscriptionId = "7f6e";
const say = (event, data) => console.log(JSON.stringify({ event, ...data }));

async function ask() {
  const body = JSON.stringify({
    query: mutation,
    variables: { question, clientSubscriptionId, platformOrigin: "vs_code_extension" },
  });
  const answer = await fetch(`${base}/api/graphql`, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body,
  });
  say("asked", (await answer.json()).data.aiAction);
}

const cable = createConsumer(`${base.replace("http", "ws")}/-/cable`);
cable.subscriptions.create(
  {
    channel: "GraphqlChannel",
    operationName: "aiCompletionResponse",
    query: subscription,
    variables: JSON.stringify({ userId: user, aiAction: "CHAT", clientSubscriptionId, htmlResponse: false }),
  },
  {
    connected() {
      say("connected", {});
      ask();
    },
    disconnected() {
      say("disconnected", {});
    },
    rejected() {
      say("rejected", {});
    },
    received(message) {
      const said = message.result.data.aiCompletionResponse;
      say("received", { said });
      if (said && !said.chunkId) {
        cable.disconnect();
        process.exit(0);
      }
    },
  },
);
setTimeout(() => process.exit(3), 20000);
