import { setTimeout } from "node:timers/promises";
import type { Authorizer } from "../client.js";
import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import type { Question } from "../questions.js";

/** Milliseconds in which a watch has to get its first decision. The one that let the request pass is as old then. */
const PATIENCE = 5_000;
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

/**
 * Waits until a request that was let pass may go on no longer: for the denial, or undefined when nothing is known any more.
 * Never rejects; settles soon after the signal is aborted, with undefined.
 */
export async function notAllowed(usherd: Authorizer, question: Question, signal: AbortSignal): Promise<Decision | undefined> {
  const end = performance.now() + PATIENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      for await (const event of usherd.watch(question, { signal })) {
        if (!event.allowed) {
          return "decision" in event ? event.decision : undefined;
        }
      }
      return undefined;
    } catch (error) {
      // There was no first decision. One fault must not cut what has just been allowed.
      const lasting = !(error instanceof UsherFault) || error.kind === "closed" || error.kind === "cancelled";
      if (lasting || performance.now() + pause > end) {
        return undefined;
      }
    }
    try {
      await setTimeout(pause, undefined, { signal });
    } catch {
      return undefined;
    }
  }
}

/** Why a signal is aborted when an answer is cut: as for a reader who left, but with other words. */
export function cutReason(): DOMException {
  return new DOMException("The answer was cut: its request is allowed no longer.", "AbortError");
}
