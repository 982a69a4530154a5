import { fromBinary, type DescEnum, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { Decision, Principal, type CheckNote, type PrincipalKind } from "./decision.js";
import { UsherFault, faultKind } from "./faults.js";
import { AuthorizeResponseSchema, Mode, type StreamTerms } from "./gen/usher/v1/authorization_service_pb.js";
import {
  CheckOutcomeSchema,
  DependencyKind,
  Effect,
  type CheckResult,
  type Decision as WireDecision,
} from "./gen/usher/v1/decision_pb.js";
import { CauseSchema, type Cause } from "./gen/usher/v1/event_pb.js";
import { FaultReasonSchema, type Fault } from "./gen/usher/v1/fault_pb.js";
import { PrincipalKind as WireKind, PrincipalKindSchema } from "./gen/usher/v1/principal_pb.js";
import { Reason, ReasonSchema } from "./gen/usher/v1/reason_pb.js";
import { secondsToWait } from "./status_details.js";

// Turns messages into decisions. What is not a decision by the contract becomes a bad_answer, never an allowance.

/** The message that these bytes are. Throws UsherFault (bad_answer), without the parser's words. */
export function parsed<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw new UsherFault("bad_answer");
  }
}

/** The decision in the only message of a call in MODE_ONCE. Throws UsherFault. */
export function onlyDecision(bytes: Uint8Array): Decision {
  const { event, terms } = parsed(AuthorizeResponseSchema, bytes);
  if (event.case !== "decision" || !servedOnce(terms)) {
    throw new UsherFault("bad_answer");
  }
  return decisionOf(event.value);
}

/** Whether a stream is served in MODE_ONCE. */
export function servedOnce(terms: StreamTerms | undefined): boolean {
  return terms === undefined || terms.mode === Mode.UNSPECIFIED || terms.mode === Mode.ONCE;
}

/** How long a living stream may be silent, in milliseconds; absent unless it says that it is one, and how long. */
export function maxSilence(terms: StreamTerms | undefined): number | undefined {
  if (terms === undefined || terms.mode !== Mode.WATCH || terms.maxSilence === undefined) {
    return undefined;
  }
  const silence = milliseconds(terms.maxSilence);
  return Number.isFinite(silence) && silence > 0 ? silence : undefined;
}

/** The view of one message. Throws UsherFault unless effect, reason and principal go together by the contract. */
export function decisionOf(wire: WireDecision): Decision {
  const allowed = wire.effect === Effect.ALLOW;
  if (!allowed && wire.effect !== Effect.DENY) {
    throw new UsherFault("bad_answer");
  }
  // reason.proto: numbers 1 to 9 go with ALLOW, all others with DENY, 0 is never sent; one that is not known is never a
  // reason to allow.
  const fits = allowed
    ? wire.reason === Reason.ALLOWED || wire.reason === Reason.PUBLIC_ROUTE
    : wire.reason < 0 || wire.reason > 9;
  // principal.proto: the unspecified kind is never sent with ALLOW.
  if (!fits || (allowed && (wire.principal?.kind ?? WireKind.UNSPECIFIED) === WireKind.UNSPECIFIED)) {
    throw new UsherFault("bad_answer");
  }
  const validUntil = wire.validUntil === undefined ? NaN : milliseconds(wire.validUntil);
  return new Decision({
    allowed,
    reason: word(ReasonSchema, wire.reason),
    message: wire.message,
    httpStatus: httpStatus(wire.httpStatus, allowed),
    wwwAuthenticate: wire.wwwAuthenticate,
    resolvedModel: allowed ? wire.resolvedModel : "",
    validUntil: Number.isFinite(validUntil) ? validUntil : undefined,
    cacheable: wire.cacheable && Number.isFinite(validUntil) && wire.dependsOn.every(isKnown),
    decisionId: wire.decisionId,
    revision: wire.revision,
    principal:
      wire.principal &&
      new Principal(word(PrincipalKindSchema, wire.principal.kind) as PrincipalKind, wire.principal),
    explanation: wire.explanation === undefined ? [] : wire.explanation.checks.map(note),
    wire,
  });
}

/** The fault in an event or a batch. */
export function faultOf(wire: Fault): UsherFault {
  const reason = wire.reason === 0 ? "" : word(FaultReasonSchema, wire.reason);
  const wait = wire.retryAfter && secondsToWait(wire.retryAfter.seconds, wire.retryAfter.nanos);
  return new UsherFault(faultKind(wire.code), reason, wait);
}

/** The word for a cause, such as `DIRECTORY`. */
export function causeOf(cause: Cause): string {
  return word(CauseSchema, cause);
}

/** A duration, or a point in time since 1970. */
export function milliseconds({ seconds, nanos }: Pick<Duration, "seconds" | "nanos">): number {
  return Number(seconds) * 1000 + nanos / 1e6;
}

function word(schema: DescEnum, number: number): string {
  const name = schema.value[number]?.name;
  return name === undefined ? "UNKNOWN" : name.slice((schema.sharedPrefix ?? "").length);
}

function httpStatus(status: number, allowed: boolean): number {
  if (allowed) {
    return 200;
  }
  // A gateway that passes this on must never tell the end user "200" about a denial.
  return status >= 400 && status <= 499 ? status : 403;
}

function isKnown({ kind }: { kind: DependencyKind }): boolean {
  return kind !== DependencyKind.UNSPECIFIED && DependencyKind[kind] !== undefined;
}

function note(wire: CheckResult): CheckNote {
  return {
    check: wire.check,
    outcome: word(CheckOutcomeSchema, wire.outcome),
    reason: wire.reason === 0 ? "" : word(ReasonSchema, wire.reason),
    note: wire.note,
  };
}
