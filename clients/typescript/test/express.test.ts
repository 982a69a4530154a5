import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import express5 from "express";
import express4 from "express4";
import { authorize, type Middleware } from "../src/express.js";
import { FakeUsherd } from "../src/testing.js";
import { until } from "./tools/until.js";

const TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";
const HEADERS = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

type App = RequestListener & {
  use(...handlers: unknown[]): void;
  get(path: string, handler: (request: any, response: any) => void): void;
  post(path: string, ...handlers: unknown[]): void;
};

for (const [version, express] of [["5", express5], ["4", express4]] as const) {
  describe(`express ${version}`, () => {
    let usherd: FakeUsherd;
    let app: App;
    let server: Server;
    let url: string;
    const errors: unknown[] = [];

    before(async () => {
      server = createServer((request, response) => app(request, response));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => {
      server.closeAllConnections();
      server.close();
    });
    beforeEach(() => {
      usherd = new FakeUsherd();
      app = express() as unknown as App;
      errors.length = 0;
    });
    afterEach(() => assert.equal(usherd.watching, 0));

    function use(middleware: Middleware = authorize(usherd)): void {
      app.use(middleware);
    }

    function caught(): void {
      app.use((error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
        errors.push(error);
        response.statusCode = 500;
        response.end("broken");
      });
    }

    async function post(body: object | string = { model: "gpt-4o" }, path = "/v1/chat/completions"): Promise<Response> {
      return fetch(url + path, {
        method: "POST",
        headers: HEADERS,
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    }

    test("a request that is allowed passes, and its handler has the decision", async () => {
      usherd.allow({ token: TOKEN, model: "gpt-4o" }, { userId: "u1", resolvedModel: "gpt-4o-2024" });
      use();
      app.use(express.json({ limit: "1mb" }));
      app.post("/v1/chat/completions", (request: any, response: any) => {
        const { decision } = request.usher;
        response.json({ body: request.body, user: decision.principal.userId, model: decision.resolvedModel });
      });
      const response = await post({ model: "gpt-4o", text: "ä".repeat(100_000) });
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), {
        body: { model: "gpt-4o", text: "ä".repeat(100_000) },
        user: "u1",
        model: "gpt-4o-2024",
      });
    });

    test("a request that is denied is answered as OpenAI's clients expect it, and goes no further", async () => {
      usherd.deny({}, { reason: "MODEL_NOT_GRANTED", message: "No." });
      let passed = false;
      use();
      app.post("/v1/chat/completions", () => (passed = true));
      const response = await post();
      assert.equal(response.status, 403);
      assert.deepEqual(await response.json(), {
        error: { message: "No.", type: "permission_error", param: "model", code: "model_not_granted" },
      });
      assert.equal(passed, false);
      assert.equal(response.headers.get("content-type"), "application/json");
    });

    test("no decision is a 503 that never says why", async () => {
      usherd.fault({}, "unavailable", "KEYS_UNAVAILABLE", 2);
      const faults: string[] = [];
      use(authorize(usherd, { onFault: ({ reason }) => faults.push(reason) }));
      const response = await post();
      assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "2"]);
      assert.doesNotMatch(await response.text(), /KEYS/);
      assert.deepEqual(faults, ["KEYS_UNAVAILABLE"]);
    });

    test("two credentials are refused without asking", async () => {
      use();
      const response = await fetch(url, { headers: { authorization: "Bearer a", "x-api-key": "b" } });
      assert.equal(response.status, 400);
      assert.equal(usherd.questions.length, 0);
    });

    test("the route is the whole path, also below a mount", async () => {
      usherd.allow();
      app.use("/v1", authorize(usherd));
      app.post("/v1/chat/completions", (_request: unknown, response: any) => response.end());
      await post({}, "/v1/chat/completions?x=1");
      assert.equal(usherd.questions[0]?.route, "/v1/chat/completions");
      assert.equal(usherd.questions[0]?.method, "POST");
    });

    for (const mount of ["/", "/v1"]) test(`what is asked about is what is served: a URL that was rewritten in front of ${mount}`, async () => {
      usherd.allow();
      app.use((request: any, _response: unknown, next: () => void) => {
        request.url = request.url.replace("/alias", "/v1");
        next();
      });
      app.use(mount, authorize(usherd));
      const served: string[] = [];
      app.post("/v1/chat/completions", (request: any, response: any) => {
        served.push(request.path);
        response.end();
      });
      await post({}, "/alias/chat/completions");
      await post({}, "/v1/chat/completions?x=1");
      assert.deepEqual(served, ["/v1/chat/completions", "/v1/chat/completions"]);
      assert.deepEqual(
        usherd.questions.map(({ route }) => route),
        ["/v1/chat/completions", "/v1/chat/completions"],
      );
    });

    test("a mount without anything behind it is asked about as it came, and one that a rewriting makes as it is served", async () => {
      usherd.allow();
      app.use((request: any, _response: unknown, next: () => void) => {
        request.url = request.url.replace("/v1key", "/v1/key");
        next();
      });
      app.use("/v1", authorize(usherd));
      app.use((_request: unknown, response: any) => response.end());
      for (const path of ["/v1", "/v1?x=1", "/v1/", "/v1key", "/V1/key"]) {
        await post({}, path);
      }
      assert.deepEqual(
        usherd.questions.map(({ route }) => route),
        ["/v1", "/v1", "/v1/", "/v1/key", "/V1/key"],
      );
    });

    test("a whole URL in place of a path is asked about as one, which no server takes for a route", async () => {
      usherd.allow();
      app.use("/key", authorize(usherd));
      app.use((_request: unknown, response: any) => response.end());
      const call = httpRequest(url, { path: "http://host.example/key/generate" });
      call.end();
      const [response] = (await once(call, "response")) as [IncomingMessage];
      response.resume();
      assert.deepEqual(usherd.questions.map(({ route }) => route), ["http://host.example/generate"]);
    });

    test("what is left out is not asked about", async () => {
      app.use(authorize(usherd, { skip: ({ url }) => url === "/healthz" }));
      app.use((request: any, response: any) => response.end(String(request.usher)));
      assert.equal(await (await fetch(`${url}/healthz`)).text(), "undefined");
      assert.equal((await fetch(`${url}/healthz/`)).status, 403);
      assert.equal(usherd.questions.length, 1);
    });

    test("a model that is called with the signal ends with the cut, and its reader is told why", async () => {
      let hangs: ServerResponse | undefined;
      const model = createServer((_request, response) => {
        hangs = response;
        response.write("data: 1\n\n");
      }).listen(0, "127.0.0.1");
      await once(model, "listening");
      let reason = "";
      usherd.allow();
      use();
      app.post("/v1/chat/completions", (request: any, response: any, next: (error: unknown) => void) => {
        const run = async (): Promise<void> => {
          const { signal } = request.usher;
          const upstream = await fetch(`http://127.0.0.1:${(model.address() as AddressInfo).port}`, { signal });
          response.setHeader("content-type", "text/event-stream");
          for await (const chunk of upstream.body ?? assert.fail()) {
            response.write(chunk);
          }
        };
        run().catch((error: Error) => {
          reason = `${error.name}: ${error.message}`;
          next(error);
        });
      });
      caught();
      const response = await post({ model: "gpt-4o", stream: true });
      await until(() => usherd.watching === 1 && hangs !== undefined);
      usherd.revoke();
      assert.match(await response.text(), /^data: 1\n\nevent: error\ndata: \{"error":.*"token_revoked"\}\}\n\n$/);
      await until(() => hangs?.destroyed === true);
      assert.equal(reason, "AbortError: The answer was cut: its request is allowed no longer.");
      model.close();
    });

    test("an answer in parts that lasts is watched, whatever it is and whoever asked for it", async () => {
      usherd.allow();
      use();
      app.post("/api/chat", (_request: unknown, response: ServerResponse) => {
        response.setHeader("content-type", "application/x-ndjson");
        response.write("{}\n");
      });
      app.post("/short", (_request: unknown, response: ServerResponse) => {
        response.end("{}");
      });
      assert.equal((await post({}, "/short")).status, 200);
      const response = await post({}, "/api/chat");
      assert.equal(usherd.watching, 0);
      await until(() => usherd.watching === 1);
      usherd.revoke();
      await assert.rejects(response.text());
    });

    test("a body is left for whoever reads it: a pipe, in any number of pieces", async () => {
      usherd.allow();
      use();
      app.post("/pipe", (request: IncomingMessage, response: ServerResponse) => request.pipe(response));
      const call = httpRequest(`${url}/pipe`, { method: "POST", headers: HEADERS });
      const answered = once(call, "response");
      const pieces = ['{"model":', '"gpt-4o",', `"text":"${"x".repeat(300_000)}"`, "}"];
      for (const piece of pieces) {
        call.write(piece);
        await setTimeout(5);
      }
      call.end();
      const [response] = (await answered) as [IncomingMessage];
      let text = "";
      for await (const chunk of response) {
        text += String(chunk);
      }
      assert.equal(text, pieces.join(""));
      assert.equal(usherd.questions[0]?.model, "gpt-4o");
    });

    test("a request without a body, or with an empty one, is not held up", async () => {
      usherd.allow();
      use();
      app.use(express.json());
      app.post("/v1/chat/completions", (request: any, response: any) => response.json({ body: request.body ?? null }));
      app.get("/v1/models", (_request, response) => response.end("models"));
      assert.equal(await (await fetch(`${url}/v1/models`, { headers: { authorization: "Bearer x" } })).text(), "models");
      assert.equal((await post("")).status, 200);
      const call = httpRequest(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { ...HEADERS, "transfer-encoding": "chunked" },
      });
      const answered = once(call, "response");
      call.end();
      const [response] = (await answered) as [IncomingMessage];
      assert.equal(response.statusCode, 200);
      response.resume();
    });

    test("a body that is too large is a 413, said before or found while reading", async () => {
      usherd.allow();
      use(authorize(usherd, { maxBody: 1000 }));
      assert.equal((await post("x".repeat(1001))).status, 413);
      const call = httpRequest(`${url}/`, { method: "POST", headers: { ...HEADERS, "transfer-encoding": "chunked" } });
      const answered = once(call, "response");
      call.on("error", () => undefined);
      call.write("x".repeat(1001));
      const [response] = (await answered) as [IncomingMessage];
      assert.equal(response.statusCode, 413);
      call.destroy();
      assert.equal(usherd.questions.length, 0);
    });

    test("behind a body parser it takes the bytes, or fails closed", async () => {
      usherd.allow();
      app.use(express.json({ verify: (request: object, _response: unknown, body: Buffer) => Object.assign(request, { rawBody: body }) }));
      use();
      app.post("/v1/chat/completions", (_request: unknown, response: any) => response.end());
      assert.equal((await post()).status, 200);
      assert.equal(usherd.questions[0]?.model, "gpt-4o");

      app = express() as unknown as App;
      app.use(express.json());
      use();
      app.post("/v1/chat/completions", (_request: unknown, response: any) => response.end());
      caught();
      assert.equal((await post()).status, 500);
      assert.match(String(errors[0]), /in front of body parsers/);
    });

    test("a request whose sender has gone is asked about no more", async () => {
      use();
      const call = httpRequest(url, { method: "POST", headers: { ...HEADERS, "content-length": "100" } });
      call.on("error", () => undefined);
      call.write("{");
      await setTimeout(30);
      call.destroy();
      await setTimeout(30);
      assert.equal(usherd.questions.length, 0);
    });

    /** Streams numbers as events until it is told to stop. */
    function streaming(type: string, more: object = {}): { stopped: Promise<string> } {
      let stop: (why: string) => void;
      const stopped = new Promise<string>((resolve) => (stop = resolve));
      app.post("/v1/chat/completions", async (request: any, response: ServerResponse) => {
        response.writeHead(200, { "Content-Type": type, ...more });
        request.usher.signal.addEventListener("abort", () => {
          response.write("data: late\n\n"); // goes nowhere, and breaks nothing
          stop("aborted");
        });
        for (let n = 0; !request.usher.signal.aborted; n += 1) {
          response.write(`data: ${n}\n\n`);
          await setTimeout(5);
        }
        response.write("data: never\n\n");
        response.end("data: nor this\n\n");
      });
      return { stopped };
    }

    async function textOf(response: Response): Promise<{ text: string; broken: boolean }> {
      let text = "";
      try {
        for await (const chunk of response.body ?? []) {
          text += Buffer.from(chunk).toString();
        }
        return { text, broken: false };
      } catch {
        return { text, broken: true };
      }
    }

    for (const body of [{ model: "gpt-4o", stream: true }, { model: "gpt-4o" }]) {
      test(`a stream of events ends with an error when its team is blocked (${JSON.stringify(body)})`, async () => {
        usherd.allow();
        use();
        const { stopped } = streaming("text/event-stream; charset=utf-8");
        const response = await post(body);
        await until(() => usherd.watching === 1);
        await setTimeout(30);
        usherd.deny({}, { reason: "TEAM_BLOCKED", message: "Blocked." });
        const { text, broken } = await textOf(response);
        assert.equal(broken, false);
        assert.match(text, /^data: 0\n\n/);
        assert.ok(
          text.endsWith(
            '\n\nevent: error\ndata: {"error":{"message":"Blocked.","type":"permission_error","param":null,"code":"team_blocked"}}\n\n',
          ),
          text.slice(-200),
        );
        assert.equal(await stopped, "aborted");
      });
    }

    test("a stream of events ends with an error when nothing is known any more, or the token is revoked", async () => {
      usherd.allow();
      use();
      streaming("text/event-stream");
      for (const [end, code] of [
        [() => usherd.fault(), "authorization_unavailable"],
        [() => usherd.allow().revoke(), "token_revoked"],
      ] as const) {
        usherd.allow();
        const response = await post({ model: "gpt-4o", stream: true });
        await setTimeout(20);
        end();
        assert.match((await textOf(response)).text, new RegExp(`event: error\\ndata: .*"${code}".*\\n\\n$`));
      }
    });

    test("any other stream is broken off, so that it is not taken for whole", async () => {
      for (const [type, more] of [
        ["application/x-ndjson", {}],
        ["text/event-stream", { "Content-Encoding": "gzip" }],
      ] as const) {
        app = express() as unknown as App;
        usherd.allow();
        use();
        streaming(type, more);
        const response = await fetch(`${url}/v1/chat/completions`, {
          method: "POST",
          headers: HEADERS,
          body: '{"model":"gpt-4o","stream":true}',
        });
        await setTimeout(20);
        usherd.deny();
        assert.equal((await textOf(response)).broken, true);
      }
    });

    test("an event that was begun does not swallow the error", async () => {
      usherd.allow();
      use();
      app.post("/v1/chat/completions", (_request: unknown, response: ServerResponse) => {
        response.setHeader("content-type", "text/event-stream");
        response.write("data: {");
      });
      const response = await post({ model: "gpt-4o", stream: true });
      usherd.deny({}, { reason: "TEAM_BLOCKED" });
      assert.match((await textOf(response)).text, /^data: \{\n\nevent: error\n/);
    });

    test("a request that is cut before its answer has begun is answered like one that was denied", async () => {
      usherd.allow();
      use();
      app.post("/v1/chat/completions", (_request: unknown, response: ServerResponse) => {
        response.setHeader("content-type", "text/event-stream");
        response.setHeader("content-length", "5");
        usherd.deny({}, { reason: "TEAM_BLOCKED" });
      });
      const response = await post({ model: "gpt-4o", stream: true });
      assert.equal(response.status, 403);
      assert.equal(((await response.json()) as any).error.code, "team_blocked");
    });

    test("a handler that answers after the cut goes nowhere, and breaks nothing", async () => {
      usherd.allow();
      use();
      let answered: unknown = "not yet";
      app.post("/v1/chat/completions", async (request: any, response: any) => {
        usherd.deny({}, { reason: "TEAM_BLOCKED" });
        await once(request.usher.signal, "abort");
        try {
          response.status(200).append("x-a", "b").json({ late: true });
          response.writeHead(200, { "x-c": "d" }).end("late");
          response.flushHeaders();
          answered = "quietly";
        } catch (error) {
          answered = error;
        }
      });
      const response = await post({ model: "gpt-4o", stream: true });
      assert.equal(response.status, 403);
      assert.equal(((await response.json()) as any).error.code, "team_blocked");
      assert.equal(answered, "quietly");
    });

    test("a stream that ends by itself is left alone", async () => {
      usherd.allow();
      use();
      app.post("/v1/chat/completions", (_request: unknown, response: ServerResponse) => {
        response.setHeader("content-type", "text/event-stream");
        response.end("data: [DONE]\n\n");
      });
      const response = await post({ model: "gpt-4o", stream: true });
      assert.equal(await response.text(), "data: [DONE]\n\n");
      await until(() => usherd.watching === 0);
      usherd.deny();
    });

    test("a reader that goes away ends the watch", async () => {
      usherd.allow();
      use();
      const { stopped } = streaming("text/event-stream");
      const response = await post({ model: "gpt-4o", stream: true });
      await response.body?.cancel();
      assert.equal(await stopped, "aborted");
      await until(() => usherd.watching === 0);
    });
  });
}
