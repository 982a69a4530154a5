// What a decision costs that is known already: `npm run bench`. Fails above 5 microseconds.

import { Bench } from "tinybench";
import { Usherd } from "../src/index.js";
import { ScriptedServer } from "../test/tools/scripted_server.js";

const MOST_MICROSECONDS = 5;

const server = await ScriptedServer.start();
const usherd = new Usherd(server.target, { cache: true });
const off = new Usherd(server.target);

// A token as large as they are, and another one for each of a thousand users.
const tokens = Array.from({ length: 1000 }, (_, user) => `eyJhbGciOiJFZERTQSJ9.${`${user}`.padEnd(900, "e")}.c2lnbmF0dXJl`);
const question = (token: string) => ({ token, route: "/v1/chat/completions", method: "POST", model: "gpt-4o" });
for (const token of tokens) {
  await usherd.authorize(question(token));
}
while ((usherd.cacheStatistics?.entries ?? 0) < tokens.length) {
  await Promise.all(tokens.map((token) => usherd.authorize(question(token))));
}

// Each request brings a text of its own, as a header does: no two are the same object.
const fresh = tokens.map((token) => Buffer.from(token));
let next = 0;
const bench = new Bench({ time: 2000 });
bench
  .add("one question, again and again", () => usherd.authorize(question(tokens[0] ?? "")))
  .add("a thousand questions in turn, with texts of their own", () => {
    next = (next + 1) % fresh.length;
    return usherd.authorize(question(fresh[next]?.toString("latin1") ?? ""));
  })
  .add("asked over the wire, by itself", () => off.authorize(question(tokens[0] ?? "")));
await bench.run();
console.table(bench.table());

const hits = usherd.cacheStatistics?.hits ?? 0;
usherd.close();
off.close();
server.stop();
for (const { name, result } of bench.tasks.slice(0, 2)) {
  const microseconds = "latency" in result ? result.latency.p50 * 1000 : NaN;
  if (!(microseconds <= MOST_MICROSECONDS) || hits < 1000) {
    throw new Error(`${name}: ${microseconds} microseconds, expected at most ${MOST_MICROSECONDS}`);
  }
}
