import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type { StreamListener } from "../src/channel.js";
import { AuthorizeResponseSchema, Mode } from "../src/gen/usher/v1/authorization_service_pb.js";
import { Cause } from "../src/gen/usher/v1/event_pb.js";
import { Reason } from "../src/gen/usher/v1/reason_pb.js";
import { Usherd, type Question, type WatchEvent } from "../src/index.js";
import { asked } from "../src/questions.js";
import { watched } from "../src/watch.js";
import { ScriptedServer, allow, deny, terms, type Answer, type Authorize } from "./tools/scripted_server.js";
import { Patient } from "./tools/patient.js";
import { until } from "./tools/until.js";

const QUESTION: Question = { token: "t", route: "/v1/chat/completions", model: "gpt-4o" };

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

/** What a watch says until it ends, or has said so many things. */
async function heard(most = 99, watch = usherd.watch(QUESTION)): Promise<string[]> {
  const events: string[] = [];
  for await (const event of watch) {
    events.push(said(event));
    if (events.length === most) {
      break;
    }
  }
  return events;
}

function said(event: WatchEvent): string {
  const words: string[] = [event.kind, event.allowed ? "allowed" : "not allowed"];
  if ("decision" in event) {
    words.push(event.decision.reason);
  }
  if ("cause" in event) {
    words.push(event.cause);
  }
  return words.join(" ");
}

/** Answers the first call with one script, and each later one with the other. */
function first(script: (asked: Authorize) => void, then: (asked: Authorize) => void): void {
  server.authorize = (asked) => (server.asked.length === 1 ? script(asked) : then(asked));
}

const changed = { case: "changed", value: { decision: deny(), cause: Cause.DIRECTORY } } as const;
const ended = { case: "ended", value: { decision: deny({ reason: Reason.TOKEN_REVOKED }), cause: Cause.TOKEN_REVOKED } } as const;

test("it tells the decision, its changes, its end near and its end", async () => {
  server.authorize = (asked) => {
    asked.living(allow(), 60_000);
    asked.write({ event: { case: "checkpoint", value: {} } });
    asked.write({ event: changed });
    setImmediate(() => {
      asked.write({ event: { case: "expiring", value: { endsAt: timestampFromMs(1e12), cause: Cause.TOKEN_EXPIRED } } });
      asked.write({ event: ended });
      asked.end();
    });
  };
  assert.deepEqual(await heard(), [
    "decided allowed ALLOWED",
    "changed not allowed TEAM_BLOCKED DIRECTORY",
    "expiring not allowed TOKEN_EXPIRED",
    "ended not allowed TOKEN_REVOKED TOKEN_REVOKED",
  ]);
  assert.equal(server.asked[0]?.mode, Mode.WATCH);
});

test("a slow reader hears the newest of each kind", async () => {
  server.authorize = (asked) => {
    asked.living(allow(), 60_000);
    asked.write({ event: changed });
    asked.write({ event: { case: "changed", value: { decision: allow(), cause: Cause.DIRECTORY } } });
  };
  const watch = usherd.watch(QUESTION);
  await watch.next();
  await setTimeout(50);
  const { value } = await watch.next();
  assert.equal(said(value as WatchEvent), "changed allowed ALLOWED DIRECTORY");
  await watch.return();
});

test("leaving the loop ends the call", async () => {
  server.authorize = (asked) => asked.living(allow(), 60_000);
  await heard(1);
  await until(() => server.asked[0]?.cancelled === true);
});

test("a signal ends it", async () => {
  server.authorize = (asked) => asked.living(allow(), 60_000);
  const controller = new AbortController();
  const watch = usherd.watch(QUESTION, { signal: controller.signal });
  await watch.next();
  const next = watch.next();
  controller.abort();
  await assert.rejects(next, { kind: "cancelled" });
  await until(() => server.asked[0]?.cancelled === true);
});

