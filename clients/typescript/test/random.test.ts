import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Question as WireQuestion } from "../src/gen/usher/v1/question_pb.js";
import type { Question } from "../src/index.js";
import { Patient } from "./tools/patient.js";
import { ScriptedServer, allow, deny, type DecisionInit, type Event, type Subscribe } from "./tools/scripted_server.js";

interface Held {
  id: bigint;
  decisionId: string;
}

const QUESTIONS = 12;
const ENTRIES = 8;
const ROUNDS = 800;

/** A server whose truth changes, and which tells of every change in one of the ways that the contract has. */
class Truth {
  readonly allowed = new Map<string, boolean>();
  readonly #held = new Map<string, Held>();
  #stream: Subscribe | undefined;
  most = 0;

  constructor(readonly server: ScriptedServer) {
    server.authorize = (asked) => asked.once(this.decision(asked.question));
    server.add = (stream, id, question) => {
      if (stream !== this.#stream) {
        this.#held.clear();
        this.#stream = stream;
      }
      for (const [token, { id: each }] of this.#held) {
        if (stream.removed.includes(each)) {
          this.#held.delete(token);
        }
      }
      const decision = this.decision(question);
      stream.decide(id, decision);
      assert.ok(!this.#held.has(question.token), "a question is added once");
      this.#held.set(question.token, { id, decisionId: decision.decisionId ?? "" });
      this.most = Math.max(this.most, this.#held.size);
    };
  }

  decision({ token }: Pick<WireQuestion, "token">): DecisionInit {
    return this.allowed.get(token) === true ? allow() : deny();
  }

  /** Turns the truth about one token around, and says so. */
  flip(token: string): void {
    this.allowed.set(token, this.allowed.get(token) !== true);
    const held = this.#held.get(token);
    const stream = this.#stream;
    if (held === undefined || stream === undefined || stream.ended) {
      return;
    }
    const tell = (event: Event["event"]): void =>
      stream.tell({ id: held.id, decisionId: held.decisionId, ...(event === undefined ? {} : { event }) });
    const decision = this.decision({ token });
    const ways = [
      () => {
        tell({ case: "changed", value: { decision } });
        held.decisionId = decision.decisionId ?? "";
      },
      () => this.#gone(token, () => tell({ case: "ended", value: { decision: deny() } })),
      () => this.#gone(token, () => tell({ case: "resync", value: {} })),
      () => this.#gone(token, () => tell({ case: "fault", value: { code: 14 } })),
      () => this.#gone(token, () => tell(undefined)),
    ];
    const all = [
      () => stream.tell({ event: { case: "resync", value: {} } }),
      () => stream.end(),
      () => stream.fail(status.UNAVAILABLE),
      () => stream.raw(Buffer.from([0x1a, 0x7f])),
    ];
    const way = Math.random() < 0.05 ? pick(all) : Math.random() < 0.7 ? ways[0] : pick(ways);
    way?.();
  }

  #gone(token: string, tell: () => void): void {
    this.#held.delete(token);
    tell();
  }
}

function pick<T>(of: readonly T[]): T {
  return of[Math.floor(Math.random() * of.length)] as T;
}

test("whatever is told, and in whatever way: an answer is the truth as soon as it was told", async () => {
  const server = await ScriptedServer.start();
  const usherd = new Patient(server.target, { cache: { entries: ENTRIES } });
  const truth = new Truth(server);
  const question = (token: string): Question => ({ token, route: "/", model: "m" });
  const tokens = Array.from({ length: QUESTIONS }, (_, n) => `t${n}`);
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const token = pick(tokens);
      if (Math.random() < 0.4) {
        truth.flip(token);
        // Everything that is on its way is there when something has gone there and back again.
        await usherd.authorize(question("echo"), { explain: true });
      }
      const wanted = truth.allowed.get(token) === true;
      const answers = await Promise.all(Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => usherd.authorize(question(token))));
      assert.deepEqual(answers.map((each) => each.allowed), answers.map(() => wanted), `round ${round}`);
      assert.ok((usherd.cacheStatistics?.entries ?? 0) <= ENTRIES);
    }
    const { hits, misses, evicted, changed, streamsLost } = usherd.cacheStatistics ?? assert.fail();
    assert.ok(hits > 80 && misses > 80 && evicted > 10 && changed > 10 && streamsLost > 0, JSON.stringify(usherd.cacheStatistics));
    assert.ok(truth.most <= ENTRIES, String(truth.most));
  } finally {
    usherd.close();
    server.stop();
  }
});
