"""Somebody with a token in front of an instance: requests of GitLab's clients, over HTTP and over the WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from house import FIM, LIMITS, PEPPER, WORDS, asking
from offices import Office, office_at
from websockets.asyncio.client import connect

from homeport.access import SCOPES, tokens
from homeport.domain.models import FeatureSetting, Model, Secret, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wire import Answer

PATIENCE_S = 10.0
KEY = "sk-canary-of-the-instance"
SUBSCRIPTION = """
subscription aiCompletionResponse($userId: UserID, $clientSubscriptionId: String, $aiAction: AiAction) {
  aiCompletionResponse(userId: $userId, aiAction: $aiAction, clientSubscriptionId: $clientSubscriptionId) {
    id requestId content errors role timestamp type chunkId extras { sources }
  }
}
"""
CHAT = """
mutation chat($question: String!, $file: AiCurrentFileInput, $clientSubscriptionId: String) {
  aiAction(input: {
    chat: { resourceId: null, content: $question, currentFile: $file }
    clientSubscriptionId: $clientSubscriptionId platformOrigin: "vs_code_extension"
  }) { requestId errors }
}
"""


class Desk:
    """An instance with two models, and ada's token."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.house = office.house
        self.store = office.store
        self.token = ""

    async def admit(self, *scopes: str, name: str = "laptop", owner: str = "ada") -> str:
        """A token of these scopes, or of all."""
        made = tokens.mint()
        row = Token(name=name, owner=owner, digest=tokens.digest(PEPPER, made), scopes=frozenset(scopes or SCOPES))
        await self.store.add_token(row, by="tests")
        return made

    async def furnish(self) -> None:
        """Two models that serve completion, generation and chat."""
        for name, family in ((FIM, "qwen_coder"), (WORDS, "general")):
            identifier, endpoint = f"served-{name}", self.house.models.url
            model = Model(name=name, platform="openai", family=family, endpoint=endpoint, identifier=identifier,
                          key=Secret(KEY), limits=LIMITS)  # fmt: skip
            await self.store.add_model(model, by="tests")
        for feature, name in (("code_completions", FIM), ("code_generations", WORDS), ("chat", WORDS)):
            setting = FeatureSetting(feature=feature, assignment="model", model=name)
            await self.store.set_feature(setting, by="tests")

    async def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Answer:
        """One request; names of headers with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.house.line() as wire:
            await wire.send(asking(method, path, body, sent, self.token if token is None else token))
            return await wire.answer()

    async def query(self, query: str, variables: Any = None, token: str | None = None) -> Any:
        """The answer to a GraphQL document."""
        answer = await self.ask("POST", "/api/graphql", {"query": query, "variables": variables}, token)
        assert answer.status == 200, answer.body
        return answer.json

    async def data(self, query: str, variables: Any = None) -> Any:
        """The same, without errors."""
        found = await self.query(query, variables)
        assert "errors" not in found, found
        return found["data"]

    async def me(self) -> str:
        """Ada's global id."""
        found: str = (await self.data("{ currentUser { id } }"))["currentUser"]["id"]
        return found

    @contextlib.asynccontextmanager
    async def cable(self, token: str | None = None, **headers: str) -> AsyncIterator[Cable]:
        """A WebSocket."""
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"} | headers
        url = f"ws://127.0.0.1:{self.house.port}/-/cable"
        async with connect(
            url, subprotocols=["actioncable-v1-json"], additional_headers={k: v for k, v in sent.items() if v}
        ) as socket:
            yield Cable(socket)


class Cable:
    """One client of ActionCable, which hides nothing."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def hear(self, *, pings: bool = False) -> Any:
        """The next message; pings are passed over."""
        while True:
            async with asyncio.timeout(PATIENCE_S):
                found = json.loads(await self.socket.recv())
            if pings or found.get("type") != "ping":
                return found

    async def send(self, **command: Any) -> None:
        """A command."""
        await self.socket.send(json.dumps(command))

    async def subscribe(self, user: str, listener: str = "s1", query: str = SUBSCRIPTION, **more: Any) -> str:
        """Subscribe, and see it confirmed with its first message; gives the identifier."""
        identifier = subscription(user, listener, query, **more)
        await self.send(command="subscribe", identifier=identifier)
        assert await self.hear() == {"type": "confirm_subscription", "identifier": identifier}
        return identifier

    async def said(self) -> Any:
        """The next message of a subscription."""
        return (await self.hear())["message"]["result"]["data"]["aiCompletionResponse"]


def subscription(user: str, listener: str = "s1", query: str = SUBSCRIPTION, **more: Any) -> str:
    """The identifier with which GitLab's language server subscribes."""
    variables = {"userId": user, "aiAction": "CHAT", "clientSubscriptionId": listener, "htmlResponse": False}
    asked = {"channel": "GraphqlChannel", "operationName": "aiCompletionResponse", "query": query}
    return json.dumps(asked | {"variables": json.dumps(variables)} | more)


@contextlib.asynccontextmanager
async def desk_at(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    """An instance, furnished, with a token that may do everything."""
    async with office_at(folder, **settings) as office:
        desk = Desk(office)
        desk.token = await desk.admit()
        await desk.furnish()
        yield desk
