import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { StreamListener } from "../src/channel.js";
import { AuthorizeResponseSchema } from "../src/gen/usher/v1/authorization_service_pb.js";
import { UsherFault, type Question, type WatchEvent } from "../src/index.js";
import { asked } from "../src/questions.js";
import { WATCHES, WatchChannels, type Line } from "../src/watch_channels.js";
import { watched } from "../src/watch.js";
import { Patient } from "./tools/patient.js";
import { ScriptedServer, allow, terms } from "./tools/scripted_server.js";
import { StoryServer, questionOf, type Ask } from "./tools/story_server.js";
import { until } from "./tools/until.js";

// More than the server takes on one connection (100).
const MORE = 150;
const QUESTION: Question = { token: "t", route: "/v1/chat/completions", model: "gpt-4o" };

type Watch = AsyncGenerator<WatchEvent, void, undefined>;

let server: StoryServer;
let question: Question;

before(async () => {
  server = await StoryServer.start("--checkpoint-every", "5");
  const { asks } = await server.post<{ asks: Ask[] }>("/lab/begin", { teams: 1 });
  question = questionOf(asks[0] as Ask);
});
after(() => server.stop());

/** The next events of them all, of fifty at a time: the server may have little of a processor. */
async function nextOf(watches: Watch[]): Promise<Set<string | undefined>> {
  const events = new Set<string | undefined>();
  for (let at = 0; at < watches.length; at += 50) {
    for (const { value } of await Promise.all(watches.slice(at, at + 50).map((watch) => watch.next()))) {
      events.add(value === undefined ? undefined : `${value.kind} ${value.allowed}`);
    }
  }
  return events;
}

async function ended(watches: Watch[]): Promise<void> {
  await Promise.all(watches.map((watch) => watch.return()));
}

test("a question does not wait behind those that are watched", async () => {
  using usherd = new Patient(server.target);
  const watches = Array.from({ length: MORE }, () => usherd.watch(question));
  assert.deepEqual(await nextOf(watches), new Set(["decided true"]));
  assert.ok((await usherd.authorize(question)).allowed);
  await ended(watches);
});

test("what is watched is spread over connections, which are let go but one", async () => {
  const channels = WatchChannels.to(server.target, {});
  const watches = Array.from({ length: MORE }, () => watched(channels, asked(question), 20_000, undefined));
  await nextOf(watches);
  assert.deepEqual(channels.calls, [WATCHES, WATCHES, MORE - 2 * WATCHES]);
  await ended(watches);
  assert.deepEqual(channels.calls, [0]);
  channels.close();
});

test("those on every connection are told", async () => {
  using usherd = new Patient(server.target);
  const watches = Array.from({ length: WATCHES + 1 }, () => usherd.watch(question));
  await nextOf(watches);
  await server.post("/lab/flip", { team: 0, blocked: true });
  assert.deepEqual(await nextOf([watches[0] as Watch, watches[WATCHES] as Watch]), new Set(["changed false"]));
  await server.post("/lab/flip", { team: 0, blocked: false });
  await ended(watches);
});

test("however a call ends its place is given back", async (t) => {
  const scripted = await ScriptedServer.start();
  t.after(() => scripted.stop());
  const channels = WatchChannels.to(scripted.target, {});
  let calls = 0;
  scripted.authorize = (each) => {
    calls += 1;
    each.living(allow(), 60_000);
    if (calls === 1) {
      setImmediate(() => each.end());
    } else if (calls === 2) {
      setImmediate(() => each.fail(status.UNAVAILABLE));
    }
  };
  const watch = watched(channels, asked(QUESTION), 20_000, undefined);
  assert.deepEqual(await nextOf([watch]), new Set(["decided true"]));
  await until(() => calls === 3);
  assert.deepEqual(channels.calls, [1]);
  await watch.return();
  assert.deepEqual(channels.calls, [0]);
  channels.close();
});

test("a client that is closed ends what it watches, and watches nothing more", async (t) => {
  const scripted = await ScriptedServer.start();
  t.after(() => scripted.stop());
  scripted.authorize = (each) => each.living(allow(), 60_000);
  const channels = WatchChannels.to(scripted.target, {});
  const watch = watched(channels, asked(QUESTION), 20_000, undefined);
  await watch.next();
  channels.close();
  const closed = (fault: unknown): boolean => fault instanceof UsherFault && fault.kind === "closed";
  await assert.rejects(watch.next(), closed);
  await assert.rejects(watched(channels, asked(QUESTION), 20_000, undefined).next(), closed);
});

/** Connections that are counted. */
function counted(): { open: Set<Line>; channels: WatchChannels; begin: (calls: number) => (() => void)[] } {
  const open = new Set<Line>();
  const channels = new WatchChannels(() => {
    const line: Line = {
      stream: () => ({ send: () => undefined, cancel: () => undefined }),
      close: () => open.delete(line),
    };
    open.add(line);
    return line;
  });
  const listener: StreamListener = { heard: () => undefined, ended: () => undefined };
  const begin = (calls: number): (() => void)[] =>
    Array.from({ length: calls }, () => {
      const stream = channels.stream("Authorize", new Uint8Array(), listener);
      return () => stream.cancel();
    });
  return { open, channels, begin };
}

