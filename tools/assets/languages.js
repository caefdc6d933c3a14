// Languages by Homeport's own ids (codetext/language.py), each loaded when it is first wanted.
const stream = async (mode, name) => {
  const [{ StreamLanguage, LanguageSupport }, modes] = await Promise.all([import("@codemirror/language"), mode()]);
  return new LanguageSupport(StreamLanguage.define(modes[name]));
};
const clike = (name) => () => stream(() => import("@codemirror/legacy-modes/mode/clike"), name);
const script = (options) => async () => (await import("@codemirror/lang-javascript")).javascript(options);
const cpp = async () => (await import("@codemirror/lang-cpp")).cpp();

export const LANGUAGES = {
  c: cpp,
  cpp,
  "objective-c": clike("objectiveC"),
  csharp: clike("csharp"),
  scala: clike("scala"),
  kotlin: clike("kotlin"),
  dart: clike("dart"),
  go: async () => (await import("@codemirror/lang-go")).go(),
  java: async () => (await import("@codemirror/lang-java")).java(),
  js: script({ jsx: true }),
  ts: script({ jsx: true, typescript: true }),
  php: async () => (await import("@codemirror/lang-php")).php({ plain: true }),
  python: async () => (await import("@codemirror/lang-python")).python(),
  rust: async () => (await import("@codemirror/lang-rust")).rust(),
  html: async () => (await import("@codemirror/lang-html")).html(),
  vue: async () => (await import("@codemirror/lang-html")).html(),
  svelte: async () => (await import("@codemirror/lang-html")).html(),
  xml: async () => (await import("@codemirror/lang-xml")).xml(),
  css: async () => (await import("@codemirror/lang-css")).css(),
  scss: () => stream(() => import("@codemirror/legacy-modes/mode/css"), "sCSS"),
  json: async () => (await import("@codemirror/lang-json")).json(),
  yaml: async () => (await import("@codemirror/lang-yaml")).yaml(),
  sql: async () => (await import("@codemirror/lang-sql")).sql(),
  markdown: async () => (await import("@codemirror/lang-markdown")).markdown(),
  ruby: () => stream(() => import("@codemirror/legacy-modes/mode/ruby"), "ruby"),
  shell: () => stream(() => import("@codemirror/legacy-modes/mode/shell"), "shell"),
  toml: () => stream(() => import("@codemirror/legacy-modes/mode/toml"), "toml"),
  lua: () => stream(() => import("@codemirror/legacy-modes/mode/lua"), "lua"),
  swift: () => stream(() => import("@codemirror/legacy-modes/mode/swift"), "swift"),
  dockerfile: () => stream(() => import("@codemirror/legacy-modes/mode/dockerfile"), "dockerFile"),
  powershell: () => stream(() => import("@codemirror/legacy-modes/mode/powershell"), "powerShell"),
  perl: () => stream(() => import("@codemirror/legacy-modes/mode/perl"), "perl"),
  r: () => stream(() => import("@codemirror/legacy-modes/mode/r"), "r"),
  haskell: () => stream(() => import("@codemirror/legacy-modes/mode/haskell"), "haskell"),
  ini: () => stream(() => import("@codemirror/legacy-modes/mode/properties"), "properties"),
};

// Those whose grammar can be had without an editor, for code in a conversation.
export const GRAMMARS = {
  c: async () => (await import("@lezer/cpp")).parser,
  cpp: async () => (await import("@lezer/cpp")).parser,
  go: async () => (await import("@lezer/go")).parser,
  java: async () => (await import("@lezer/java")).parser,
  js: async () => (await import("@lezer/javascript")).parser.configure({ dialect: "jsx" }),
  ts: async () => (await import("@lezer/javascript")).parser.configure({ dialect: "ts jsx" }),
  php: async () => (await import("@lezer/php")).parser.configure({ top: "Program" }),
  python: async () => (await import("@lezer/python")).parser,
  rust: async () => (await import("@lezer/rust")).parser,
  html: async () => (await import("@lezer/html")).parser,
  xml: async () => (await import("@lezer/xml")).parser,
  css: async () => (await import("@lezer/css")).parser,
  json: async () => (await import("@lezer/json")).parser,
  yaml: async () => (await import("@lezer/yaml")).parser,
};
