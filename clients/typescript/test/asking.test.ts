import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { inspect } from "node:util";
import { Metadata, status } from "@grpc/grpc-js";
import { Usherd, UsherFault, type Question } from "../src/index.js";
import { Mode } from "../src/gen/usher/v1/authorization_service_pb.js";
import { DependencyKind, Effect } from "../src/gen/usher/v1/decision_pb.js";
import { PrincipalKind } from "../src/gen/usher/v1/principal_pb.js";
import { Reason } from "../src/gen/usher/v1/reason_pb.js";
import { Patient } from "./tools/patient.js";
import { ScriptedServer, allow, deny, type Answer } from "./tools/scripted_server.js";
import { until } from "./tools/until.js";

const TOKEN = "eyJhbGciOiJFZERTQSJ9.secret.c2ln";
const QUESTION: Question = { token: TOKEN, route: "/v1/chat/completions", model: "gpt-4o" };

let server: ScriptedServer;
let usherd: Usherd;

beforeEach(async () => {
  server = await ScriptedServer.start();
  usherd = new Patient(server.target);
});
afterEach(() => {
  usherd.close();
  server.stop();
});

async function fault(call: Promise<unknown>): Promise<UsherFault> {
  const error = await call.then(
    () => assert.fail("answered"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof UsherFault, inspect(error));
  return error;
}

function answersWith(answer: Answer): void {
  server.authorize = (asked) => {
    asked.write(answer);
    asked.end();
  };
}

test("an allowance is one", async () => {
  const decision = await usherd.authorize(QUESTION);
  assert.equal(decision.allowed, true);
  assert.equal(decision.reason, "ALLOWED");
  assert.equal(decision.principal?.subject, "secret-subject");
  assert.equal(server.asked[0]?.mode, Mode.ONCE);
});

test("a server that is back is found at once, and not when gRPC looks again after a second, or after two minutes", async () => {
  let best = Infinity;
  for (let attempt = 0; attempt < 3 && best > 400; attempt += 1) {
    await usherd.authorize(QUESTION);
    const { target } = server;
    server.stop();
    await until(async () => (await fault(usherd.authorize(QUESTION, { deadlineMs: 1000 }))).kind === "unavailable");
    await pause(300);
    server = await ScriptedServer.start(target);
    const back = performance.now();
    while (!(await usherd.authorize(QUESTION).catch((fault: UsherFault) => fault)).allowed) {
      await pause(10);
    }
    best = Math.min(best, performance.now() - back);
  }
  assert.ok(best <= 400, `${best} ms`);
});

test("a list of models ends with its signal, also between two pages, and with its thousandth page", async () => {
  let pages = 0;
  server.models = () => ({ models: [{ name: `m${(pages += 1)}` }], nextPageToken: `${pages}` });
  const over = new AbortController();
  const cancelled = await fault(
    (async () => {
      for await (const { name } of usherd.listModels(QUESTION, { signal: over.signal })) {
        if (name === "m2") {
          over.abort();
        }
      }
    })(),
  );
  assert.deepEqual([cancelled.kind, pages], ["cancelled", 2]);
  pages = 0;
  const endless = await fault(
    (async () => {
      for await (const _ of usherd.listModels(QUESTION, { deadlineMs: 20_000 }));
    })(),
  );
  assert.deepEqual([endless.kind, pages], ["bad_answer", 1000]);
});

test("a page of models has at most the thousand that were asked for, and is not given again", async () => {
  const list = async (): Promise<number> => {
    let listed = 0;
    for await (const _ of usherd.listModels(QUESTION, { deadlineMs: 20_000 })) {
      listed += 1;
    }
    return listed;
  };
  let asked = 0;
  server.models = ({ pageSize }) => {
    asked = pageSize;
    return { models: Array.from({ length: 1000 }, () => ({ name: "m" })) };
  };
  assert.equal(await list(), 1000);
  assert.equal(asked, 1000);
  server.models = () => ({ models: Array.from({ length: 1001 }, () => ({ name: "m" })) });
  assert.equal((await fault(list())).kind, "bad_answer");
  server.models = () => ({ models: [{ name: "m" }], nextPageToken: "same" });
  assert.equal((await fault(list())).kind, "bad_answer");
});

test("a denial is an answer", async () => {
  server.authorize = (asked) => asked.once(deny());
  const decision = await usherd.authorize(QUESTION);
  assert.deepEqual([decision.allowed, decision.reason, decision.httpStatus], [false, "TEAM_BLOCKED", 403]);
});

test("an allowance counts only on a call that ends with OK", async () => {
  server.authorize = (asked) => {
    asked.write({ event: { case: "decision", value: allow() }, terms: { mode: Mode.ONCE } });
    asked.fail(status.INTERNAL);
  };
  assert.equal((await fault(usherd.authorize(QUESTION))).kind, "internal");
});

test("two messages, or none, are no decision", async () => {
  server.authorize = (asked) => {
    asked.write({ event: { case: "decision", value: allow() } });
    asked.once(allow());
  };
  assert.equal((await fault(usherd.authorize(QUESTION))).kind, "bad_answer");
  server.authorize = (asked) => asked.end();
  assert.equal((await fault(usherd.authorize(QUESTION))).kind, "bad_answer");
});

const NO_DECISIONS: Record<string, Answer> = {
  "an effect that is not known": { event: { case: "decision", value: allow({ effect: 7 as Effect }) } },
  "no effect": { event: { case: "decision", value: allow({ effect: Effect.UNSPECIFIED }) } },
  "an allowance with the reason of a denial": { event: { case: "decision", value: allow({ reason: Reason.TEAM_BLOCKED }) } },
  "an allowance for a reason that is not known": { event: { case: "decision", value: allow({ reason: 9 as Reason }) } },
  "an allowance without a reason": { event: { case: "decision", value: allow({ reason: Reason.UNSPECIFIED }) } },
  "a denial with the reason of an allowance": { event: { case: "decision", value: deny({ reason: Reason.ALLOWED }) } },
  "an allowance for nobody": { event: { case: "decision", value: allow({ principal: { kind: PrincipalKind.UNSPECIFIED } }) } },
  "a mode that was not asked for": { event: { case: "decision", value: allow() }, terms: { mode: Mode.WATCH } },
  "another event": { event: { case: "checkpoint", value: {} } },
  "no event": {},
};
for (const [name, answer] of Object.entries(NO_DECISIONS)) {
  test(`a fault, never an allowance: ${name}`, async () => {
    answersWith(answer);
    assert.equal((await fault(usherd.authorize(QUESTION))).kind, "bad_answer");
  });
}

test("a denial for a reason that this client is too old for is a denial", async () => {
  answersWith({ event: { case: "decision", value: deny({ reason: 999 as Reason, httpStatus: 200 }) } });
  const decision = await usherd.authorize(QUESTION);
  assert.deepEqual([decision.allowed, decision.reason, decision.httpStatus], [false, "UNKNOWN", 403]);
});

test("what depends on a kind that is not known is not cacheable", async () => {
  answersWith({ event: { case: "decision", value: allow({ dependsOn: [{ kind: 99 as DependencyKind }] }) } });
  assert.equal((await usherd.authorize(QUESTION)).cacheable, false);
  answersWith({ event: { case: "decision", value: allow() } });
  assert.equal((await usherd.authorize(QUESTION)).cacheable, true);
});

test("a fault has the server's reason and advice, and none of its words", async () => {
  // google.rpc.Status {details: [ErrorInfo {KEYS_UNAVAILABLE, usher.v1}, RetryInfo {1.5 s}]}
  const any = (type: string, value: Buffer): Buffer =>
    field(3, Buffer.concat([field(1, Buffer.from(`type.googleapis.com/google.rpc.${type}`)), field(2, value)]));
  const trailers = new Metadata();
  const info = Buffer.concat([field(1, Buffer.from("KEYS_UNAVAILABLE")), field(2, Buffer.from("usher.v1"))]);
  const delay = field(1, Buffer.from([0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]));
  trailers.set("grpc-status-details-bin", Buffer.concat([any("ErrorInfo", info), any("RetryInfo", delay)]));
  server.authorize = (asked) => asked.fail(status.UNAVAILABLE, trailers);
  const thrown = await fault(usherd.authorize(QUESTION));
  assert.deepEqual([thrown.kind, thrown.reason, thrown.retryAfter, thrown.allowed], ["unavailable", "KEYS_UNAVAILABLE", 1.5, false]);
  assert.equal(thrown.message, "not available (KEYS_UNAVAILABLE)");
  assert.doesNotMatch(inspect(thrown, { depth: 9 }), /words of the server/);
});

function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value]);
}

