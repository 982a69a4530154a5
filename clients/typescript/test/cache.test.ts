import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { keyOf } from "../src/cache/key.js";
import { Living } from "../src/cache/living.js";
import type { Channel, StreamListener } from "../src/channel.js";
import { SubscribeResponseSchema } from "../src/gen/usher/v1/authorization_service_pb.js";
import { DependencyKind, Effect } from "../src/gen/usher/v1/decision_pb.js";
import { Code, FaultReason } from "../src/gen/usher/v1/fault_pb.js";
import { Usherd, UsherFault, type CacheStatistics, type Question } from "../src/index.js";
import { asked } from "../src/questions.js";
import { ScriptedServer, allow, deny, terms, type DecisionInit, type Event } from "./tools/scripted_server.js";
import { Patient } from "./tools/patient.js";
import { until } from "./tools/until.js";

const ONE: Question = { token: "one", route: "/v1/chat/completions", model: "gpt-4o" };
const OTHER: Question = { ...ONE, token: "other" };

let server: ScriptedServer;
let usherd: Usherd;

beforeEach(async () => {
  server = await ScriptedServer.start();
  usherd = new Patient(server.target, { cache: true });
});
afterEach(() => {
  usherd.close();
  server.stop();
});

function counted(): CacheStatistics {
  return usherd.cacheStatistics ?? assert.fail();
}

/** Asks and says whether it was allowed, and whether that came from memory. */
async function ask(question = ONE): Promise<[boolean, "hit" | "miss"]> {
  const { hits } = counted();
  const { allowed } = await usherd.authorize(question);
  return [allowed, counted().hits > hits ? "hit" : "miss"];
}

/** Holds a decision for one question, and returns it. A stream that has not spoken yet is brought to life before. */
async function held(decision: DecisionInit = allow(), question = ONE): Promise<DecisionInit> {
  const { entries } = counted();
  server.add = (stream, id) => stream.decide(id, decision);
  await usherd.authorize(question);
  await until(() => counted().entries > entries || server.stream.removed.length > 0);
  return decision;
}

/** Brings the stream to life, and has calls counted from now on. */
async function warm(): Promise<void> {
  await held(allow(), { ...ONE, token: "warm" });
  server.asked.length = 0;
}

function news(event: Event["event"], decisionId: string | undefined, question = ONE): void {
  const id = server.stream.added.find((each) => each.question.token === question.token)?.id ?? assert.fail();
  server.stream.tell({ id, decisionId: decisionId ?? "", ...(event === undefined ? {} : { event }) });
}

async function gone(): Promise<void> {
  await until(() => counted().entries === 0);
}

test("off is absent", async () => {
  using off = new Patient(server.target);
  await off.authorize(ONE);
  assert.equal(off.cacheStatistics, undefined);
  assert.equal(server.streams.length, 0);
});

test("a question is asked once, on the stream, and then answered from memory", async () => {
  await warm();
  assert.deepEqual(await ask(), [true, "miss"]);
  assert.deepEqual(await ask(), [true, "hit"]);
  assert.deepEqual(await ask(OTHER), [true, "miss"]);
  assert.equal(server.asked.length, 0);
  assert.equal(server.streams.length, 1);
  assert.deepEqual(server.stream.added.map((each) => each.id), [1n, 2n, 3n]);
});

test("a stream that has not spoken yet gets one addition, and everybody is asked by themselves", async () => {
  server.add = () => undefined;
  const begun = performance.now();
  const answers = await Promise.all([ask(), ask(), ask(OTHER)]);
  assert.deepEqual(answers, Array(3).fill([true, "miss"]));
  assert.ok(performance.now() - begun < 5000);
  assert.deepEqual([server.asked.length, server.stream.added.length, counted().askedByItself], [3, 1, 3]);
});

test("who has waited for half of the deadline asks by itself", async () => {
  await warm();
  server.add = () => undefined;
  const begun = performance.now();
  assert.equal((await usherd.authorize(ONE, { deadlineMs: 3000 })).allowed, true);
  const took = performance.now() - begun;
  assert.ok(took >= 1490 && took < 2990, String(took));
  assert.equal(server.asked.length, 1);
});

