import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Channel } from "../src/channel.js";
import { SubscribeRequestSchema } from "../src/gen/usher/v1/authorization_service_pb.js";
import { Usherd, type UsherFault } from "../src/index.js";
import { ScriptedServer } from "./tools/scripted_server.js";
import { until } from "./tools/until.js";

const QUESTION = { token: "t", route: "/v1/chat/completions", model: "gpt-4o" };

let server: ScriptedServer;
beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(() => server.stop());

test("what a server does not read is bounded: its stream ends", async () => {
  const channel = new Channel(server.target, {});
  let ended: UsherFault | undefined;
  const stream = channel.duplex("Subscribe", { heard: () => undefined, ended: (fault) => (ended = fault) });
  await until(() => server.streams.length === 1);
  server.stream.call.pause();
  const question = { token: "x".repeat(128 * 1024) };
  const message = toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { add: [{ id: 1n, question }] }));
  for (let sent = 0; sent < 1000 && ended === undefined; sent += 1) {
    stream.send(message);
    await setTimeout(0);
  }
  assert.equal(ended?.kind, "overloaded");
  await until(() => server.stream.ended);
  channel.close();
});

test("a credential that cannot be had for a while ends no process, and no cache for good", async () => {
  let lost = false;
  const usherd = new Usherd(server.target, {
    cache: true,
    bearer: () => {
      if (lost) {
        throw new Error("no such file");
      }
      return "gateway";
    },
  });
  try {
    const hits = (): number => usherd.cacheStatistics?.hits ?? assert.fail();
    const ask = (): Promise<unknown> => usherd.authorize(QUESTION, { deadlineMs: 20_000 });
    while (hits() === 0) {
      await ask();
    }
    lost = true;
    server.stream.end();
    await until(() => usherd.cacheStatistics?.streamsLost === 1);
    // The stream is opened anew after 0.1 s, by a timer that nobody waits for.
    await setTimeout(500);
    await assert.rejects(ask(), /no such file/);
    lost = false;
    const before = hits();
    while (hits() === before) {
      await ask();
    }
    assert.equal(server.streams.length, 2);
  } finally {
    usherd.close();
  }
});