test("UNAVAILABLE is asked again, at most twice, within the deadline", async () => {
  server.authorize = (asked) => (server.asked.length < 3 ? asked.fail(status.UNAVAILABLE) : asked.once(allow()));
  assert.equal((await usherd.authorize(QUESTION)).allowed, true);
  assert.equal(server.asked.length, 3);
});

test("no other fault is asked again", async () => {
  server.authorize = (asked) => asked.fail(status.RESOURCE_EXHAUSTED);
  assert.equal((await fault(usherd.authorize(QUESTION))).kind, "overloaded");
  assert.equal(server.asked.length, 1);
});

test("a call ends at its deadline", async () => {
  server.authorize = () => undefined;
  const begun = performance.now();
  assert.equal((await fault(usherd.authorize(QUESTION, { deadlineMs: 100 }))).kind, "out_of_time");
  assert.ok(performance.now() - begun < 5000);
});

test("a deadline is over 0 and at most a minute", async () => {
  for (const deadlineMs of [0, -1, NaN, Infinity, 60_001, "5" as unknown as number]) {
    await assert.rejects(usherd.authorize(QUESTION, { deadlineMs }), RangeError);
  }
});

test("a signal gives a call up", async () => {
  server.authorize = () => undefined;
  const controller = new AbortController();
  const call = fault(usherd.authorize(QUESTION, { signal: controller.signal }));
  setTimeout(() => controller.abort(), 20);
  assert.equal((await call).kind, "cancelled");
  assert.equal((await fault(usherd.authorize(QUESTION, { signal: AbortSignal.abort() }))).kind, "cancelled");
});