test("a first answer that is a fault ends it", async () => {
  server.authorize = (asked) => asked.fail(status.PERMISSION_DENIED);
  await assert.rejects(heard(), { kind: "caller_not_allowed" });
  server.authorize = (asked) => asked.write({ event: changed });
  await assert.rejects(heard(), { kind: "bad_answer" });
  server.authorize = (asked) => asked.write({ event: { case: "decision", value: allow() }, terms: { mode: 7 as Mode } });
  await assert.rejects(heard(), { kind: "bad_answer" });
  server.authorize = () => undefined;
  await assert.rejects(heard(9, usherd.watch(QUESTION, { deadlineMs: 50 })), { kind: "out_of_time" });
});

const BREAKS: Record<string, (asked: Authorize) => void> = {
  "an error": (asked) => asked.fail(status.UNAVAILABLE),
  "an end without a reason": (asked) => asked.end(),
  resync: (asked) => asked.write({ event: { case: "resync", value: {} } }),
  "an event that is not known": (asked) => asked.call.write(Buffer.from([0x72, 0])),
  "a message that cannot be read": (asked) => asked.call.write(Buffer.from([0x0a, 0x7f])),
  "an end that allows": (asked) => asked.write({ event: { case: "ended", value: { decision: allow() } } }),
  "a change to something that is no decision": (asked) => asked.write({ event: { case: "changed", value: {} } }),
};
for (const [name, broken] of Object.entries(BREAKS)) {
  test(`it asks again, and says nothing where the answer is the same: ${name}`, async () => {
    first(
      (asked) => {
        asked.living(allow(), 60_000);
        setImmediate(() => broken(asked));
      },
      (asked) => {
        asked.living(allow(), 60_000);
        asked.write({ event: ended });
      },
    );
    assert.deepEqual(await heard(), ["decided allowed ALLOWED", "ended not allowed TOKEN_REVOKED TOKEN_REVOKED"]);
  });
}

test("an answer to asking again that differs is told: denied as a change, allowed as decided", async () => {
  first(
    (asked) => {
      asked.living(allow(), 60_000);
      setImmediate(() => asked.end());
    },
    (asked) => {
      if (server.asked.length === 2) {
        asked.living(deny(), 60_000);
        setImmediate(() => asked.end());
      } else {
        asked.living(allow({ reason: Reason.PUBLIC_ROUTE }), 60_000);
      }
    },
  );
  assert.deepEqual(await heard(3), [
    "decided allowed ALLOWED",
    "changed not allowed TEAM_BLOCKED UNSPECIFIED",
    "decided allowed PUBLIC_ROUTE",
  ]);
});

test("where nothing can be learned it ends unknown, when a silence would have been too long", async () => {
  first(
    (asked) => {
      asked.living(allow(), 300);
      setImmediate(() => asked.end());
    },
    (asked) => asked.fail(status.INTERNAL),
  );
  const begun = performance.now();
  assert.deepEqual(await heard(), ["decided allowed ALLOWED", "unknown not allowed"]);
  const took = performance.now() - begun;
  assert.ok(took > 250 && took < 5000, String(took));
  // 10, 20, 40, 80 ms ...
  assert.ok(server.asked.length >= 2 && server.asked.length <= 8, String(server.asked.length));
});

test("it ends unknown soon after this machine slept, although nothing is said", async () => {
  server.authorize = (asked) => asked.living(allow(), 60_000);
  const events: string[] = [];
  try {
    for await (const event of usherd.watch(QUESTION)) {
      events.push(said(event));
      if (event.allowed) {
        mock.timers.enable({ apis: ["Date"], now: Date.now() + 61_000 });
      }
    }
  } finally {
    mock.timers.reset();
  }
  assert.deepEqual(events, ["decided allowed ALLOWED", "unknown not allowed"]);
});

test("where nothing can be learned it ends unknown, when its time is over", async () => {
  first(
    (asked) => {
      asked.living(allow({ validUntil: timestampFromMs(Date.now() + 200) }), 60_000);
      setImmediate(() => asked.end());
    },
    () => undefined,
  );
  const begun = performance.now();
  assert.deepEqual(await heard(), ["decided allowed ALLOWED", "unknown not allowed"]);
  assert.ok(performance.now() - begun < 5000);
});

