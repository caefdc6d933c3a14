// Bundles each group of files and writes down what came of it; `sh tools/assets.sh` calls it.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const INTO = new URL("../../src/homeport/console/assets/", import.meta.url);
const PROOF = new URL("../../tests/browser/axe/", import.meta.url);
const GROUPS = ["codemirror/", "uplot/"];
const OPTIONS = { bundle: true, format: "esm", minify: true, target: "es2022", charset: "utf8", legalComments: "none", metafile: true };

// CodeMirror would write a style element into the document, which the policy forbids; a sheet that a
// script constructs is allowed, and the code for it is there already, for shadow roots.
const constructedSheets = {
  name: "constructed-sheets",
  setup(bundler) {
    bundler.onLoad({ filter: /style-mod\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const changed = source.replace("!root.head && root.adoptedStyleSheets", "root.adoptedStyleSheets");
      if (changed === source) throw new Error(`${path} has changed: look how it decides about style elements`);
      return { contents: changed };
    });
  },
};

async function bundled(group, entries, more = {}) {
  const made = await build({ ...OPTIONS, entryPoints: entries, outdir: new URL(group, INTO).pathname, ...more });
  return Object.keys(made.metafile.inputs);
}

const packageOf = (path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];

async function described(name) {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const { version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
  const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
  if (!file) throw new Error(`${name} has no licence text`);
  return { name, version, license, text: (await readFile(new URL(file, folder), "utf8")).trim() };
}

async function measured(path) {
  const data = await readFile(new URL(path, INTO));
  const sha256 = createHash("sha256").update(data).digest("hex");
  return [path, { sha256, bytes: data.length, gzip: gzipSync(data, { level: 9 }).length }];
}

for (const group of GROUPS) {
  await rm(new URL(group, INTO), { recursive: true, force: true });
  await mkdir(new URL(group, INTO), { recursive: true });
}
const inputs = [
  ...(await bundled("codemirror/", ["editor.js", "highlight.js"], { splitting: true, plugins: [constructedSheets] })),
  ...(await bundled("uplot/", ["uplot.js"])),
];
await cp(new URL("node_modules/uplot/dist/uPlot.min.css", import.meta.url), new URL("uplot/uplot.css", INTO));
await cp(new URL("node_modules/htmx.org/dist/htmx.min.js", import.meta.url), new URL("htmx.js", INTO));

const names = [...new Set([...inputs.map(packageOf).filter(Boolean), "htmx.org"])].sort();
const packages = await Promise.all(names.map(described));
const inside = await Promise.all(GROUPS.map(async (group) => (await readdir(new URL(group, INTO))).map((each) => group + each)));
const files = await Promise.all(["htmx.js", ...inside.flat()].sort().map(measured));
const record = {
  made_by: "sh tools/assets.sh",
  packages: Object.fromEntries(packages.map(({ name, version, license }) => [name, `${version} ${license}`])),
  files: Object.fromEntries(files),
};
await writeFile(new URL("vendored.json", INTO), `${JSON.stringify(record, null, 1)}\n`);
// most share a text word for word: each is told once
const texts = Map.groupBy?.(packages, (each) => each.text) ?? new Map();
if (!texts.size) for (const each of packages) texts.set(each.text, [...(texts.get(each.text) ?? []), each]);
const told = [...texts].map(([text, of]) => `${of.map((each) => `${each.name} ${each.version}`).join("\n")}\n\n${text}\n`);
await writeFile(new URL("LICENCES.txt", INTO), told.join(`\n${"-".repeat(72)}\n\n`));
// what tests look for barriers with; no page of ours loads it
const axe = { ...(await described("axe-core")), data: await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url)) };
await mkdir(PROOF, { recursive: true });
await writeFile(new URL("axe.min.js", PROOF), axe.data);
await writeFile(new URL("LICENCE.txt", PROOF), `${axe.text}\n`);
const sha256 = createHash("sha256").update(axe.data).digest("hex");
await writeFile(new URL("vendored.json", PROOF), `${JSON.stringify({ made_by: record.made_by, "axe-core": `${axe.version} ${axe.license}`, sha256 }, null, 1)}\n`);
for (const [path, { bytes, gzip }] of files) console.log(`${path.padEnd(40)} ${String(bytes).padStart(8)} ${String(gzip).padStart(8)} gz`);