test("a closed client says so, also to calls under way", async () => {
  server.authorize = () => undefined;
  const call = fault(usherd.authorize(QUESTION));
  setTimeout(() => usherd.close(), 20);
  assert.equal((await call).kind, "closed");
  assert.equal((await fault(usherd.authorize(QUESTION))).kind, "closed");
});

test("using closes a client", async () => {
  let inside: Usherd;
  {
    using client = new Patient(server.target);
    inside = client;
    await client.authorize(QUESTION);
  }
  assert.equal((await fault(inside.authorize(QUESTION))).kind, "closed");
});

test("whatever an end user may have chosen is asked, as something that is denied", async () => {
  const strange = { token: 5, route: "/" + "a".repeat(99_999), model: ["gpt-4o"], fallbackModels: "gpt-4o", endUserId: "\ud800" };
  await usherd.authorize(strange as unknown as Question);
  const { question } = server.asked[0] ?? assert.fail();
  assert.deepEqual([question.token, question.model, question.fallbackModels, question.endUserId], ["\0", "\0", ["\0"], "\0"]);
  assert.equal(question.route.length, 16 * 1024 + 1);
  // Cut, and too long all the same, without being more than a server takes.
  await usherd.authorize({ token: "ä".repeat(99_999), route: "/" });
  assert.equal(server.asked[1]?.question.token.length, 16 * 1024 + 1);
});

test("a question is sent whole", async () => {
  await usherd.authorize(
    {
      ...QUESTION,
      method: "POST",
      fallbackModels: ["o3"],
      teamAlias: "Red",
      endUserId: "u",
      organizationId: "o",
      modifiesGuardrails: true,
    },
    { explain: true, requestId: "r1", atLeastAsFresh: "rev" },
  );
  const { question, call } = server.asked[0] ?? assert.fail();
  assert.deepEqual(
    [question.method, question.fallbackModels, question.teamWish, question.endUserId, question.organizationId],
    ["POST", ["o3"], { case: "teamAlias", value: "Red" }, "u", "o"],
  );
  assert.equal(question.modifiesGuardrails, true);
  const options = call.request.options;
  assert.deepEqual([options?.explain, options?.requestId, options?.atLeastAsFresh], [true, "r1", "rev"]);
});

test("two team wishes are the gateway's mistake", async () => {
  await assert.rejects(usherd.authorize({ ...QUESTION, teamId: "a", teamAlias: "b" }), TypeError);
});

