"""llm, the command line."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="llm",
    does=mark("questions and tools in the terminal"),
    scopes=frozenset({"duo_chat", "complete_code"}),
    order=71,
    steps=(
        Step(
            'Into extra-openai-models.yaml, in the folder that dirname "$(llm logs path)" prints:',
            """- model_id: homeport
  model_name: chat
  api_base: @ADDRESS@/v1
  api_key_name: homeport
  supports_tools: true
  supports_schema: true
- model_id: homeport-code
  model_name: code_completions
  api_base: @ADDRESS@/v1
  api_key_name: homeport
  completion: true""",
            "yaml",
        ),
        Step(
            "In a terminal:",
            """llm keys set homeport --value @TOKEN@
llm -m homeport "Write a regular expression for a hex colour.\"""",
        ),
    ),
)