test("a denial whose time is over is asked about again, for as long as a silence may be", async () => {
  first(
    (asked) => {
      asked.living(deny({ validUntil: timestampFromMs(1) }), 60_000);
      setImmediate(() => asked.end());
    },
    (asked) => asked.living(allow(), 60_000),
  );
  assert.deepEqual(await heard(2), ["decided not allowed TEAM_BLOCKED", "decided allowed ALLOWED"]);
});

test("what was in a buffer while this process stood still is not heard", async () => {
  // A process that was stopped and goes on reads first, and looks at its clock afterwards.
  let listener: StreamListener | undefined;
  const channel = {
    stream: (_method: string, _request: Uint8Array, given: StreamListener) => {
      listener = given;
      return { send: () => undefined, cancel: () => undefined };
    },
  };
  const watch = watched(channel, asked(QUESTION), 1000, undefined);
  const decided = watch.next();
  const bytes = (event: Answer): Uint8Array =>
    toBinary(AuthorizeResponseSchema, create(AuthorizeResponseSchema, event as Parameters<typeof create<typeof AuthorizeResponseSchema>>[1]));
  listener?.heard(bytes({ event: { case: "decision", value: allow() }, terms: terms(50) }));
  await decided;
  const end = performance.now() + 60;
  while (performance.now() < end);
  listener?.heard(bytes({ event: { case: "changed", value: { decision: allow() } } }));
  assert.deepEqual(await heard(9, watch), ["unknown not allowed"]);
});

test("silence is unknown, and what comes after it is not heard", async () => {
  let call: Authorize | undefined;
  server.authorize = (asked) => {
    call = asked;
    asked.living(allow(), 100);
  };
  const watch = usherd.watch(QUESTION);
  await watch.next();
  call?.write({ event: { case: "changed", value: { decision: allow() } } });
  const end = performance.now() + 200;
  while (performance.now() < end);
  assert.deepEqual(await heard(9, watch), ["unknown not allowed"]);
});

test("a server that answers once is asked again before its answer ends", async () => {
  first(
    (asked) => asked.once(allow({ validUntil: timestampFromMs(Date.now() + 2000) })),
    (asked) => asked.once(server.asked.length === 2 ? allow({ validUntil: timestampFromMs(Date.now() + 2000) }) : deny()),
  );
  const begun = performance.now();
  assert.deepEqual(await heard(2), ["decided allowed ALLOWED", "changed not allowed TEAM_BLOCKED UNSPECIFIED"]);
  const took = performance.now() - begun;
  assert.ok(took > 250 && took < 5000, String(took));
});

test("a server that answers once, and then says nothing to whoever asks again, leaves it unknown", { timeout: 20_000 }, async () => {
  for (const then of [
    () => undefined,
    (asked: Authorize) => asked.write({ event: { case: "decision", value: allow() }, terms: { mode: Mode.ONCE } }),
  ]) {
    server.asked.length = 0;
    first((asked) => asked.once(allow({ validUntil: timestampFromMs(Date.now() + 1500) })), then);
    assert.deepEqual(await heard(), ["decided allowed ALLOWED", "unknown not allowed"]);
    assert.ok(server.asked.length > 1);
  }
});

test("a server that answers once, and then no more, leaves it unknown", async () => {
  first(
    (asked) => asked.once(allow({ validUntil: timestampFromMs(Date.now() + 400) })),
    (asked) => asked.fail(status.INTERNAL),
  );
  assert.deepEqual(await heard(), ["decided allowed ALLOWED", "unknown not allowed"]);
});

test("an allowance in an only message counts only with OK behind it", async () => {
  server.authorize = (asked) => {
    asked.write({ event: { case: "decision", value: allow() }, terms: { mode: Mode.ONCE } });
    asked.fail(status.INTERNAL);
  };
  await assert.rejects(heard(), { kind: "internal" });
});

test("closing the client ends it", async () => {
  server.authorize = (asked) => asked.living(allow(), 60_000);
  const watch = usherd.watch(QUESTION);
  await watch.next();
  const next = watch.next();
  usherd.close();
  await assert.rejects(next, { kind: "closed" });
});
