import { setTimeout } from "node:timers/promises";
import type { Authorizer } from "../client.js";
import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import type { AskingOptions } from "./gate.js";
import type { Question } from "../questions.js";

/** Milliseconds in which a watch has to get its first decision. The one that let the request pass is as old then. */
const PATIENCE = 5_000;
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

/**
 * Waits until a request that was let pass may go on no longer: for the denial, or undefined when nothing is known any more.
 * Never rejects; settles soon after the signal is aborted, with undefined.
 */
export async function notAllowed(
  usherd: Authorizer,
  question: Question,
  { onFault }: Pick<AskingOptions, "onFault">,
  signal: AbortSignal,
): Promise<Decision | undefined> {
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
      if (!(error instanceof UsherFault) || error.kind === "cancelled") {
        return undefined;
      }
      if (error.kind === "closed" || performance.now() + pause > end) {
        tell(error, onFault);
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

/** Tells a gateway why it gave no decision. */
export function tell(fault: UsherFault, onFault: AskingOptions["onFault"]): void {
  try {
    onFault?.(fault);
  } catch {
    // What a gateway makes of it must not change what is answered, or keep a stream from being cut.
  }
}

/** Why a signal is aborted when an answer is cut: as for a reader who left, but with other words. */
export function cutReason(): DOMException {
  return new DOMException("The answer was cut: its request is allowed no longer.", "AbortError");
}
