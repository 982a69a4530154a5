/**
 * A server interceptor of `@grpc/grpc-js`, for gateways that are asked over gRPC.
 *
 * ```ts
 * const server = new Server({ interceptors: [authorizeCalls(usherd)] });
 * ```
 *
 * @module
 */
import {
  Metadata,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { Authorizer } from "./client.js";
import type { Decision } from "./decision.js";
import { UsherFault } from "./faults.js";
import { readCredential } from "./http/credential.js";
import { REFUSALS } from "./http/errors.js";
import type { Admission, AskingOptions } from "./http/gate.js";
import { Reading, RequestRefused, agreed, valuesOf, type Headers, type ReadingOptions } from "./http/reading.js";
import { teamOf } from "./http/request.js";
import { cutReason, notAllowed, tell } from "./http/watching.js";
import type { Question } from "./questions.js";

export type { Admission } from "./http/gate.js";

/** How calls are read and asked about. The route of a call is its path, its method is POST. */
export interface AuthorizeCallsOptions
  extends Pick<ReadingOptions, "header" | "modelHeader" | "teamHeader" | "teamAliasHeader">,
    AskingOptions {
  /** Methods (`/grpc.health.v1.Health/Check`) that are not asked about. */
  skip?: readonly string[] | undefined;
}

interface Status {
  code: status;
  details: string;
  metadata: Metadata;
}

const UNAVAILABLE = "The authorization service gave no decision. Try again.";

const admissions = new WeakMap<Metadata, Admission>();

/** The decision that let a call pass: `admissionOf(call)` in its handler. */
export function admissionOf(call: { metadata: Metadata }): Admission | undefined {
  return admissions.get(call.metadata);
}

/**
 * Lets only those calls pass that usherd allows: a denial is UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED, no
 * decision is UNAVAILABLE. A call whose answer is a stream is ended in the same way at the first event after which it may not
 * go on.
 */
export function authorizeCalls(usherd: Authorizer, options: AuthorizeCallsOptions = {}): ServerInterceptor {
  const reading = new Reading(options);
  const skipped = new Set(options.skip);
  return (method, call) => {
    if (skipped.has(method.path)) {
      return new ServerInterceptingCall(call);
    }
    const over = new AbortController();
    let cut = false;
    const end = (last: Status): void => {
      cut = true;
      call.sendStatus(last);
    };
    const admit = async (metadata: Metadata): Promise<Status | undefined> => {
      const headers = headersOf(metadata);
      const { token } = readCredential("POST", headers, reading);
      const question = { token, route: method.path, method: "POST", ...wishes(headers, reading) };
      const patience = { deadlineMs: options.deadlineMs, signal: over.signal };
      const decision = await usherd.authorize(question, patience);
      if (!decision.allowed) {
        return denied(decision);
      }
      if (method.responseStream) {
        void notAllowed(usherd, question, options, over.signal).then((denial) => {
          if (!over.signal.aborted) {
            end(denial === undefined ? unavailable() : denied(denial));
            over.abort(cutReason());
          }
        });
      }
      admissions.set(metadata, { decision, signal: over.signal });
      return undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, pass) => {
            admit(metadata).then(
              (refused) => (refused === undefined ? pass(metadata) : end(refused)),
              (error: unknown) => {
                end(refusal(error));
                if (error instanceof UsherFault && error.kind !== "cancelled") {
                  tell(error, options.onFault);
                }
              },
            );
          })
          .withOnCancel(() => over.abort())
          .build();
        next(listener);
      },
      sendMetadata: (metadata, next) => (cut ? undefined : next(metadata)),
      sendMessage: (message, next) => (cut ? undefined : next(message)),
      sendStatus: (last, next) => {
        if (!cut) {
          over.abort();
          next(last);
        }
      },
    });
  };
}

function denied({ httpStatus, message, wwwAuthenticate }: Decision): Status {
  const code =
    httpStatus === 401 ? status.UNAUTHENTICATED : httpStatus === 429 ? status.RESOURCE_EXHAUSTED : status.PERMISSION_DENIED;
  const metadata = new Metadata();
  if (/^[\x20-\x7e]+$/.test(wwwAuthenticate)) {
    metadata.set("www-authenticate", wwwAuthenticate);
  }
  return { code, details: message, metadata };
}

function unavailable(): Status {
  return { code: status.UNAVAILABLE, details: UNAVAILABLE, metadata: new Metadata() };
}

function refusal(error: unknown): Status {
  if (error instanceof RequestRefused) {
    const [httpStatus, details] = REFUSALS[error.code];
    const code = httpStatus === 403 ? status.PERMISSION_DENIED : status.INVALID_ARGUMENT;
    return { code, details, metadata: new Metadata() };
  }
  if (error instanceof UsherFault) {
    return unavailable();
  }
  return { code: status.INTERNAL, details: "internal error", metadata: new Metadata() };
}

function headersOf(metadata: Metadata): Headers {
  return Object.entries(metadata.toJSON()).flatMap(([name, values]) =>
    values.flatMap((value): [string, string][] => (typeof value === "string" ? [[name, value]] : [])),
  );
}

function wishes(headers: Headers, reading: Reading): Pick<Question, "model" | "teamId" | "teamAlias"> {
  const model = reading.modelHeader && agreed(valuesOf(headers, reading.modelHeader), undefined);
  return { model, ...teamOf(headers, reading) };
}
