import assert from "node:assert/strict";
import { test } from "node:test";
import { UsherFault, type Authorizer, type WatchEvent } from "../src/index.js";
import { FakeUsherd } from "../src/testing.js";

const QUESTION = { token: "good", route: "/v1/chat/completions", model: "gpt-4o" };

async function next(watch: AsyncGenerator<WatchEvent, void, undefined>): Promise<string> {
  const { value } = await watch.next();
  return value === undefined ? "over" : `${value.kind} ${value.allowed}`;
}

test("what no rule fits is denied", async () => {
  const usherd: Authorizer = new FakeUsherd();
  const decision = await usherd.authorize(QUESTION);
  assert.deepEqual([decision.allowed, decision.reason, decision.httpStatus], [false, "NOT_ENTITLED", 403]);
});

test("the last rule that fits counts", async () => {
  const usherd = new FakeUsherd()
    .allow({ token: "good" }, { userId: "u1", resolvedModel: "gpt-4o-2024" })
    .deny({ model: "o3" }, { reason: "MODEL_NOT_GRANTED" })
    .fault({ route: "/broken" }, "unavailable", "KEYS_UNAVAILABLE", 3);
  const decision = await usherd.authorize(QUESTION);
  assert.deepEqual([decision.allowed, decision.principal?.userId, decision.resolvedModel], [true, "u1", "gpt-4o-2024"]);
  assert.equal((await usherd.authorize({ ...QUESTION, model: "o3" })).reason, "MODEL_NOT_GRANTED");
  await assert.rejects(usherd.authorize({ ...QUESTION, route: "/broken" }), (error) => {
    assert.ok(error instanceof UsherFault);
    return error.reason === "KEYS_UNAVAILABLE" && error.retryAfter === 3;
  });
  assert.equal(usherd.questions.length, 3);
});

test("whoever watches hears of rules that come later, and nobody else does", async () => {
  const usherd = new FakeUsherd().allow();
  const watch = usherd.watch(QUESTION);
  assert.equal(await next(watch), "decided true");
  usherd.deny({ token: "another" });
  usherd.deny({ token: "good" });
  assert.equal(await next(watch), "changed false");
  usherd.allow();
  assert.equal(await next(watch), "changed true");
  usherd.revoke({ token: "good" });
  assert.equal(await next(watch), "ended false");
  assert.equal(await next(watch), "over");
  assert.equal((await usherd.authorize(QUESTION)).reason, "TOKEN_REVOKED");
  assert.equal(usherd.watching, 0);
});

test("a fault leaves it unknown, a signal and the end of the client end it", async () => {
  const usherd = new FakeUsherd().allow();
  const controller = new AbortController();
  const [unknown, aborted, closed] = [usherd.watch(QUESTION), usherd.watch(QUESTION, controller), usherd.watch(QUESTION)];
  for (const each of [unknown, aborted, closed]) {
    await each.next();
  }
  controller.abort();
  await assert.rejects(aborted.next(), { kind: "cancelled" });
  usherd.fault();
  assert.equal(await next(unknown), "unknown false");
  assert.equal(await next(closed), "unknown false");
  usherd.close();
  await assert.rejects(usherd.authorize(QUESTION), { kind: "closed" });
  await assert.rejects(usherd.watch(QUESTION).next(), { kind: "closed" });
});

test("it takes no question that the client would not take", async () => {
  const usherd = new FakeUsherd().allow();
  await assert.rejects(usherd.authorize({ ...QUESTION, teamId: "a", teamAlias: "b" }), TypeError);
  await assert.rejects(usherd.authorize(QUESTION, { deadlineMs: 0 }), RangeError);
});
