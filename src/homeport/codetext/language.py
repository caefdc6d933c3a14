"""Which programming language a file is in, and what its comments and strings look like.

The first thirteen ids and their extensions are those that GitLab's editors expect back as `lang`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

HEAD = 400
"""Characters of the content that are looked at when neither name nor editor tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language as far as cleaning and prompting need to know it."""

    id: str
    """Lower-case and stable: what protocols answer as `lang`."""
    name: str
    """As people write it."""
    line_comment: str = ""
    block_comment: tuple[str, str] = ("", "")
    extensions: tuple[str, ...] = ()
    """Without the dot."""
    editor_ids: tuple[str, ...] = ()
    """What editors call it when that is not its id."""
    files: tuple[str, ...] = ()
    """File names that need no extension, lower-case."""
    interpreters: tuple[str, ...] = ()
    """Programs that a first line `#!` names."""
    quotes: str = "\"'"
    """What may open and close a string on one line."""
    long_quotes: tuple[str, ...] = ()
    """What may open and close a string over several lines."""
    markup: bool = False
    """Written in tags, so that a sentinel may look like one of its own."""


_C = ("/*", "*/")
_XML = ("<!--", "-->")
_TRIPLE = ('"""', "'''")

LANGUAGES: tuple[Language, ...] = (
    Language(id="c", name="C", line_comment="//", block_comment=_C, extensions=("c", "h")),
    Language(
        id="cpp",
        name="C++",
        line_comment="//",
        block_comment=_C,
        extensions=("cpp", "hpp", "c++", "h++", "cc", "hh", "cxx", "hxx", "C", "H", "ino", "cu", "cuh"),
        editor_ids=("c++", "cuda-cpp"),
    ),
    Language(
        id="csharp", name="C#", line_comment="//", block_comment=_C, extensions=("cs", "csx"), editor_ids=("c#", "cs")
    ),
    Language(
        id="go",
        name="Go",
        line_comment="//",
        block_comment=_C,
        extensions=("go",),
        editor_ids=("golang",),
        long_quotes=("`",),
    ),
    Language(id="java", name="Java", line_comment="//", block_comment=_C, extensions=("java",), long_quotes=('"""',)),
    Language(
        id="js",
        name="JavaScript",
        line_comment="//",
        block_comment=_C,
        extensions=("js", "jsx", "mjs", "cjs"),
        editor_ids=("javascript", "javascriptreact"),
        interpreters=("node", "deno", "bun"),
        long_quotes=("`",),
    ),
    Language(
        id="php",
        name="PHP",
        line_comment="//",
        block_comment=_C,
        extensions=("php", "php3", "php4", "php5", "phps", "phpt", "phtml"),
        interpreters=("php",),
        markup=True,
    ),
    Language(
        id="python",
        name="Python",
        line_comment="#",
        extensions=("py", "pyi", "pyw", "pyx", "bzl", "star"),
        editor_ids=("py", "starlark"),
        files=("sconstruct", "sconscript", "build", "build.bazel", "workspace", "tiltfile"),
        interpreters=("python", "python2", "python3", "pypy", "pypy3", "uv"),
        long_quotes=_TRIPLE,
    ),
    Language(
        id="ruby",
        name="Ruby",
        line_comment="#",
        block_comment=("=begin\n", "\n=end"),
        extensions=("rb", "rake", "gemspec", "ru", "podspec"),
        editor_ids=("rb",),
        files=("gemfile", "rakefile", "vagrantfile", "guardfile", "podfile", "brewfile", "fastfile", "dangerfile"),
        interpreters=("ruby", "jruby"),
    ),
    Language(id="rust", name="Rust", line_comment="//", block_comment=_C, extensions=("rs",), quotes='"'),
    Language(
        id="scala",
        name="Scala",
        line_comment="//",
        block_comment=_C,
        extensions=("scala", "sc", "sbt"),
        interpreters=("scala",),
        quotes='"',
        long_quotes=('"""',),
    ),
    Language(
        id="ts",
        name="TypeScript",
        line_comment="//",
        block_comment=_C,
        extensions=("ts", "tsx", "mts", "cts"),
        editor_ids=("typescript", "typescriptreact"),
        interpreters=("ts-node", "tsx"),
        long_quotes=("`",),
    ),
    Language(
        id="kotlin",
        name="Kotlin",
        line_comment="//",
        block_comment=_C,
        extensions=("kt", "kts"),
        interpreters=("kotlin",),
        long_quotes=('"""',),
    ),
    Language(
        id="shell",
        name="Shell",
        line_comment="#",
        extensions=("sh", "bash", "zsh", "ksh", "fish", "bats"),
        editor_ids=("shellscript", "sh", "bash", "zsh", "fish"),
        files=(".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".envrc", "pkgbuild"),
        interpreters=("sh", "bash", "zsh", "ksh", "dash", "fish"),
        long_quotes=('"', "'", "`"),
        quotes="",
    ),
    Language(
        id="sql",
        name="SQL",
        line_comment="--",
        block_comment=_C,
        extensions=("sql", "psql", "pgsql", "ddl"),
        editor_ids=("plsql", "mysql", "postgres"),
    ),
    Language(
        id="html",
        name="HTML",
        block_comment=_XML,
        extensions=("html", "htm", "xhtml", "erb", "hbs", "jinja", "j2"),
        editor_ids=("erb", "handlebars", "jinja-html", "django-html"),
        quotes="",
        markup=True,
    ),
    Language(
        id="xml",
        name="XML",
        block_comment=_XML,
        extensions=("xml", "xsd", "xsl", "xslt", "svg", "plist", "csproj", "xaml"),
        files=("pom.xml",),
        quotes="",
        markup=True,
    ),
    Language(id="css", name="CSS", block_comment=_C, extensions=("css",)),
    Language(
        id="scss",
        name="SCSS",
        line_comment="//",
        block_comment=_C,
        extensions=("scss", "sass", "less"),
        editor_ids=("sass", "less"),
    ),
    Language(
        id="yaml",
        name="YAML",
        line_comment="#",
        extensions=("yaml", "yml"),
        editor_ids=("dockercompose", "github-actions-workflow", "helm"),
        files=(".clang-format", ".clang-tidy"),
        quotes='"',
    ),
    Language(
        id="toml",
        name="TOML",
        line_comment="#",
        extensions=("toml",),
        files=("pipfile", "poetry.lock", "cargo.lock"),
        long_quotes=_TRIPLE,
    ),
    Language(
        id="json",
        name="JSON",
        extensions=("json", "jsonc", "json5", "geojson", "ipynb", "webmanifest"),
        editor_ids=("jsonc", "json5"),
        files=(".babelrc", ".eslintrc", ".prettierrc"),
        quotes='"',
    ),
    Language(
        id="markdown",
        name="Markdown",
        block_comment=_XML,
        extensions=("md", "markdown", "mdx", "qmd", "rmd"),
        editor_ids=("mdx",),
        quotes="",
        markup=True,
    ),
    Language(
        id="lua",
        name="Lua",
        line_comment="--",
        block_comment=("--[[", "]]"),
        extensions=("lua",),
        interpreters=("lua", "luajit"),
    ),
    Language(
        id="swift",
        name="Swift",
        line_comment="//",
        block_comment=_C,
        extensions=("swift",),
        interpreters=("swift",),
        quotes='"',
        long_quotes=('"""',),
    ),
    Language(
        id="dart",
        name="Dart",
        line_comment="//",
        block_comment=_C,
        extensions=("dart",),
        interpreters=("dart",),
        long_quotes=_TRIPLE,
    ),
    Language(
        id="elixir",
        name="Elixir",
        line_comment="#",
        extensions=("ex", "exs"),
        interpreters=("elixir",),
        long_quotes=('"""',),
    ),
    Language(id="erlang", name="Erlang", line_comment="%", extensions=("erl", "hrl"), interpreters=("escript",)),
    Language(
        id="haskell",
        name="Haskell",
        line_comment="--",
        block_comment=("{-", "-}"),
        extensions=("hs", "lhs"),
        interpreters=("runhaskell", "stack"),
        quotes='"',
    ),
    Language(
        id="dockerfile",
        name="Dockerfile",
        line_comment="#",
        extensions=("dockerfile", "containerfile"),
        editor_ids=("docker",),
        files=("dockerfile", "containerfile"),
    ),
    Language(
        id="makefile",
        name="Makefile",
        line_comment="#",
        extensions=("mk", "mak", "make"),
        editor_ids=("make",),
        files=("makefile", "gnumakefile"),
        interpreters=("make",),
        quotes="",
    ),
    Language(
        id="terraform",
        name="Terraform",
        line_comment="#",
        block_comment=_C,
        extensions=("tf", "tfvars", "hcl", "tofu"),
        editor_ids=("hcl", "opentofu"),
        quotes='"',
    ),
    Language(
        id="perl",
        name="Perl",
        line_comment="#",
        extensions=("pl", "pm", "t", "psgi"),
        interpreters=("perl",),
    ),
    Language(id="r", name="R", line_comment="#", extensions=("r", "R"), interpreters=("rscript", "r")),
    Language(
        id="julia",
        name="Julia",
        line_comment="#",
        block_comment=("#=", "=#"),
        extensions=("jl",),
        interpreters=("julia",),
        quotes='"',
        long_quotes=('"""',),
    ),
    Language(id="zig", name="Zig", line_comment="//", extensions=("zig", "zon")),
    Language(
        id="objective-c",
        name="Objective-C",
        line_comment="//",
        block_comment=_C,
        extensions=("m", "mm"),
        editor_ids=("objective-cpp", "objc", "objectivec"),
    ),
    Language(id="vue", name="Vue", block_comment=_XML, extensions=("vue",), quotes="", long_quotes=("`",), markup=True),
    Language(
        id="svelte",
        name="Svelte",
        block_comment=_XML,
        extensions=("svelte",),
        quotes="",
        long_quotes=("`",),
        markup=True,
    ),
    Language(
        id="powershell",
        name="PowerShell",
        line_comment="#",
        block_comment=("<#", "#>"),
        extensions=("ps1", "psm1", "psd1"),
        editor_ids=("pwsh",),
        interpreters=("pwsh", "powershell"),
    ),
    Language(
        id="graphql",
        name="GraphQL",
        line_comment="#",
        extensions=("graphql", "gql", "graphqls"),
        quotes='"',
        long_quotes=('"""',),
    ),
    Language(
        id="proto",
        name="Protocol Buffers",
        line_comment="//",
        block_comment=_C,
        extensions=("proto",),
        editor_ids=("proto3", "protobuf"),
    ),
    Language(
        id="groovy",
        name="Groovy",
        line_comment="//",
        block_comment=_C,
        extensions=("groovy", "gradle", "gvy"),
        editor_ids=("gradle",),
        files=("jenkinsfile",),
        interpreters=("groovy",),
        long_quotes=_TRIPLE,
    ),
    Language(id="clojure", name="Clojure", line_comment=";", extensions=("clj", "cljs", "cljc", "edn"), quotes='"'),
    Language(
        id="fsharp",
        name="F#",
        line_comment="//",
        block_comment=("(*", "*)"),
        extensions=("fs", "fsx", "fsi"),
        editor_ids=("f#",),
        quotes='"',
        long_quotes=('"""',),
    ),
    Language(
        id="ocaml",
        name="OCaml",
        block_comment=("(*", "*)"),
        extensions=("ml", "mli"),
        interpreters=("ocaml",),
        quotes='"',
    ),
    Language(
        id="nix", name="Nix", line_comment="#", block_comment=_C, extensions=("nix",), quotes='"', long_quotes=("''",)
    ),
    Language(
        id="cmake",
        name="CMake",
        line_comment="#",
        extensions=("cmake",),
        files=("cmakelists.txt",),
        quotes='"',
    ),
    Language(
        id="ini",
        name="INI",
        line_comment=";",
        extensions=("ini", "cfg", "conf", "properties"),
        editor_ids=("properties", "dotenv"),
        files=(".editorconfig", ".gitconfig", ".env"),
        quotes="",
    ),
    Language(
        id="latex", name="LaTeX", line_comment="%", extensions=("tex", "sty", "cls"), editor_ids=("tex",), quotes=""
    ),
    Language(id="solidity", name="Solidity", line_comment="//", block_comment=_C, extensions=("sol",)),
)

HINTS: tuple[tuple[str, str], ...] = (
    (r"<\?php\b", "php"),
    (r"(?i)<!doctype html|<html\b", "html"),
    (r"<\?xml\b", "xml"),
    (r"(?m)^package \w+\n[\s\S]*^(?:import|func|type)\b", "go"),
    (r"(?m)^(?:from [\w.]+ import |import \w+(?:$| as )|def \w+\(.*\).*:$|class \w+.*:$)", "python"),
    (r"(?m)^#include [<\"].+[>\"]\n[\s\S]*(?:std::|\bclass |\btemplate ?<)", "cpp"),
    (r"(?m)^#include [<\"].+[>\"]", "c"),
    (r"(?m)^using System\b", "csharp"),
    (r"(?m)^(?:import|package) [\w.]+;$|^public (?:final )?class ", "java"),
    (r"(?m)^(?:pub )?fn \w+.*\{$|^use \w+(?:::\w+)+;$", "rust"),
    (r"(?m)^(?:interface \w+|type \w+ =|import type )|: (?:string|number|boolean)[,;)]", "ts"),
    (r"(?m)^(?:const|let|var) [\w{]|^(?:export|import) .+ from ['\"]|=> \{$", "js"),
    (r"(?im)^(?:select .+|insert into |create table )", "sql"),
    (r"(?m)^FROM \S+(?: AS \w+)?$", "dockerfile"),
)
"""Tried in order on the beginning of a file that nothing else gives away."""


@cache
def _by_word() -> dict[str, Language]:
    named = {word.lower(): language for language in LANGUAGES for word in (*language.editor_ids, language.name)}
    return named | {language.id: language for language in LANGUAGES}


@cache
def _by_extension() -> dict[str, Language]:
    return {extension: language for language in LANGUAGES for extension in language.extensions}


@cache
def _by_file() -> dict[str, Language]:
    return {name: language for language in LANGUAGES for name in language.files}


@cache
def _by_interpreter() -> dict[str, Language]:
    return {program: language for language in LANGUAGES for program in language.interpreters}


@cache
def _hints() -> tuple[tuple[re.Pattern[str], Language], ...]:
    words = _by_word()
    return tuple((re.compile(pattern), words[identifier]) for pattern, identifier in HINTS)


def language_of(file_name: str, identifier: str = "", content: str = "") -> Language | None:
    """The language by the editor's word for it, the file's name, its first line or its look; None when unknown."""
    return _by_word().get(identifier.strip().lower()) or _of_name(file_name) or _of_content(content[:HEAD])


def _of_name(file_name: str) -> Language | None:
    """By the whole name, by its extension, or by what stands before one (`Dockerfile.dev`)."""
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    whole = name.lower()
    files = _by_file()
    return files.get(whole) or _known_extension(name) or files.get(whole.partition(".")[0])


def _known_extension(name: str) -> Language | None:
    """By what follows the last dot; capitals count where they make a difference (`.C` is C++)."""
    _, dot, extension = name.rpartition(".")
    if not dot:
        return None
    return _by_extension().get(extension) or _by_extension().get(extension.lower())


def _of_content(head: str) -> Language | None:
    if head.startswith("#!"):
        return _of_shebang(head.partition("\n")[0])
    return next((language for pattern, language in _hints() if pattern.search(head)), None)


def _of_shebang(line: str) -> Language | None:
    """From `#!/usr/bin/env -S python3.12 -u` or `#!/bin/bash -e`."""
    for word in line[2:].split():
        program = word.rsplit("/", 1)[-1].lower()
        if found := _by_interpreter().get(program) or _by_interpreter().get(program.rstrip("0123456789.")):
            return found
    return None
