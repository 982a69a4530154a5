// Asks a running usherd with the TypeScript stubs and prints what came, one JSON line a call.
//
//   node dist/smoke.js TARGET ROUTE MODEL < tokens
//
// Standard input holds one token a line. Each is asked about with Authorize and with Check, over plaintext: this is
// a test of the stubs, and an example of how a gateway in TypeScript reads answers, not a client.

import { createInterface } from "node:readline";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { AuthorizationService, Mode } from "./gen/usher/v1/authorization_service_pb.js";
import { Effect, EffectSchema, type Decision } from "./gen/usher/v1/decision_pb.js";
import { ReasonSchema } from "./gen/usher/v1/reason_pb.js";

const timeoutMs = 5000;

type Usherd = Client<typeof AuthorizationService>;
type Asked = { token: string; route: string; model: string };

async function authorize(client: Usherd, question: Asked): Promise<Decision | undefined> {
  let decision: Decision | undefined;
  let messages = 0;
  // An ALLOW counts only when the stream then ends, and ends with OK: the loop throws otherwise.
  for await (const response of client.authorize({ question, mode: Mode.ONCE }, { timeoutMs })) {
    decision = response.event.case === "decision" ? response.event.value : undefined;
    messages += 1;
  }
  return messages === 1 ? decision : undefined;
}

async function check(client: Usherd, question: Asked): Promise<Decision | undefined> {
  return (await client.check({ question }, { timeoutMs })).decision;
}

async function outcome(rpc: string, asking: Promise<Decision | undefined>): Promise<object> {
  try {
    const decision = await asking;
    if (decision === undefined) {
      throw new ConnectError("the answer is not a decision", Code.Unknown);
    }
    return {
      rpc,
      allowed: decision.effect === Effect.ALLOW,
      effect: EffectSchema.value[decision.effect]?.name ?? "",
      reason: ReasonSchema.value[decision.reason]?.name ?? "",
      http_status: decision.httpStatus,
      status: "OK",
      fault_reason: "",
    };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return {
      rpc,
      allowed: false,
      effect: "",
      reason: "",
      http_status: 0,
      status: Code[error.code],
      fault_reason: faultReason(error),
    };
  }
}

// google.rpc.ErrorInfo has `reason` as field 1 and `domain` as field 2, both strings.
function faultReason(error: ConnectError): string {
  for (const detail of error.details) {
    if ("type" in detail && "value" in detail && detail.type === "google.rpc.ErrorInfo") {
      const fields = new Map<number, string>();
      const reader = new BinaryReader(detail.value as Uint8Array);
      while (reader.pos < reader.len) {
        const [number, wireType] = reader.tag();
        if (number === 1 || number === 2) {
          fields.set(number, reader.string());
        } else {
          reader.skip(wireType);
        }
      }
      if (fields.get(2) === "usher.v1") {
        return fields.get(1) ?? "";
      }
    }
  }
  return "";
}

const [target, route, model] = process.argv.slice(2);
if (target === undefined || route === undefined || model === undefined) {
  throw new Error("usage: smoke TARGET ROUTE MODEL < tokens");
}
const baseUrl = `http://${target}`;
const sessionManager = new Http2SessionManager(baseUrl);
const client = createClient(AuthorizationService, createGrpcTransport({ baseUrl, sessionManager }));
for await (const token of createInterface({ input: process.stdin })) {
  const question = { token, route, model };
  console.log(JSON.stringify(await outcome("Authorize", authorize(client, question))));
  console.log(JSON.stringify(await outcome("Check", check(client, question))));
}
sessionManager.abort();
