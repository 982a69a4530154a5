import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { Mode } from "../src/gen/usher/v1/authorization_service_pb.js";
import { judge } from "../src/http/gate.js";
import { Reading } from "../src/http/reading.js";
import { notAllowed } from "../src/http/watching.js";
import type { Usherd, UsherFault } from "../src/index.js";
import { Patient } from "./tools/patient.js";
import { ScriptedServer, allow, deny } from "./tools/scripted_server.js";
import { until } from "./tools/until.js";

const QUESTION = { token: "t", route: "/v1/chat/completions", model: "gpt-4o" };

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

test("a request for a stream is asked about once, so that its user is written to the directory, and only then watched", async () => {
  const body = Buffer.from('{"model":"gpt-4o","stream":true}');
  const headers: [string, string][] = [
    ["authorization", "Bearer t"],
    ["content-type", "application/json"],
  ];
  const arrived = { method: "POST", target: "/v1/chat/completions", headers, body: () => Promise.resolve(body) };
  const verdict = await judge(usherd, arrived, new Reading(), { deadlineMs: 20_000 }, new AbortController().signal);
  assert.ok("decision" in verdict && verdict.stream);
  assert.deepEqual(
    server.asked.map(({ mode }) => mode),
    [Mode.ONCE],
  );
});

test("a watch that gets no first decision is begun anew, and its request goes on meanwhile", async () => {
  const faults = [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.INTERNAL];
  server.authorize = (asked) => {
    const fault = faults[server.asked.length - 1];
    if (fault === undefined) {
      asked.living(allow(), 60_000);
    } else {
      asked.fail(fault);
    }
  };
  const over = new AbortController();
  let ended = false;
  const waiting = notAllowed(usherd, QUESTION, {}, over.signal).finally(() => (ended = true));
  await until(() => server.asked.length > faults.length);
  await setTimeout(50);
  assert.equal(ended, false);
  over.abort();
  assert.equal(await waiting, undefined);
  await until(() => server.asked.at(-1)?.cancelled === true);
});

test("a watch whose first decision is a denial ends with it", async () => {
  server.authorize = (asked) => asked.living(deny(), 60_000);
  const denial = await notAllowed(usherd, QUESTION, {}, new AbortController().signal);
  assert.equal(denial?.allowed, false);
});

test("a request that cannot be watched for five seconds goes on no longer, and one whose client is closed not at all", async () => {
  server.authorize = (asked) => asked.fail(status.INTERNAL);
  const faults: string[] = [];
  const onFault = ({ kind }: UsherFault): void => {
    faults.push(kind);
    throw new Error("of the gateway's own");
  };
  const begun = performance.now();
  assert.equal(await notAllowed(usherd, QUESTION, { onFault }, new AbortController().signal), undefined);
  const lasted = performance.now() - begun;
  assert.ok(lasted > 2000 && lasted < 6000, `${lasted} ms`);
  usherd.close();
  const closed = performance.now();
  assert.equal(await notAllowed(usherd, QUESTION, { onFault }, new AbortController().signal), undefined);
  assert.ok(performance.now() - closed < 1000);
  assert.deepEqual(faults, ["internal", "closed"]);
});

test("whoever leaves between two attempts ends them", async () => {
  server.authorize = (asked) => asked.fail(status.INTERNAL);
  const over = new AbortController();
  const waiting = notAllowed(usherd, QUESTION, {}, over.signal);
  await until(() => server.asked.length === 3);
  over.abort();
  assert.equal(await waiting, undefined);
  const asked = server.asked.length;
  await setTimeout(600);
  assert.equal(server.asked.length, asked);
});
