import type { Authorizer } from "../client.js";
import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import type { Question } from "../questions.js";
import type { WatchEvent } from "../watch.js";
import { readCredential } from "./credential.js";
import { denialAnswer, faultAnswer, refusalAnswer, type HttpAnswer } from "./errors.js";
import { RequestRefused, type Headers, type Reading } from "./reading.js";
import { readRequest } from "./request.js";

/** What the gateway knows about a request that may pass. */
export interface Admission {
  /** The decision that lets it pass. */
  readonly decision: Decision;
  /** Aborted when a streamed answer is cut, or its reader is gone: hand it to the call of the model. */
  readonly signal: AbortSignal;
}

/** A request, as its framework has it. */
export interface Arrived {
  method: string;
  target: string;
  headers: Headers;
  body(): Promise<Buffer>;
}

/** A request that may pass, and what becomes of that. */
export interface Admitted {
  decision: Decision;
  question: Question;
  /** The watch that the decision came from; absent for a request that did not ask for a stream. */
  events: AsyncGenerator<WatchEvent, void, undefined> | undefined;
}

/** Asks whether a request may pass, and otherwise says what to answer. */
export async function judge(
  usherd: Authorizer,
  arrived: Arrived,
  reading: Reading,
  deadlineMs: number | undefined,
  signal: AbortSignal,
): Promise<Admitted | HttpAnswer> {
  try {
    const { token } = readCredential(arrived.method, arrived.headers, reading);
    const body = await arrived.body();
    const { stream, ...wishes } = await readRequest(arrived.method, arrived.target, arrived.headers, body, reading);
    const question = { token, ...wishes };
    const [decision, events] = stream
      ? await firstOf(usherd.watch(question, { deadlineMs, signal }))
      : [await usherd.authorize(question, { deadlineMs, signal }), undefined];
    if (decision.allowed) {
      return { decision, question, events };
    }
    await events?.return();
    return denialAnswer(decision);
  } catch (error) {
    if (error instanceof RequestRefused) {
      return refusalAnswer(error.code);
    }
    if (error instanceof UsherFault) {
      return faultAnswer(error);
    }
    throw error;
  }
}

/** The decision that a watch begins with, and the rest of it. */
export async function firstOf(
  events: AsyncGenerator<WatchEvent, void, undefined>,
): Promise<[Decision, AsyncGenerator<WatchEvent, void, undefined>]> {
  const first = await events.next();
  if (first.done === true || first.value.kind !== "decided") {
    await events.return();
    throw new UsherFault("bad_answer");
  }
  return [first.value.decision, events];
}

/** The denial that a watch ends in for this request, or undefined when nothing is known any more; never returns otherwise. */
export async function cutting(events: AsyncIterable<WatchEvent>): Promise<Decision | undefined> {
  try {
    for await (const event of events) {
      if (!event.allowed) {
        return "decision" in event ? event.decision : undefined;
      }
    }
  } catch {
    // A fault: nothing is known.
  }
  return undefined;
}
