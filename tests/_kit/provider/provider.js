// A provider of single sign-on for tests: node provider.js '{"port": …, "redirect": …, "after": …, "slim": …}'
// Whoever signs in as NAME is NAME@example.com, in the groups that NAME ends in: "ada+homeport-admins+staff".
import { Provider } from "oidc-provider";

const { port, redirect, after, slim } = JSON.parse(process.argv[2]);
const client = (id, more) => ({
  client_id: id,
  redirect_uris: [redirect],
  post_logout_redirect_uris: [after],
  ...more,
});
const account = (id) => {
  const [name, ...groups] = id.split("+");
  const person = { sub: id, email: `${name}@example.com`, email_verified: true, preferred_username: name, groups };
  return { accountId: id, claims: async () => person };
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client("homeport", { client_secret: "s:e c/r%e&t" }),
    client("public", { token_endpoint_auth_method: "none" }),
    client("post", { client_secret: "posted", token_endpoint_auth_method: "client_secret_post" }),
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: slim,
  cookies: { keys: ["a key of tests"] },
  findAccount: async (_context, id) => account(id),
  pkce: { required: () => true },
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit());
