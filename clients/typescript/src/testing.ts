/**
 * A fake of usherd for the tests of a gateway: no server, no network, the same types.
 *
 * ```ts
 * const usherd = new FakeUsherd().allow({ token: "good" });
 * const app = gateway(usherd);
 * ```
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { causeOf, decisionOf } from "./answers.js";
import type { AuthorizeOptions, Authorizer, CallOptions } from "./client.js";
import type { Decision } from "./decision.js";
import { UsherFault, type FaultKind } from "./faults.js";
import { DecisionSchema, Effect } from "./gen/usher/v1/decision_pb.js";
import { Cause } from "./gen/usher/v1/event_pb.js";
import { PrincipalKind } from "./gen/usher/v1/principal_pb.js";
import { Reason } from "./gen/usher/v1/reason_pb.js";
import { Mailbox } from "./mailbox.js";
import { asked, checkedDeadline, type Question } from "./questions.js";
import type { WatchEvent } from "./watch.js";

/** What of a question has to be as it says; what is absent may be anything. */
export type Pattern = Partial<Pick<Question, "token" | "route" | "model" | "method" | "teamId" | "endUserId">>;

/** Who holds the token, and what the model is resolved to. */
export interface Allowed {
  userId?: string;
  teamId?: string;
  email?: string;
  resolvedModel?: string;
}

/** A reason to deny, as the contract has it, without its prefix; and what goes with it. */
export interface Denied {
  reason?: Exclude<keyof typeof Reason, "UNSPECIFIED" | "ALLOWED" | "PUBLIC_ROUTE">;
  httpStatus?: number;
  message?: string;
}

type Answer = (question: Question) => Decision | UsherFault;
interface Rule {
  pattern: Pattern;
  answer: Answer;
}
interface Watcher {
  question: Question;
  events: Mailbox<WatchEvent>;
}

/**
 * Answers as its rules say; the last one that fits counts, and where none does the question is denied (NOT_ENTITLED). A rule
 * that is added later is told to those who watch: that is how a test cuts a stream.
 */
export class FakeUsherd implements Authorizer {
  readonly #rules: Rule[] = [];
  readonly #watchers = new Set<Watcher>();
  /** Every question that was asked or watched, in order. */
  readonly questions: Question[] = [];
  #decisions = 0;
  #closed = false;

  /** Questions of this form are allowed. */
  allow(pattern: Pattern = {}, who: Allowed = {}): this {
    return this.#rule(pattern, (question) => this.#allowed(question, who));
  }

  /** Questions of this form are denied; whoever watches one hears that it has changed. */
  deny(pattern: Pattern = {}, denial: Denied = {}): this {
    return this.#rule(pattern, () => this.#denied(denial));
  }

  /** Questions of this form get no decision; for whoever watches one it is unknown from now on. */
  fault(pattern: Pattern = {}, kind: FaultKind = "unavailable", reason = "", retryAfter?: number): this {
    return this.#rule(pattern, () => new UsherFault(kind, reason, retryAfter));
  }

  /** Tokens are revoked: denied from now on, and ended for whoever watches. */
  revoke(pattern: Pattern = {}): this {
    const answer = (): Decision => this.#denied({ reason: "TOKEN_REVOKED", httpStatus: 401 });
    this.#rules.push({ pattern, answer });
    for (const { events } of this.#matching(pattern)) {
      events.put("ended", { kind: "ended", allowed: false, decision: answer(), cause: causeOf(Cause.TOKEN_REVOKED) });
      events.close();
    }
    return this;
  }

  /** How many watch now. */
  get watching(): number {
    return this.#watchers.size;
  }

  async authorize(question: Question, options: AuthorizeOptions = {}): Promise<Decision> {
    this.#check(question, options);
    const answer = this.#answer(question);
    if (answer instanceof UsherFault) {
      throw answer;
    }
    return answer;
  }

  async *watch(question: Question, options: CallOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    this.#check(question, options);
    const decision = this.#answer(question);
    if (decision instanceof UsherFault) {
      throw decision;
    }
    const watcher = { question, events: new Mailbox<WatchEvent>() };
    const abort = (): void => watcher.events.fail(new UsherFault("cancelled"));
    options.signal?.addEventListener("abort", abort);
    this.#watchers.add(watcher);
    try {
      yield { kind: "decided", allowed: decision.allowed, decision };
      for (let event = await watcher.events.next(); event !== undefined; event = await watcher.events.next()) {
        yield event;
      }
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.#watchers.delete(watcher);
    }
  }

  /** As the client's. */
  close(): void {
    this.#closed = true;
    for (const { events } of this.#watchers) {
      events.fail(new UsherFault("closed"));
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #rule(pattern: Pattern, answer: Answer): this {
    this.#rules.push({ pattern, answer });
    for (const { question, events } of this.#matching(pattern)) {
      const decision = answer(question);
      if (decision instanceof UsherFault) {
        events.put("unknown", { kind: "unknown", allowed: false });
        events.close();
      } else {
        const { allowed } = decision;
        events.put("changed", { kind: "changed", allowed, decision, cause: causeOf(Cause.DIRECTORY) });
      }
    }
    return this;
  }

  #matching(pattern: Pattern): Watcher[] {
    return [...this.#watchers].filter(({ question }) => fits(question, pattern));
  }

  #answer(question: Question): Decision | UsherFault {
    const rule = this.#rules.findLast(({ pattern }) => fits(question, pattern));
    return rule === undefined ? this.#denied({}) : rule.answer(question);
  }

  #check(question: Question, { deadlineMs, signal }: CallOptions): void {
    asked(question);
    checkedDeadline(deadlineMs);
    if (this.#closed || signal?.aborted === true) {
      throw new UsherFault(this.#closed ? "closed" : "cancelled");
    }
    this.questions.push(question);
  }

  #allowed({ model }: Question, who: Allowed): Decision {
    const { resolvedModel = model ?? "", userId = "", teamId = "", email = "" } = who;
    return this.#decision({
      effect: Effect.ALLOW,
      reason: Reason.ALLOWED,
      message: "Allowed.",
      httpStatus: 200,
      resolvedModel,
      principal: { kind: PrincipalKind.USER, issuer: "https://fake.example", subject: userId, userId, teamId, email },
    });
  }

  #denied({ reason = "NOT_ENTITLED", httpStatus = 403, message = "Denied." }: Denied): Decision {
    return this.#decision({ effect: Effect.DENY, reason: Reason[reason], message, httpStatus });
  }

  #decision(parts: object): Decision {
    this.#decisions += 1;
    return decisionOf(
      create(DecisionSchema, {
        ...parts,
        decisionId: `fake-${this.#decisions}`,
        revision: "fake",
        validUntil: timestampFromMs(Date.now() + 3_600_000),
      }),
    );
  }
}

function fits(question: Question, pattern: Pattern): boolean {
  return Object.entries(pattern).every(([name, value]) => question[name as keyof Question] === value);
}