test("a call goes where there is room, and opens a connection only where there is none", () => {
  const { open, channels, begin } = counted();
  const [leave] = begin(WATCHES);
  assert.equal(open.size, 1);
  begin(1);
  assert.deepEqual(channels.calls, [WATCHES, 1]);
  leave?.();
  leave?.();
  assert.deepEqual(channels.calls, [WATCHES - 1, 1]);
  begin(1);
  assert.deepEqual(channels.calls, [WATCHES, 1]);
});

test("one connection without calls is kept, and no more", () => {
  const { open, channels, begin } = counted();
  begin(3 * WATCHES).forEach((leave) => leave());
  assert.deepEqual(channels.calls, [0]);
  assert.equal(open.size, 1);
});

test("a call that ends after the client was closed closes nothing twice", () => {
  const { channels, begin } = counted();
  const leaves = begin(2);
  channels.close();
  leaves.forEach((leave) => leave());
  assert.deepEqual(channels.calls, []);
  assert.throws(() => begin(1), UsherFault);
});

test("calls begin no faster than a server takes them up", async (t) => {
  const goOn = stopTheClock(t);
  const { begun, begin } = paced();
  const from = performance.now();
  Array.from({ length: 24 }, begin);
  assert.equal(begun.length, 24);
  const waiting = Array.from({ length: 60 }, begin);
  assert.equal(begun.length, 24);
  waiting.at(-1)?.();
  goOn();
  await until(() => begun.length === 24 + 59);
  assert.ok((begun.at(-1) ?? 0) - from > 55);
  await setTimeout(40);
  Array.from({ length: 24 }, begin);
  assert.equal(begun.length, 24 + 59 + 24);
});

test("calls that were given up before their turn make nobody wait", async (t) => {
  const goOn = stopTheClock(t);
  const { begun, begin, channels } = paced();
  Array.from({ length: 5000 }, begin).forEach((giveUp) => giveUp());
  begin();
  goOn();
  await setTimeout(500);
  assert.equal(begun.length, 24 + 1);
  assert.equal(channels.calls.reduce((sum, each) => sum + each), 1);
});

test("a client that is closed keeps nobody waiting for a turn", (t) => {
  stopTheClock(t);
  const { begun, begin, channels, faults } = paced();
  Array.from({ length: 1000 }, begin);
  channels.close();
  assert.deepEqual(faults, Array.from({ length: 1000 - 24 }, () => "closed"));
  assert.equal(begun.length, 24);
});

/** No turn comes until this is called, or the test ends, however long a busy machine takes. */
function stopTheClock(t: TestContext): () => void {
  const at = performance.now();
  const stopped = t.mock.method(performance, "now", () => at);
  return () => stopped.mock.restore();
}

/** When calls began, and how those ended that did not. */
function paced(): { begun: number[]; faults: (string | undefined)[]; channels: WatchChannels; begin: () => () => void } {
  const begun: number[] = [];
  const faults: (string | undefined)[] = [];
  const line: Line = {
    stream: () => {
      begun.push(performance.now());
      return { send: () => undefined, cancel: () => undefined };
    },
    close: () => undefined,
  };
  const channels = new WatchChannels(() => line);
  const listener: StreamListener = { heard: () => undefined, ended: (fault) => faults.push(fault?.kind) };
  const begin = (): (() => void) => {
    const stream = channels.stream("Authorize", new Uint8Array(), listener);
    return () => stream.cancel();
  };
  return { begun, faults, channels, begin };
}

test("what cannot be asked again in time is unknown, however many wait before it", async (t) => {
  const begun: StreamListener[] = [];
  const line: Line = {
    stream: (_method, _request, listener) => {
      begun.push(listener);
      return { send: () => undefined, cancel: () => undefined };
    },
    close: () => undefined,
  };
  const channels = new WatchChannels(() => line);
  t.after(() => channels.close());
  const watch = watched(channels, asked(QUESTION), 20_000, undefined);
  const decided = watch.next();
  const living = { event: { case: "decision" as const, value: allow() }, terms: terms(500) };
  begun[0]?.heard(toBinary(AuthorizeResponseSchema, create(AuthorizeResponseSchema, living)));
  assert.equal((await decided).value?.allowed, true);
  const nobody: StreamListener = { heard: () => undefined, ended: () => undefined };
  for (let each = 0; each < 30_000; each += 1) {
    channels.stream("Authorize", new Uint8Array(), nobody);
  }
  const lost = performance.now();
  begun[0]?.ended();
  const { value } = await watch.next();
  assert.equal(value?.kind, "unknown");
  assert.ok(performance.now() - lost < 10_000);
});
