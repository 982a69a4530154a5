import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import fastify, { type FastifyInstance } from "fastify";
import { usherdPlugin, type UsherdPluginOptions } from "../src/fastify.js";
import { FakeUsherd } from "../src/testing.js";
import { until } from "./tools/until.js";

const TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";
const HEADERS = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

let usherd: FakeUsherd;
let app: FastifyInstance;

beforeEach(() => {
  usherd = new FakeUsherd();
  app = fastify();
});
afterEach(async () => {
  app.server.closeAllConnections();
  await app.close();
  assert.equal(usherd.watching, 0);
});

async function listening(options: Partial<UsherdPluginOptions> = {}): Promise<string> {
  await app.register(usherdPlugin, { usherd, ...options });
  app.get("/healthz", async () => "fine");
  app.get("/v1/models", async () => ["gpt-4o"]);
  app.post("/v1/chat/completions", async (request, reply) => {
    const body = request.body as { stream?: boolean; model: string };
    if (body.stream !== true) {
      return { body, user: request.usher?.decision.principal?.userId };
    }
    const events = new PassThrough();
    void (async () => {
      for (let n = 0; request.usher?.signal.aborted === false; n += 1) {
        events.write(`data: ${n}\n\n`);
        await setTimeout(5);
      }
      events.end("data: never\n\n");
    })();
    return reply.type("text/event-stream").send(events);
  });
  return app.listen({ port: 0, host: "127.0.0.1" });
}

function post(url: string, body: object, path = "/v1/chat/completions"): Promise<Response> {
  return fetch(url + path, { method: "POST", headers: HEADERS, body: JSON.stringify(body) });
}

test("a request that is allowed passes with its body, and its handler has the decision", async () => {
  usherd.allow({ token: TOKEN, model: "gpt-4o", route: "/v1/chat/completions" }, { userId: "u1" });
  const url = await listening();
  const response = await post(url, { model: "gpt-4o" }, "/v1/chat/completions?x=1");
  assert.deepEqual(await response.json(), { body: { model: "gpt-4o" }, user: "u1" });
  assert.equal((await fetch(`${url}/v1/models`, { headers: HEADERS })).status, 403);
  usherd.allow();
  assert.deepEqual(await (await fetch(`${url}/v1/models`, { headers: { authorization: "Bearer x" } })).json(), ["gpt-4o"]);
});

test("the tests of a gateway may inject requests", async () => {
  usherd.allow({ model: "gpt-4o" });
  await listening();
  const injected = await app.inject({ method: "POST", url: "/v1/chat/completions", headers: HEADERS, payload: { model: "gpt-4o" } });
  assert.equal(injected.statusCode, 200);
  assert.equal((await app.inject({ method: "GET", url: "/v1/models" })).statusCode, 403);
});

test("denials, faults, refusals and large bodies are answered as OpenAI's clients expect it", async () => {
  const url = await listening({ maxBody: 1000 });
  usherd.deny({}, { reason: "MODEL_NOT_GRANTED", message: "No." });
  const denied = await post(url, { model: "gpt-4o" });
  assert.equal(denied.status, 403);
  assert.deepEqual(await denied.json(), {
    error: { message: "No.", type: "permission_error", param: "model", code: "model_not_granted" },
  });
  usherd.fault({}, "unavailable", "KEYS_UNAVAILABLE", 2);
  const unavailable = await post(url, { model: "gpt-4o" });
  assert.deepEqual([unavailable.status, unavailable.headers.get("retry-after")], [503, "2"]);
  const ambiguous = await fetch(`${url}/v1/models`, { headers: { authorization: "Bearer a", "x-api-key": "b" } });
  assert.equal(ambiguous.status, 400);
  assert.equal((await post(url, { model: "x".repeat(1000) })).status, 413);
});

test("what is left out is not asked about", async () => {
  const url = await listening({ skip: (request) => request.url === "/healthz" });
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.equal(usherd.questions.length, 0);
  assert.equal((await fetch(`${url}/v1/models`)).status, 403);
});

test("what is asked about is what is served, also where Fastify rewrites the URL", async () => {
  usherd.allow();
  await app.close();
  app = fastify({ rewriteUrl: ({ url = "" }) => url.replace("/alias", "/v1") });
  const url = await listening();
  assert.equal((await fetch(`${url}/alias/models`, { headers: HEADERS })).status, 200);
  assert.equal(usherd.questions[0]?.route, "/v1/models");
});

test("a body of more than Fastify takes is refused by Fastify", async () => {
  usherd.allow();
  await app.close();
  app = fastify({ bodyLimit: 100 });
  const url = await listening();
  assert.equal((await post(url, { model: "x".repeat(100) })).status, 413);
});

test("a stream is cut by a revocation, with an error at its end", async () => {
  usherd.allow();
  const url = await listening();
  const response = await post(url, { model: "gpt-4o", stream: true });
  await until(() => usherd.watching === 1);
  await setTimeout(30);
  usherd.revoke({ token: TOKEN });
  const text = await response.text();
  assert.match(text, /^data: 0\n\n/);
  assert.match(text, /\n\nevent: error\ndata: \{"error":\{"message":"Denied.","type":"authentication_error","param":null,"code":"token_revoked"\}\}\n\n$/);
  assert.doesNotMatch(text, /never/);
});

test("a handler that answers after the cut goes nowhere, and breaks nothing", async () => {
  usherd.allow();
  let answered = false;
  app.post("/late", async (request) => {
    usherd.deny({}, { reason: "TEAM_BLOCKED" });
    await once(request.usher?.signal ?? assert.fail(), "abort");
    answered = true;
    return { late: true };
  });
  const url = await listening();
  const response = await post(url, { model: "gpt-4o", stream: true }, "/late");
  assert.equal(response.status, 403);
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, "team_blocked");
  assert.equal(answered, true);
  await setTimeout(20);
});

test("a stream is let go on while it may", async () => {
  usherd.allow();
  const url = await listening();
  const response = await post(url, { model: "gpt-4o", stream: true });
  await setTimeout(20);
  usherd.allow({}, { userId: "another" }); // a change that leaves it allowed
  await setTimeout(20);
  const reader = response.body?.getReader();
  assert.equal((await reader?.read())?.done, false);
  await reader?.cancel();
  await until(() => usherd.watching === 0);
});

test("over HTTP/2 a body is read although no header says that there is one", async () => {
  usherd.allow({ model: "gpt-4o" });
  const second = fastify({ http2: true });
  await second.register(usherdPlugin, { usherd });
  second.post("/v1/chat/completions", async (request) => request.body);
  second.get("/v1/models", async () => ["gpt-4o"]);
  const client = connect(await second.listen({ port: 0, host: "127.0.0.1" }));
  const ask = async (headers: OutgoingHttpHeaders, body?: string): Promise<[number, string]> => {
    const stream = client.request({ ...HEADERS, ...headers }, { endStream: body === undefined });
    if (body !== undefined) {
      stream.end(body);
    }
    const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
    return [Number(head[":status"]), await text(stream)];
  };
  const post = { ":method": "POST", ":path": "/v1/chat/completions" };
  try {
    assert.deepEqual(await ask(post, '{"model":"gpt-4o"}'), [200, '{"model":"gpt-4o"}']);
    await ask(post, '{"model":"gpt-4o","fallbacks":["o3"]}');
    assert.deepEqual(usherd.questions.at(-1)?.fallbackModels, ["o3"]);
    assert.equal((await ask(post))[0], 403);
    usherd.allow();
    assert.equal((await ask({ ":method": "GET", ":path": "/v1/models" }))[0], 200);
  } finally {
    client.close();
    await second.close();
  }
});
