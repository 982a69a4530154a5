import type { Decision } from "./decision.js";

/**
 * What kind of fault it was, with the gRPC status that it goes with:
 *
 * | kind | | gRPC status |
 * |---|---|---|
 * | `invalid_request` | the gateway sent what it must not: do not retry | INVALID_ARGUMENT |
 * | `precondition` | it does not fit that server's state | FAILED_PRECONDITION |
 * | `caller_unknown` | the gateway has not shown who it is | UNAUTHENTICATED |
 * | `caller_not_allowed` | the gateway itself may not ask this | PERMISSION_DENIED |
 * | `unavailable` | the server, its keys or facts are out of reach: asking later may help | UNAVAILABLE |
 * | `overloaded` | more than the server, or this client, takes | RESOURCE_EXHAUSTED |
 * | `out_of_time` | the deadline came first | DEADLINE_EXCEEDED |
 * | `bad_answer` | an answer that is no usable decision | OK |
 * | `internal` | a bug, or any other status | all others |
 * | `closed` | this client was closed before the answer came | |
 * | `cancelled` | the caller's `signal` was aborted before the answer came | |
 */
export type FaultKind =
  | "invalid_request"
  | "precondition"
  | "caller_unknown"
  | "caller_not_allowed"
  | "unavailable"
  | "overloaded"
  | "out_of_time"
  | "bad_answer"
  | "internal"
  | "closed"
  | "cancelled";

const TEXTS: Readonly<Record<FaultKind, string>> = {
  invalid_request: "the request is not valid",
  precondition: "the request does not fit the server's state",
  caller_unknown: "the caller has not shown who it is",
  caller_not_allowed: "the caller may not make this call",
  unavailable: "not available",
  overloaded: "too much work or too large",
  out_of_time: "the deadline came before a decision",
  bad_answer: "the answer is not a decision",
  internal: "internal error",
  closed: "the client is closed",
  cancelled: "the caller has cancelled the call",
};

/**
 * No decision could be made. Never a denial, never an allowance: a gateway fails closed on it.
 *
 * Its text is a constant, and nothing of the question or of the server's words is in it.
 */
export class UsherFault extends Error {
  override readonly name = "UsherFault";
  /** What kind of fault. */
  readonly kind: FaultKind;
  /** The contract's FaultReason without its prefix, such as `KEYS_UNAVAILABLE`; empty when none was sent. */
  readonly reason: string;
  /** Seconds that the server advises to wait before asking again, 0 to 3600. Absent: no advice. */
  readonly retryAfter: number | undefined;

  constructor(kind: FaultKind, reason = "", retryAfter?: number) {
    super(reason === "" ? TEXTS[kind] : `${TEXTS[kind]} (${reason})`);
    this.kind = kind;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }

  /** Never: whoever looks at the wrong object must not let a request pass. */
  get allowed(): false {
    return false;
  }
}

/** The question is denied whatever the model, so there is no list of models. This is an answer, not a fault. */
export class ListDenied extends Error {
  override readonly name = "ListDenied";
  /** The denial. */
  readonly decision: Decision;

  constructor(decision: Decision) {
    super(`denied (${decision.reason})`);
    this.decision = decision;
  }
}

const BY_CODE: ReadonlyMap<number, FaultKind> = new Map([
  [3, "invalid_request"],
  [4, "out_of_time"],
  [7, "caller_not_allowed"],
  [8, "overloaded"],
  [9, "precondition"],
  [14, "unavailable"],
  [16, "caller_unknown"],
]);

/** The kind that goes with a gRPC status code. */
export function faultKind(code: number): FaultKind {
  return BY_CODE.get(code) ?? "internal";
}
