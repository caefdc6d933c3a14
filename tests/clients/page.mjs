// A web page with an editor, and its server: node page.mjs FOLDER HANDLER SCRIPT [PACKAGE…]
// FOLDER holds node_modules; HANDLER answers POST /complete; SCRIPT is the page's; PACKAGEs are what it imports, directly
// or not. Prints its port.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";

const [folder, handler, script, ...packages] = process.argv.slice(2);
const { POST } = await import(`data:text/javascript,${encodeURIComponent(handler)}`);
const KINDS = { ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".ttf": "font/ttf" };

// the file of a package that `import` leads to
async function entry(name) {
  const { exports: offered, module } = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8"));
  return join("/node_modules", name, offered?.import ?? module);
}

const imports = Object.fromEntries(await Promise.all(packages.map(async (name) => [name, await entry(name)])));
const page = `<!doctype html><meta charset="utf-8"><title>An editor</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports })}</script>
<style>#editor { width: 40rem; height: 20rem }</style><div id="editor"></div>
<script type="module" src="/app.js"></script>`;

async function answered(request) {
  const { pathname } = new URL(request.url, "http://page");
  if (request.method === "POST") {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    return POST(new Request("http://page/complete", { method: "POST", body: Buffer.concat(pieces) }));
  }
  if (pathname === "/") return new Response(page, { headers: { "Content-Type": "text/html" } });
  if (pathname === "/app.js") return new Response(script, { headers: { "Content-Type": "text/javascript" } });
  const headers = { "Content-Type": KINDS[extname(pathname)] ?? "application/octet-stream" };
  return new Response(await readFile(join(folder, pathname)), { headers });
}

const server = createServer(async (request, response) => {
  const answer = await answered(request).catch((error) => new Response(String(error), { status: 404 }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(Buffer.from(await answer.arrayBuffer()));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