test("a question of more than 16 KiB is asked by itself", async () => {
  await warm();
  const large = { ...ONE, token: "x".repeat(16 * 1024) };
  await ask(large);
  assert.deepEqual([await ask(large), server.asked.length, server.stream.added.length], [[true, "miss"], 2, 1]);
});

test("a denial is kept, too", async () => {
  await held(deny());
  assert.deepEqual(await ask(), [false, "hit"]);
});

test("questions that differ in anything are different, however their parts run together", () => {
  const questions: Question[] = [
    ONE,
    { ...ONE, model: undefined },
    { ...ONE, model: "" },
    { ...ONE, model: "-" },
    { token: "one/", route: "v1/chat/completions", model: "gpt-4o" },
    { ...ONE, token: "on", route: "e/v1/chat/completions" },
    { ...ONE, method: "GET" },
    { ...ONE, fallbackModels: ["a", "b"] },
    { ...ONE, fallbackModels: ["b", "a"] },
    { ...ONE, fallbackModels: ["a1:b"] },
    { ...ONE, fallbackModels: ["ab"] },
    { ...ONE, fallbackModels: [""] },
    { ...ONE, teamId: "red" },
    { ...ONE, teamAlias: "red" },
    { ...ONE, teamId: "" },
    { ...ONE, endUserId: "red" },
    { ...ONE, organizationId: "red" },
    { ...ONE, modifiesGuardrails: true },
  ];
  assert.equal(new Set(questions.map((each) => keyOf(asked(each)))).size, questions.length);
  assert.equal(keyOf(asked({ ...ONE, method: "", fallbackModels: [], model: "gpt-4o" })), keyOf(asked(ONE)));
});

test("an explanation or a freshness passes the cache by", async () => {
  await held();
  server.asked.length = 0;
  await usherd.authorize(ONE, { explain: true });
  await usherd.authorize(ONE, { atLeastAsFresh: "r" });
  assert.equal(server.asked.length, 2);
});

test("the same question at the same time is added once", async () => {
  await warm();
  const release: (() => void)[] = [];
  server.add = (stream, id) => release.push(() => stream.decide(id, allow()));
  const calls = [1, 2, 3].map(() => usherd.authorize(ONE, { deadlineMs: 5000 }));
  await until(() => release.length > 0);
  await until(() => release.length === 1);
  release.forEach((each) => each());
  assert.deepEqual((await Promise.all(calls)).map((each) => each.allowed), [true, true, true]);
  assert.equal(server.stream.added.length, 2);
});

test("who gives up takes the answer from nobody", async () => {
  await warm();
  server.authorize = () => undefined;
  const release: (() => void)[] = [];
  server.add = (stream, id) => release.push(() => stream.decide(id, allow()));
  const controller = new AbortController();
  const leader = usherd.authorize(ONE, { signal: controller.signal }).catch((error: UsherFault) => error.kind);
  const hasty = usherd.authorize(ONE, { deadlineMs: 30 }).catch((error: UsherFault) => error.kind);
  const patient = usherd.authorize(ONE, { deadlineMs: 20_000 });
  controller.abort();
  assert.equal(await leader, "cancelled");
  assert.equal(await hasty, "out_of_time");
  release.forEach((each) => each());
  assert.equal((await patient).allowed, true);
  assert.deepEqual(await ask(), [true, "hit"]);
  assert.equal(server.stream.added.length, 2);
});

const NOT_KEPT: Record<string, DecisionInit> = {
  "not cacheable": allow({ cacheable: false }),
  "without an end": (({ validUntil: _, ...rest }) => rest)(allow()),
  "at its end": allow({ validUntil: timestampFromMs(Date.now() - 1) }),
  "dependent on a kind that is not known": allow({ dependsOn: [{ kind: 99 as DependencyKind }] }),
  "a denial that is not cacheable": deny({ cacheable: false }),
};
for (const [name, decision] of Object.entries(NOT_KEPT)) {
  test(`not kept, and removed from the stream: ${name}`, async () => {
    await held(decision);
    await until(() => server.stream.removed.length === 1);
    assert.equal(counted().entries, 0);
    assert.deepEqual((await ask())[1], "miss");
  });
}

