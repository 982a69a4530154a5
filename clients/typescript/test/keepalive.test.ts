import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Channel, KEEP_ALIVE } from "../src/channel.js";
import { AuthorizeRequestSchema } from "../src/gen/usher/v1/authorization_service_pb.js";
import { UsherFault } from "../src/index.js";
import { ScriptedServer } from "./tools/scripted_server.js";
import { Swallower } from "./tools/swallower.js";

const REQUEST = toBinary(AuthorizeRequestSchema, create(AuthorizeRequestSchema, { question: { token: "t", route: "/v1/models" } }));

test("a connection whose peer is gone without a word is left", async () => {
  const server = await ScriptedServer.start();
  const network = await Swallower.before(server.target);
  const channel = new Channel(network.target, {}, { alone: true, keepAlive: { timeMs: 300, timeoutMs: 300 } });
  const ask = (): Promise<unknown> => channel.one("Authorize", REQUEST, { deadlineAt: performance.now() + 200 });
  try {
    await channel.one("Authorize", REQUEST, { deadlineAt: performance.now() + 10_000 });
    network.lose();
    const lost = performance.now();
    let unanswered = 0;
    for (let answered = false; !answered; ) {
      answered = await ask().then(
        () => true,
        (fault: unknown) => {
          assert.ok(fault instanceof UsherFault);
          return false;
        },
      );
      unanswered += answered ? 0 : 1;
      assert.ok(performance.now() - lost < 10_000, "it is still asked on the connection that was lost");
    }
    assert.ok(unanswered > 0, "nothing was lost");
  } finally {
    channel.close();
    network.stop();
    server.stop();
  }
});

test("pings are no more than a server takes", async () => {
  // This runs from build/test.
  const options = await readFile(new URL("../../../../server/usherd/rpc/options.py", import.meta.url), "utf8");
  const taken = /min_ping_interval_without_data_ms", ([0-9_]+)/.exec(options)?.[1]?.replaceAll("_", "");
  assert.ok(KEEP_ALIVE.timeMs >= 2 * Number(taken), `the server takes a ping each ${taken} ms`);
});
