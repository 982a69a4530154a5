import type { Decision } from "../decision.js";
import type { UsherFault } from "../faults.js";
import type { RefusalCode } from "./reading.js";

/** A whole answer; header names are lower-case. */
export interface HttpAnswer {
  status: number;
  headers: [string, string][];
  body: string;
}

/** What of a denial is told to whoever asked. */
export type Denial = Pick<Decision, "reason" | "message" | "httpStatus" | "wwwAuthenticate">;

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
};
const HEADER_VALUE = /^[\x20-\x7e]+$/;

/** What is told about a request that is refused without asking: the status, and the words. */
export const REFUSALS: Readonly<Record<RefusalCode, readonly [number, string]>> = {
  credentials_ambiguous: [400, "The request carries two different credentials."],
  origin_not_allowed: [403, "A session cookie acts only on requests from an allowed origin."],
  body_too_large: [413, "The request body is too large."],
};

/** The answer to a request that was denied. Whatever it is given, the status is an error's. */
export function denialAnswer(denial: Denial): HttpAnswer {
  return answer(statusOf(denial), denied(denial), denial.wwwAuthenticate);
}

/**
 * The answer where there is no decision: a 503 that never says why. It advises to wait a second at least: who comes back at once
 * makes an outage worse.
 */
export function faultAnswer(fault?: Pick<UsherFault, "retryAfter">): HttpAnswer {
  const made = answer(503, unavailable(), "");
  if (fault?.retryAfter !== undefined) {
    made.headers.push(["retry-after", String(Math.max(1, Math.ceil(fault.retryAfter)))]);
  }
  return made;
}

/** The answer to a request that was refused without asking. */
export function refusalAnswer(code: RefusalCode): HttpAnswer {
  const [status, message] = REFUSALS[code];
  const challenge = code === "credentials_ambiguous" ? 'Bearer error="invalid_request"' : "";
  return answer(status, error(message, typeOf(status), null, code), challenge);
}

/** The event that ends a `text/event-stream` which a denial cuts. */
export function sseDenial(denial: Denial): string {
  return `event: error\ndata: ${denied(denial)}\n\n`;
}

/** The event that ends a `text/event-stream` whose decision is unknown. */
export function sseFault(): string {
  return `event: error\ndata: ${unavailable()}\n\n`;
}

function denied(denial: Denial): string {
  const param = denial.reason.startsWith("MODEL_") ? "model" : null;
  return error(denial.message, typeOf(statusOf(denial)), param, denial.reason.toLowerCase());
}

function unavailable(): string {
  const message = "The authorization service gave no decision. Try again.";
  return error(message, "service_unavailable_error", null, "authorization_unavailable");
}

function statusOf({ httpStatus }: Denial): number {
  return httpStatus >= 400 && httpStatus <= 499 ? httpStatus : 403;
}

function typeOf(status: number): string {
  return TYPES[status] ?? "invalid_request_error";
}

function error(message: string, type: string, param: string | null, code: string): string {
  return JSON.stringify({ error: { message, type, param, code } });
}

function answer(status: number, body: string, challenge: string): HttpAnswer {
  const headers: [string, string][] = [["content-type", "application/json"]];
  // It comes from usherd, but a line break in a header would be another header.
  if (HEADER_VALUE.test(challenge)) {
    headers.push(["www-authenticate", challenge]);
  }
  return { status, headers, body };
}