test("nothing is served past its end", async () => {
  await held(allow({ validUntil: timestampFromMs(Date.now() + 1500) }));
  assert.equal((await ask())[1], "hit");
  await setTimeout(1510);
  server.add = () => undefined;
  assert.equal((await ask())[1], "miss");
  assert.deepEqual(server.stream.removed, [1n]);
});

test("another decision takes its place", async () => {
  const { decisionId } = await held();
  const next = deny();
  news({ case: "changed", value: { decision: next } }, decisionId);
  await until(() => counted().changed === 1);
  assert.deepEqual(await ask(), [false, "hit"]);
  news({ case: "changed", value: { decision: allow() } }, next.decisionId);
  await until(() => counted().changed === 2);
  assert.deepEqual(await ask(), [true, "hit"]);
});

test("another decision that may not be kept takes no place", async () => {
  const { decisionId } = await held();
  news({ case: "changed", value: { decision: deny({ cacheable: false }) } }, decisionId);
  await gone();
  await until(() => server.stream.removed.length === 1);
});

const ENDS: Record<string, (decisionId: string) => [Event["event"], string]> = {
  ended: (id) => [{ case: "ended", value: { decision: deny() } }, id],
  resync: (id) => [{ case: "resync", value: {} }, id],
  "a fault": (id) => [{ case: "fault", value: { code: Code.UNAVAILABLE } }, id],
  "no event": (id) => [undefined, id],
  "a second first decision": (id) => [{ case: "decision", value: allow() }, id],
  "a change of another decision": () => [{ case: "changed", value: { decision: allow() } }, "another"],
  "a change to something that is no decision": (id) => [{ case: "changed", value: { decision: {} } }, id],
  "a change without a decision": (id) => [{ case: "changed", value: {} }, id],
  "an end that another decision comes to": () => [{ case: "expiring", value: {} }, "another"],
};
for (const [name, event] of Object.entries(ENDS)) {
  test(`the entry is gone, and no other: ${name}`, async () => {
    const { decisionId } = await held();
    await held(allow(), OTHER);
    news(...event(decisionId ?? ""));
    await until(() => counted().entries === 1);
    assert.equal((await ask(OTHER))[1], "hit");
    assert.equal((await ask())[1], "miss");
    assert.equal(server.streams.length, 1);
  });
}

test("an event that this client is too old for ends its entry", async () => {
  await held();
  // SubscribeResponse {id: 1, 14: {}}
  server.stream.raw(Buffer.from([0x08, 1, 0x72, 0]));
  await gone();
  assert.equal(server.streams.length, 1);
});

test("an end that is near changes nothing yet", async () => {
  const { decisionId } = await held();
  news({ case: "expiring", value: { endsAt: timestampFromMs(Date.now() + 9999) } }, decisionId);
  server.stream.checkpoint();
  await setTimeout(50);
  assert.equal((await ask())[1], "hit");
});

const LOSSES: Record<string, () => void> = {
  "resync for all": () => server.stream.tell({ event: { case: "resync", value: {} } }),
  "an event for all that is not known": () => server.stream.raw(Buffer.from([0x72, 0])),
  "the end of the stream": () => server.stream.end(),
  "an error": () => server.stream.fail(status.UNAVAILABLE),
  "a message that cannot be read": () => server.stream.raw(Buffer.from([0x1a, 0x7f, 0])),
};
for (const [name, lose] of Object.entries(LOSSES)) {
  test(`everything is gone, and the stream is opened anew: ${name}`, async () => {
    await held();
    await held(allow(), OTHER);
    server.asked.length = 0;
    lose();
    await gone();
    assert.equal(counted().streamsLost, 1);
    assert.deepEqual(await ask(), [true, "miss"]);
    assert.equal(server.asked.length, 1); // by itself, while the stream is not there
    await until(() => server.streams.length === 2);
    await held();
    assert.equal((await ask())[1], "hit");
    assert.equal(server.stream.added.length, 1); // only what was asked for
  });
}

test("after a silence nothing is served, even if the stream speaks again", async () => {
  server.silenceMs = 1000;
  await held();
  const silent = server.stream;
  await setTimeout(600);
  silent.checkpoint();
  await setTimeout(700);
  assert.equal((await ask())[1], "hit");
  // Nothing of this process runs meanwhile: neither a timer nor what comes in.
  silent.checkpoint();
  const end = performance.now() + 1100;
  while (performance.now() < end);
  assert.equal((await ask())[1], "miss");
  assert.deepEqual([counted().silences, counted().streamsLost], [1, 1]);
  await setTimeout(20);
  assert.equal(counted().entries, 0);
});

