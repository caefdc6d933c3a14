"""Code generation: code from an instruction, at the cursor."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.codetext.clean import GenerationCleaner
from homeport.codetext.language import language_of
from homeport.codetext.related import lead
from homeport.codetext.window import window
from homeport.domain.prompts import Prompt
from homeport.domain.requests import CodeRequest
from homeport.domain.wording import Wording
from homeport.families import SLOTS
from homeport.features import Feature, Input, Template
from homeport.features._ask import answer_room, ask, budget, choose
from homeport.features._code import cleaned, cleaner, first_of, related, sampling_of, silent_on_language
from homeport.features._measure import note_cut
from homeport.features._seen import thought_begun
from homeport.features._wording import worded_by
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.codetext.language import Language
    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench


WORDING = Wording(
    system=(
        "You write {language} code inside an editor. Reply with the code to insert at the cursor and nothing else: "
        "no explanation and no Markdown fence. Fit the indentation, the names and the style of the file, "
        "and do not repeat code that is already there."
    ),
    user=(
        "{#libraries}The project uses these libraries:\n<libraries>\n{libraries}\n</libraries>\n\n{/libraries}"
        "{#examples}Examples of what is asked, and of good replies:\n<examples>\n{examples}\n</examples>\n\n{/examples}"
        "{related}File: {file_name}\n\n<before_cursor>\n{before}</before_cursor>\n"
        "<after_cursor>{after}\n</after_cursor>\n\n{instruction}"
    ),
)
TEMPLATE = Template(
    id="code_suggestions/generations",
    inputs=tuple(map(Input, (*SLOTS, "libraries", "examples"))),
    versions={"1.0.0": WORDING},
    dated=False,
)
LIBRARIES_SHARE, EXAMPLES_SHARE = 0.05, 0.1
"""The parts of a prompt that these may take."""
FROM_COMMENT = "Do what the last comment or the unfinished code before the cursor asks for."


async def run(bench: Workbench, wanted: CodeRequest) -> Chunks:
    """Write the code."""
    model = choose(bench, "code_generations", wanted.model)
    language = language_of(wanted.file_name, wanted.language, wanted.before)
    prompt = build(bench, model, wanted, language)
    begun = thought_begun(bench, model, prompt.kind)
    keep = cleaner(model, wanted, GenerationCleaner, prompt, language, begun=begun)
    note(lang=language.id if language else "", prompt_length=prompt.size)
    async with aclosing(ask(bench, model, prompt, lambda: build(bench, model, wanted, language))) as answer:
        async for chunk in cleaned(answer, keep):
            yield chunk


def build(bench: Workbench, model: Model, wanted: CodeRequest, language: Language | None) -> Prompt:
    """The prompt, in words; a family that only continues text gets the code itself."""
    family = bench.family(model)
    said = worded_by(bench, TEMPLATE, "code_generations", model)
    answer_tokens = answer_room(bench, model, wanted.sampling.max_tokens or said.max_tokens or family.generation_tokens)
    characters = budget(bench, model, answer_tokens)
    files = related(bench, wanted, characters)
    ahead = lead(files, "", "", language, wanted.file_name)
    libraries = first_of(wanted.libraries, int(characters * LIBRARIES_SHARE))
    examples = first_of(wanted.examples, int(characters * EXAMPLES_SHARE))
    room = max(characters - len(ahead) - len(libraries) - len(examples), characters // 4)
    code = window(wanted.before, wanted.after, budget=room, suffix_share=bench.completion_suffix_share)
    note_cut(len(wanted.before) + len(wanted.after), len(code.before) + len(code.after))
    sampling = sampling_of(wanted, said, answer_tokens, family.generation_temperature, family.stops)
    if not family.chat and model.platform in bench.text_platforms:
        return Prompt(kind="text", text=ahead + code.before, sampling=sampling, stream=wanted.stream)
    values = {
        "before": code.before,
        "after": code.after,
        "related": ahead,
        "file_name": wanted.file_name or "untitled",
        "language": language.name if language else "",
        "instruction": wanted.instruction.strip() or FROM_COMMENT,
        "libraries": libraries,
        "examples": examples,
    }
    wording = said.wording if language else silent_on_language(said.wording)
    messages = wording.messages(values, system_role=family.system_role)
    return Prompt(kind="chat", messages=messages, sampling=sampling, stream=wanted.stream)


FEATURE = Feature(
    title="Code generation",
    section="Code Suggestions",
    scope="generate_code",
    request=CodeRequest,
    run=run,
    template=TEMPLATE,
)
