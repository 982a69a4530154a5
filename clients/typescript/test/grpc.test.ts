import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  Client,
  Metadata,
  Server,
  ServerCredentials,
  credentials,
  status,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { admissionOf, authorizeCalls } from "../src/grpc.js";
import { FakeUsherd } from "../src/testing.js";
import { until } from "./tools/until.js";

const asIs = (message: Buffer): Buffer => message;
const ECHO = "/gateway.v1.Gateway/Echo";
const COUNT = "/gateway.v1.Gateway/Count";

let usherd: FakeUsherd;
let server: Server;
let client: Client;
let cancelled: boolean;
let handled: number;
let faults: string[];

beforeEach(async () => {
  usherd = new FakeUsherd();
  cancelled = false;
  handled = 0;
  faults = [];
  server = new Server({
    interceptors: [
      authorizeCalls(usherd, {
        modelHeader: "x-model",
        teamHeader: "x-team",
        teamAliasHeader: "x-team-alias",
        skip: ["/gateway.v1.Gateway/Health"],
        onFault: ({ reason }) => {
          faults.push(reason);
          throw new Error("of the gateway's own");
        },
      }),
    ],
  });
  const method = (path: string, responseStream: boolean) => ({
    path,
    requestStream: false,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  });
  const echo = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
    handled += 1;
    answer(null, Buffer.from(`${call.request.toString()} ${admissionOf(call)?.decision.principal?.userId ?? "nobody"}`));
  };
  server.addService(
    { Echo: method(ECHO, false), Count: method(COUNT, true), Health: method("/gateway.v1.Gateway/Health", false) },
    {
      Echo: echo,
      Health: echo,
      Count: async (call: ServerWritableStream<Buffer, Buffer>) => {
        call.on("cancelled", () => (cancelled = true));
        const signal = admissionOf(call)?.signal;
        for (let n = 0; signal?.aborted === false; n += 1) {
          call.write(Buffer.from(String(n)));
          await setTimeout(5);
        }
        call.write(Buffer.from("never"));
        call.end();
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  server.forceShutdown();
  await until(() => usherd.watching === 0);
});

function metadata(of: Record<string, string> = { authorization: "Bearer good", "x-model": "gpt-4o" }): Metadata {
  return Metadata.fromHttp2Headers(of);
}

function echo(headers?: Record<string, string>, path = ECHO): Promise<string | ServiceError> {
  return new Promise((resolve) =>
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from("hello"), metadata(headers), (error, answer) =>
      resolve(error ?? answer?.toString() ?? ""),
    ),
  );
}

function count(): Promise<{ numbers: string[]; error: ServiceError | undefined }> {
  return new Promise((resolve) => {
    const numbers: string[] = [];
    const call = client.makeServerStreamRequest(COUNT, asIs, asIs, Buffer.alloc(0), metadata());
    call.on("data", (message: Buffer) => numbers.push(message.toString()));
    call.on("error", (error: ServiceError) => resolve({ numbers, error }));
    call.on("end", () => resolve({ numbers, error: undefined }));
  });
}

test("a call that is allowed passes, and its handler has the decision", async () => {
  usherd.allow({ token: "good", route: ECHO, model: "gpt-4o", method: "POST" }, { userId: "u1" });
  assert.equal(await echo(), "hello u1");
});

test("a call that is denied goes no further", async () => {
  for (const [httpStatus, code] of [
    [401, status.UNAUTHENTICATED],
    [403, status.PERMISSION_DENIED],
    [429, status.RESOURCE_EXHAUSTED],
  ] as const) {
    usherd.deny({}, { httpStatus, message: "No." });
    const error = (await echo()) as ServiceError;
    assert.deepEqual([error.code, error.details], [code, "No."]);
  }
  assert.equal(handled, 0);
});

test("no decision is UNAVAILABLE and says no more; two credentials are INVALID_ARGUMENT", async () => {
  usherd.fault({}, "unavailable", "KEYS_UNAVAILABLE");
  const error = (await echo()) as ServiceError;
  assert.equal(error.code, status.UNAVAILABLE);
  assert.doesNotMatch(error.message, /KEYS/);
  assert.deepEqual(faults, ["KEYS_UNAVAILABLE"]);
  const ambiguous = (await echo({ authorization: "Bearer a", "x-api-key": "b" })) as ServiceError;
  assert.equal(ambiguous.code, status.INVALID_ARGUMENT);
  assert.equal(handled, 0);
});

test("a session cookie from a page of anybody is told as one", async () => {
  usherd.allow();
  const error = (await echo({ cookie: "litellm_ui_token_1=good", origin: "https://evil.example", "x-model": "gpt-4o" })) as ServiceError;
  assert.deepEqual(
    [error.code, error.details],
    [status.PERMISSION_DENIED, "A session cookie acts only on requests from an allowed origin."],
  );
  assert.deepEqual([handled, usherd.questions.length], [0, 0]);
});

test("metadata that are empty are none, and beside another value of their name never that value alone", async () => {
  usherd.allow();
  const asked = async (...of: [string, string][]): Promise<unknown[]> => {
    const sent = new Metadata();
    of.forEach(([name, value]) => sent.add(name, value));
    await new Promise((resolve) => client.makeUnaryRequest(ECHO, asIs, asIs, Buffer.from("hello"), sent, resolve));
    const { model, teamId, teamAlias } = usherd.questions.at(-1) ?? {};
    return [model ?? null, teamId ?? null, teamAlias ?? null];
  };
  assert.deepEqual(await asked(["x-model", ""], ["x-team", ""], ["x-team-alias", " "]), [null, null, null]);
  assert.deepEqual(await asked(["x-team", ""], ["x-team-alias", "Red"]), [null, null, "Red"]);
  assert.deepEqual(await asked(["x-team", "red"], ["x-team-alias", "Red"]), [null, "", null]);
  // Node has joined them: what comes of it is the name of nothing.
  assert.deepEqual(await asked(["x-model", ""], ["x-model", "o3"], ["x-team", ""], ["x-team", "red"]), [", o3", ", red", null]);
});

test("what is left out is not asked about", async () => {
  assert.equal(await echo({}, "/gateway.v1.Gateway/Health"), "hello nobody");
  assert.equal(usherd.questions.length, 0);
});

test("a stream is cut by a revocation, and its handler hears of it", async () => {
  usherd.allow();
  const counting = count();
  await until(() => usherd.watching === 1);
  await setTimeout(30);
  usherd.revoke();
  const { numbers, error } = await counting;
  assert.deepEqual([error?.code, error?.details], [status.UNAUTHENTICATED, "Denied."]);
  assert.deepEqual(numbers.slice(0, 1), ["0"]);
  assert.ok(!numbers.includes("never"));
  await until(() => cancelled);
});

test("a stream whose decision is unknown is UNAVAILABLE", async () => {
  usherd.allow();
  const counting = count();
  await until(() => usherd.watching === 1);
  usherd.fault();
  assert.equal((await counting).error?.code, status.UNAVAILABLE);
});

test("a stream that is denied does not begin", async () => {
  usherd.deny();
  const { numbers, error } = await count();
  assert.deepEqual([numbers, error?.code], [[], status.PERMISSION_DENIED]);
});

test("a caller that goes away ends the watch", async () => {
  usherd.allow();
  const call = client.makeServerStreamRequest(COUNT, asIs, asIs, Buffer.alloc(0), metadata());
  call.on("error", () => undefined);
  await until(() => usherd.watching === 1);
  call.cancel();
  await until(() => usherd.watching === 0);
});