test("what was in a buffer while this process stood still is not heard", () => {
  // A process that was stopped and goes on reads first, and looks at its clock afterwards.
  let listener: StreamListener | undefined;
  const channel = {
    duplex: (_method: string, given: StreamListener) => {
      listener = given;
      return { send: () => undefined, cancel: () => undefined };
    },
  };
  const told: unknown[] = [];
  const gone: string[] = [];
  const living = new Living(channel as unknown as Channel, {
    told: (event) => told.push(event.event.case),
    gone: (loss) => gone.push(loss),
  });
  const checkpoint = create(SubscribeResponseSchema, { event: { case: "checkpoint", value: {} }, terms: terms(50) });
  listener?.heard(toBinary(SubscribeResponseSchema, checkpoint));
  assert.equal(living.holds(), true);
  const end = performance.now() + 60;
  while (performance.now() < end);
  listener?.heard(toBinary(SubscribeResponseSchema, checkpoint));
  assert.deepEqual([told, gone, living.holds()], [["checkpoint"], ["silent"], false]);
});

test("what was told before this machine slept is served no more, although its steady clock stood still", async () => {
  server.silenceMs = 5_000;
  await held();
  assert.equal((await ask())[1], "hit");
  mock.timers.enable({ apis: ["Date"], now: Date.now() + 6_000 });
  try {
    assert.equal((await ask())[1], "miss");
    assert.deepEqual([counted().silences, counted().streamsLost], [1, 1]);
  } finally {
    mock.timers.reset();
  }
});

test("an addition that nobody ever answers holds up nobody for ever", async () => {
  server.silenceMs = 300_000;
  await warm();
  server.add = () => undefined;
  await usherd.authorize(ONE, { deadlineMs: 200 });
  const lost = server.stream.added.at(-1)?.id ?? assert.fail();
  mock.timers.enable({ apis: ["Date"], now: Date.now() + 61_000 });
  try {
    server.stream.checkpoint();
    await until(() => server.stream.removed.includes(lost));
  } finally {
    mock.timers.reset();
  }
  await held();
  assert.equal((await ask())[1], "hit");
});

test("a silence is noticed without a question", async () => {
  server.silenceMs = 80;
  await held();
  await gone();
  assert.equal(counted().silences, 1);
});

for (const [name, answer] of Object.entries<Event>({
  "no terms": {},
  "another mode": { terms: { mode: 1, maxSilence: { seconds: 1n } } } as Event,
  "no bound of silence": { terms: { mode: 2, maxSilence: {} } } as Event,
})) {
  test(`a stream that does not say how it is served is not used: ${name}`, async () => {
    server.silenceMs = undefined;
    server.add = (stream, id) => {
      const decision = allow();
      stream.tell({ ...answer, id, decisionId: decision.decisionId ?? "", event: { case: "decision", value: decision } } as Event);
    };
    assert.deepEqual(await ask(), [true, "miss"]);
    await until(() => counted().streamsLost === 1);
    assert.deepEqual(await ask(), [true, "miss"]);
    assert.deepEqual([counted().entries, counted().askedByItself], [0, 2]);
  });
}

test("a server without the stream is asked question by question", async () => {
  server.refuseStreams = status.UNIMPLEMENTED;
  assert.deepEqual(await ask(), [true, "miss"]);
  assert.deepEqual(await ask(), [true, "miss"]);
  assert.equal(server.asked.length, 2);
});

test("a subscription that the server has no room for is asked by itself", async () => {
  await warm();
  server.add = (stream, id) =>
    stream.tell({ id, event: { case: "fault", value: { code: Code.RESOURCE_EXHAUSTED, reason: FaultReason.OVERLOADED } } });
  assert.deepEqual(await ask(), [true, "miss"]);
  assert.equal(server.asked.length, 1);
});

