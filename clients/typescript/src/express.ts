/**
 * Middleware for Express 4 and 5, and for whatever else takes `(request, response, next)`.
 *
 * ```ts
 * app.use(authorize(usherd)); // in front of express.json() and of every route
 * ```
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Authorizer } from "./client.js";
import { guarded, sendAnswer } from "./http/cut.js";
import { judge, type Admission, type AskingOptions } from "./http/gate.js";
import { RequestGone, hasBody, peekBody } from "./http/peek.js";
import { Reading, headersOf, type ReadingOptions } from "./http/reading.js";

export type { Admission } from "./http/gate.js";
export type { ReadingOptions } from "./http/reading.js";

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface Request {
      /** The decision that let this request pass. */
      usher?: Admission;
    }
  }
}

/** How requests are read and asked about. */
export interface AuthorizeRequestsOptions extends ReadingOptions, AskingOptions {
  /** Requests that are not asked about, such as those for health. Absent: none is left out. */
  skip?: ((request: IncomingMessage) => boolean) | undefined;
}

type Incoming = IncomingMessage & { baseUrl?: string; originalUrl?: string; rawBody?: unknown; usher?: Admission };

/** A middleware of Express. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Lets only those requests pass that usherd allows, and answers all others as OpenAI's clients expect it. Behind it,
 * `request.usher` has the decision, and a signal that is aborted when a streamed answer is cut.
 *
 * It has to stand in front of body parsers, which read the body as if nobody had; behind one, `request.rawBody` has to hold
 * the bytes (`express.json({ verify: (request, response, body) => { request.rawBody = body; } })`).
 */
export function authorize(usherd: Authorizer, options: AuthorizeRequestsOptions = {}): Middleware {
  const reading = new Reading(options);
  return (request, response, next) => {
    if (options.skip?.(request) === true) {
      next();
      return;
    }
    pass(usherd, reading, options, request, response).then((passes) => {
      if (passes) {
        next();
      }
    }, next);
  };
}

async function pass(
  usherd: Authorizer,
  reading: Reading,
  options: AskingOptions,
  request: Incoming,
  response: ServerResponse,
): Promise<boolean> {
  const gone = new AbortController();
  const close = (): void => gone.abort();
  response.once("close", close);
  const arrived = {
    method: request.method ?? "",
    target: targetOf(request),
    headers: headersOf(request.rawHeaders),
    body: () => bodyOf(request, reading.maxBody),
  };
  let verdict;
  try {
    verdict = await judge(usherd, arrived, reading, options, gone.signal);
  } catch (error) {
    if (error instanceof RequestGone) {
      return false;
    }
    throw error;
  }
  if ("status" in verdict) {
    refuse(request, response, verdict);
    return false;
  }
  if (gone.signal.aborted) {
    return false;
  }
  request.usher = guarded(response, usherd, verdict, options, gone.signal);
  return true;
}

/**
 * What the handlers behind are found by: the path that Express has taken off for the mounts down to here, and what is left of
 * the URL, which a middleware in front may have rewritten. `originalUrl` is only what was there before that.
 */
function targetOf({ url = "", originalUrl = url, baseUrl }: Incoming): string {
  if (url === originalUrl || !url.startsWith("/")) {
    return url;
  }
  if (baseUrl === undefined) {
    // Connect and its kin take a mount off, too, but do not say what it was.
    throw new Error("usherd's middleware has to stand at the root, and in front of what rewrites the URL: no `baseUrl` says which it is");
  }
  // Express puts a slash where a mount leaves nothing else.
  const slashed = url === "/" || url.startsWith("/?");
  return slashed && originalUrl === baseUrl + url.slice(1) ? originalUrl : baseUrl + url;
}

async function bodyOf(request: Incoming, limit: number): Promise<Buffer> {
  if (!hasBody(request.headers)) {
    return Buffer.alloc(0);
  }
  if (request.rawBody instanceof Uint8Array) {
    return Buffer.from(request.rawBody);
  }
  if (request.readableDidRead) {
    throw new Error("usherd's middleware has to stand in front of body parsers, or request.rawBody to hold the bytes");
  }
  return peekBody(request, limit);
}

function refuse(request: IncomingMessage, response: ServerResponse, answer: Parameters<typeof sendAnswer>[1]): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What was not read of a body is not read as the next request.
  if (!request.complete) {
    response.setHeader("connection", "close");
    response.once("finish", () => setTimeout(() => request.destroy(), 1000).unref());
    request.resume();
  }
  sendAnswer(response, answer);
}
