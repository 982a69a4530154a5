// Tells what becomes of one decision: node build/examples/watch.js ROUTE MODEL < token

import { text } from "node:stream/consumers";
import { Usherd, UsherFault } from "../src/index.js";

const [route = "/v1/chat/completions", model] = process.argv.slice(2);
using usherd = new Usherd(process.env["USHERD"] ?? "localhost:50051");
try {
  for await (const event of usherd.watch({ token: (await text(process.stdin)).trim(), route, model })) {
    const reason = "decision" in event ? event.decision.reason : "";
    console.log(event.kind, event.allowed ? "allowed" : "not allowed", reason);
  }
} catch (error) {
  if (!(error instanceof UsherFault)) {
    throw error;
  }
  console.error(error.message); // no decision: a gateway refuses
  process.exitCode = 1;
}
