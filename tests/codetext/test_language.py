from __future__ import annotations

import pytest

from homeport.codetext.language import HINTS, LANGUAGES, language_of


@pytest.mark.parametrize(
    ("file_name", "identifier", "content", "expected"),
    [
        *((f"src/x.{extension}", "", "", "cpp") for extension in ("cpp", "hpp", "c++", "h++", "cc", "hh", "C", "H")),
        *((f"x.{extension}", "", "", "php") for extension in ("php", "php3", "php4", "php5", "phps", "phpt")),
        ("a/x.c", "", "", "c"),
        ("x.h", "", "", "c"),
        ("x.cs", "", "", "csharp"),
        ("x.go", "", "", "go"),
        ("X.java", "", "", "java"),
        ("x.jsx", "", "", "js"),
        ("x.py", "", "", "python"),
        ("x.rb", "", "", "ruby"),
        ("x.rs", "", "", "rust"),
        ("x.scala", "", "", "scala"),
        ("x.tsx", "", "", "ts"),
        ("x.d.ts", "", "", "ts"),
        ("build.gradle.kts", "", "", "kotlin"),
        ("x", "javascriptreact", "", "js"),
        ("x", "typescriptreact", "", "ts"),
        ("x.txt", " CPP ", "", "cpp"),
        ("x", "C#", "", "csharp"),
        ("x", "shellscript", "", "shell"),
        ("C:\\work\\X.PY", "", "", "python"),
        ("deploy/Dockerfile", "", "", "dockerfile"),
        ("Dockerfile.dev", "", "", "dockerfile"),
        ("api.dockerfile", "", "", "dockerfile"),
        ("Makefile", "", "", "makefile"),
        ("CMakeLists.txt", "", "", "cmake"),
        ("Gemfile", "", "", "ruby"),
        ("Jenkinsfile", "", "", "groovy"),
        ("build.gradle", "", "", "groovy"),
        ("main.tf", "", "", "terraform"),
        ("x.vue", "", "", "vue"),
        (".gitlab-ci.yml", "", "", "yaml"),
        ("run", "", "#!/usr/bin/env -S python3.12 -u\n", "python"),
        ("run", "", "#!/bin/bash -e\n", "shell"),
        ("run", "", "#!/usr/bin/env node\n", "js"),
        ("untitled", "", "import os\n\ndef main():\n    pass\n", "python"),
        ("untitled", "", "<?php\necho 1;\n", "php"),
        ("untitled", "", "#include <vector>\n\nclass X {};\n", "cpp"),
        ("untitled", "", "#include <stdio.h>\n\nint main() {}\n", "c"),
        ("untitled", "", "package main\n\nimport (\n", "go"),
        ("untitled", "", "FROM python:3.12 AS build\nRUN true\n", "dockerfile"),
        ("untitled", "", "use std::fs;\n", "rust"),
        ("untitled", "", "SELECT id\nFROM users\n", "sql"),
        ("untitled", "", "public class A {\n", "java"),
        ("untitled", "", "const a = 1\n", "js"),
        ("untitled", "", "<!DOCTYPE html>\n", "html"),
        ("x.py", "unheard-of", "", "python"),
    ],
)
def test_language_is_found(file_name: str, identifier: str, content: str, expected: str) -> None:
    found = language_of(file_name, identifier, content)
    assert found
    assert found.id == expected


@pytest.mark.parametrize(
    ("file_name", "identifier", "content"),
    [
        ("", "", ""),
        ("x.unheard", "plaintext", "Dear all,\nhow are you?\n"),
        ("...", "\0", "#!"),
        ("run", "", "#!/usr/bin/env\n"),
    ],
)
def test_an_unknown_language_is_none(file_name: str, identifier: str, content: str) -> None:
    assert language_of(file_name, identifier, content) is None


def test_table_names_everything_once() -> None:
    for words in (
        [language.id for language in LANGUAGES],
        [extension for language in LANGUAGES for extension in language.extensions],
        [name for language in LANGUAGES for name in language.files],
        [program for language in LANGUAGES for program in language.interpreters],
    ):
        assert len(words) == len(set(words))
    assert all(language.id == language.id.lower() for language in LANGUAGES)
    assert {identifier for _, identifier in HINTS} <= {language.id for language in LANGUAGES}


def test_an_editor_id_is_no_other_languages_id() -> None:
    for language in LANGUAGES:
        for word in (*language.editor_ids, language.name, language.id):
            assert language_of("", word) is language
