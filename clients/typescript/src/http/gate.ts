import type { Authorizer } from "../client.js";
import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import type { Question } from "../questions.js";
import { readCredential } from "./credential.js";
import { denialAnswer, faultAnswer, refusalAnswer, type HttpAnswer } from "./errors.js";
import { RequestRefused, type Headers, type Reading } from "./reading.js";
import { readRequest } from "./request.js";
import { tell } from "./watching.js";

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

/** A request that may pass. */
export interface Admitted {
  decision: Decision;
  question: Question;
  /** Whether it asked for a stream, which is watched from the beginning. */
  stream: boolean;
}

/** How a middleware asks. */
export interface AskingOptions {
  /** Milliseconds until the decision has to be there; 1,000 unless given. */
  deadlineMs?: number | undefined;
  /** Hears of each fault for which a request was answered with a 503, or a stream cut, so that the gateway can log why. */
  onFault?: ((fault: UsherFault) => void) | undefined;
}

/** Asks whether a request may pass, and otherwise says what to answer. */
export async function judge(
  usherd: Authorizer,
  arrived: Arrived,
  reading: Reading,
  { deadlineMs, onFault }: AskingOptions,
  signal: AbortSignal,
): Promise<Admitted | HttpAnswer> {
  try {
    const { token } = readCredential(arrived.method, arrived.headers, reading);
    const body = await arrived.body();
    const { stream, ...wishes } = await readRequest(arrived.method, arrived.target, arrived.headers, body, reading);
    const question = { token, ...wishes };
    // Also what will be watched: only who is asked about once is written to the directory.
    const decision = await usherd.authorize(question, { deadlineMs, signal });
    return decision.allowed ? { decision, question, stream } : denialAnswer(decision);
  } catch (error) {
    if (error instanceof RequestRefused) {
      return refusalAnswer(error.code);
    }
    if (error instanceof UsherFault) {
      // One who left has not been answered.
      if (error.kind !== "cancelled") {
        tell(error, onFault);
      }
      return faultAnswer(error);
    }
    throw error;
  }
}