test("any other fault is the answer", async () => {
  await warm();
  server.add = (stream, id) =>
    stream.tell({ id, event: { case: "fault", value: { code: Code.UNAVAILABLE, reason: FaultReason.KEYS_UNAVAILABLE } } });
  await assert.rejects(
    usherd.authorize(ONE),
    (error) => error instanceof UsherFault && error.kind === "unavailable" && error.reason === "KEYS_UNAVAILABLE",
  );
  assert.equal(server.asked.length, 0);
});

test("a first decision that is none, or is called by another's id, is a fault", async () => {
  await warm();
  server.add = (stream, id) => stream.decide(id, allow({ effect: 9 as Effect }));
  await assert.rejects(usherd.authorize(ONE), { kind: "bad_answer" });
  server.add = (stream, id) => stream.tell({ id, decisionId: "another", event: { case: "decision", value: allow() } });
  await assert.rejects(usherd.authorize(OTHER), { kind: "bad_answer" });
  assert.equal(counted().entries, 1);
});

test("a question without a first decision is asked by itself", async () => {
  await warm();
  const instead: Event[] = [{ event: { case: "resync", value: {} } }, {}, { event: { case: "ended", value: {} } }];
  for (const [at, event] of instead.entries()) {
    server.add = (stream, id) => stream.tell({ ...event, id });
    assert.deepEqual(await ask(), [true, "miss"]);
    assert.equal(server.asked.length, at + 1);
  }
});

test("questions that wait when the stream is lost are asked by themselves", async () => {
  await warm();
  server.add = (stream) => stream.fail(status.UNAVAILABLE);
  assert.deepEqual(await ask(), [true, "miss"]);
  assert.equal(server.asked.length, 1);
});

test("of more entries than it holds the least recently used goes first", async () => {
  using small = new Patient(server.target, { cache: { entries: 2 } });
  usherd.close();
  usherd = small;
  const [a, b, c] = ["a", "b", "c"].map((token) => ({ ...ONE, token })) as [Question, Question, Question];
  await held(allow(), a);
  server.add = (stream, id) => stream.decide(id, allow());
  await ask(b);
  await ask(a);
  await ask(c);
  assert.deepEqual([counted().entries, counted().evicted], [2, 1]);
  assert.equal((await ask(a))[1], "hit");
  assert.equal((await ask(c))[1], "hit");
  // In a message before the addition: the server's stream is full until then.
  assert.deepEqual(server.stream.messages.map(({ add, remove }) => [add.length, remove.length]), [[1, 0], [1, 0], [0, 1], [1, 0]]);
  assert.deepEqual(server.stream.removed, [2n]);
});

test("at most 256 additions are under way, and what is beyond is asked by itself", async () => {
  await warm();
  server.add = () => undefined;
  server.authorize = (asked) => (server.asked.length <= 44 ? asked.once(allow()) : undefined);
  const calls = Array.from({ length: 300 }, (_, n) =>
    usherd.authorize({ ...ONE, token: `t${n}` }, { deadlineMs: 4000 }).then(
      () => "answered",
      (error: UsherFault) => error.kind,
    ),
  );
  const outcomes = await Promise.all(calls);
  assert.equal(outcomes.filter((each) => each === "answered").length, 44);
  assert.equal(outcomes.filter((each) => each === "out_of_time").length, 256);
  assert.ok(server.stream.messages.every(({ add, remove }) => add.length + remove.length <= 256));
});

test("questions with large tokens are added in messages that a server takes", async () => {
  await warm();
  server.add = (stream, id) => stream.decide(id, allow());
  const calls = Array.from({ length: 100 }, (_, n) => usherd.authorize({ ...ONE, token: `${n}`.padEnd(8000, "x") }));
  await Promise.all(calls);
  assert.equal(server.stream.added.length, 101);
  assert.ok(server.stream.messages.length > 5);
});

test("entries are 1 to 10,000", () => {
  for (const entries of [0, -1, 10_001, 1.5, NaN]) {
    assert.throws(() => new Patient(server.target, { cache: { entries } }), RangeError);
  }
});

test("who waits when the client is closed hears of it", async () => {
  await warm();
  server.add = () => undefined;
  const call = usherd.authorize(ONE).catch((error: UsherFault) => error.kind);
  await setTimeout(10);
  usherd.close();
  assert.equal(await call, "closed");
  assert.equal(counted().entries, 0);
});