test("plaintext goes to this machine only, unless it is asked for by name", () => {
  for (const here of ["localhost:1", "127.0.0.1:1", "127.8.0.1", "[::1]:1", "unix:/run/x.sock", "dns:///localhost:1", "ipv4:127.0.0.1:1"]) {
    new Patient(here).close();
  }
  const elsewhere = ["usherd.example:1", "10.0.0.1:1", "localhost.example:1", "localhost@evil.example:1", "127.0.0.1.evil.example", "unix-abstract:x", "dns://8.8.8.8/localhost:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "http://localhost:1", "127.1:1", "[::2]:1", "xds:///localhost"];
  for (const there of elsewhere) {
    assert.throws(() => new Patient(there), TypeError, there);
  }
  new Patient("usherd.example:1", { plaintext: true }).close();
  new Patient("usherd.example:1", { tls: true }).close();
  assert.throws(() => new Patient("localhost:1", { tls: true, plaintext: true }), TypeError);
});

test("a proxy of the environment is not followed in plaintext", async () => {
  const before = process.env["http_proxy"];
  process.env["http_proxy"] = "http://127.0.0.1:1";
  process.env["grpc_proxy"] = "http://127.0.0.1:1";
  try {
    using client = new Patient(server.target);
    assert.equal((await client.authorize(QUESTION)).allowed, true);
  } finally {
    delete process.env["grpc_proxy"];
    if (before === undefined) {
      delete process.env["http_proxy"];
    } else {
      process.env["http_proxy"] = before;
    }
  }
});

test("a credential of the gateway is shown, and never told", async () => {
  let credential = "first";
  using client = new Patient(server.target, { bearer: () => credential });
  await client.authorize(QUESTION);
  credential = "second";
  await client.authorize(QUESTION);
  assert.deepEqual(
    server.metadata.map((each) => each.get("authorization")),
    [["Bearer first"], ["Bearer second"]],
  );
  assert.throws(
    () => new Patient(server.target, { bearer: "not good\r\n" }),
    (error: Error) => error instanceof TypeError && !error.message.includes("not good"),
  );
});

test("no token and no claim is in the text of an object", async () => {
  using client = new Patient(server.target, { cache: true, bearer: "credential-of-mine" });
  const decision = await client.authorize(QUESTION);
  server.authorize = (asked) => asked.fail(status.INTERNAL);
  const thrown = await fault(client.authorize({ ...QUESTION, model: "other" }, { explain: true }));
  const watch = client.watch(QUESTION);
  for (const each of [client, decision, decision.principal, thrown, watch, new Error("x", { cause: thrown })]) {
    const texts = [inspect(each, { depth: 20, showHidden: true }), String(each), JSON.stringify(each), String((each as Error).stack)];
    for (const text of texts) {
      assert.doesNotMatch(text, /secret|credential-of-mine|eyJ|gpt-4o/);
    }
  }
});

test("a batch has an answer for each question, and a fault where there is none", async () => {
  server.batch = ({ items }) => ({
    results: [
      { id: items[0]?.id ?? "", result: { case: "decision", value: allow() } },
      { id: items[1]?.id ?? "", result: { case: "fault", value: { code: 14, reason: 40 } } },
      { id: items[2]?.id ?? "", result: { case: undefined } },
    ],
  });
  const results = await usherd.batchCheck([QUESTION, QUESTION, QUESTION]);
  assert.deepEqual(results.map((each) => each.allowed), [true, false, false]);
  assert.deepEqual(results.slice(1).map((each) => (each as UsherFault).kind), ["unavailable", "bad_answer"]);
  server.batch = () => ({ results: [] });
  assert.equal((await fault(usherd.batchCheck([QUESTION]))).kind, "bad_answer");
});

test("models are listed page by page", async () => {
  server.models = ({ pageToken }) =>
    pageToken === "" ? { models: [{ name: "a", resolvedModel: "b" }], nextPageToken: "2" } : { models: [{ name: "c", resolvedModel: "c" }] };
  const names: string[] = [];
  for await (const { name } of usherd.listModels(QUESTION)) {
    names.push(name);
  }
  assert.deepEqual(names, ["a", "c"]);
  server.models = () => ({ denial: deny() });
  await assert.rejects(usherd.listModels(QUESTION).next(), (error: Error) => error.name === "ListDenied");
  // A token may be revoked while its models are listed.
  server.models = ({ pageToken }) =>
    pageToken === "" ? { models: [{ name: "a", resolvedModel: "b" }], nextPageToken: "2" } : { denial: deny() };
  const cut = usherd.listModels(QUESTION);
  assert.equal((await cut.next()).done, false);
  await assert.rejects(cut.next(), (error: Error) => error.name === "ListDenied");
  server.models = () => ({ denial: allow() });
  assert.equal((await fault(usherd.listModels(QUESTION).next())).kind, "bad_answer");
});
