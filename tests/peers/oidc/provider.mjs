// An OpenID provider on loopback: node provider.mjs PORT JWKS_FILE
//
// Its private keys are those of the file; it signs with the first. Clients: `machine` and `brief` (client credentials;
// tokens of the latter live for three seconds) and `person` (authorization code with PKCE). Access tokens are JWTs (RFC 9068) for the one resource, as RFC 8707 asks for it.
// Prints a line when it listens, and ends with its standard input.
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const resource = "https://gateway.example";
const seconds = (client) => (client?.clientId === "brief" ? 3 : 3600);
const machine = {
  client_secret: "the secret of a test",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(file, "utf8")),
  cookies: { keys: ["only for tests, and only on loopback"] },
  clients: [
    { ...machine, client_id: "machine" },
    { ...machine, client_id: "brief" },
    {
      client_id: "person",
      token_endpoint_auth_method: "none",
      application_type: "native",
      grant_types: ["authorization_code"],
      redirect_uris: ["http://127.0.0.1/callback"],
    },
  ],
  scopes: ["openid", "chat"],
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, indicator, client) => ({
        scope: "chat",
        audience: indicator,
        accessTokenFormat: "jwt",
        accessTokenTTL: seconds(client),
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (_context, token) => (token.accountId ? { groups: ["red"] } : undefined),
});

provider.listen(Number(port), "127.0.0.1", () => console.log(`listens on ${issuer}`));
process.stdin.on("end", () => process.exit(0)).resume();
