// A stranger's program: asks usherd with the TypeScript client, and prints what came, one JSON line a call.
//
//   node stranger.mjs TARGET ROUTE MODEL < tokens
//
// Standard input holds one token a line. Each is asked about by itself, from the cache, and in a batch.

import { createInterface } from "node:readline";
import { Usherd, UsherFault } from "usher-client";

const [target, route, model] = process.argv.slice(2);
const usherd = new Usherd(target, { cache: { entries: 10 } });

function told(call, answer) {
  const isFault = answer instanceof UsherFault;
  return JSON.stringify({
    call,
    allowed: answer.allowed,
    reason: isFault ? "" : answer.reason,
    http_status: isFault ? 0 : answer.httpStatus,
    unavailable: isFault && answer.kind === "unavailable",
    fault_reason: isFault ? answer.reason : "",
  });
}

function orFault(thrown) {
  if (thrown instanceof UsherFault) {
    return thrown;
  }
  throw thrown;
}

for await (const token of createInterface({ input: process.stdin })) {
  const question = { token, route, method: "POST", model };
  for (const call of ["authorize", "again"]) {
    console.log(told(call, await usherd.authorize(question, { deadlineMs: 10_000 }).catch(orFault)));
  }
  const [answer] = await usherd.batchCheck([question], { deadlineMs: 10_000 });
  console.log(told("batch", answer));
}
usherd.close();
