import type { ServerResponse } from "node:http";
import type { Authorizer } from "../client.js";
import type { Decision } from "../decision.js";
import { denialAnswer, faultAnswer, sseDenial, sseFault, type HttpAnswer } from "./errors.js";
import type { Admission, Admitted, AskingOptions } from "./gate.js";
import { cutReason, notAllowed } from "./watching.js";

/** Milliseconds after which an answer in parts is watched that is no `text/event-stream`, and that nobody asked for as a stream. */
const LASTING = 1000;
/** Milliseconds that the reader of a stream which was cut has to take its last event. */
const LINGER = 2000;

/**
 * Lets an answer go on while its request may pass. A streamed one is cut at the first event after which it may not: with an
 * `error` event where it is `text/event-stream`, and broken off where it is anything else. `gone` is aborted when its reader is.
 */
export function guarded(
  response: ServerResponse,
  usherd: Authorizer,
  { decision, question, stream }: Admitted,
  options: Pick<AskingOptions, "onFault">,
  gone: AbortSignal,
): Admission {
  const over = new AbortController();
  const answer = new Answer(response);
  let watching = false;
  let lasting: NodeJS.Timeout | undefined;
  const watch = (): void => {
    watching = true;
    void notAllowed(usherd, question, options, over.signal).then((denial) => {
      if (!over.signal.aborted) {
        answer.cut(denial);
        over.abort(cutReason());
      }
    });
  };
  gone.addEventListener("abort", () => {
    clearTimeout(lasting);
    over.abort(gone.reason);
  });
  if (gone.aborted) {
    over.abort(gone.reason);
  } else if (stream) {
    watch();
  }
  // A stream that nobody asked for as one.
  answer.onHead = () => {
    if (watching || over.signal.aborted) {
      return;
    }
    if (answer.isEvents) {
      watch();
    } else {
      lasting = setTimeout(watch, LASTING).unref();
    }
  };
  return { decision, signal: over.signal };
}

/** Writes a whole answer. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.statusCode = status;
  for (const [name, value] of headers) {
    response.setHeader(name, value);
  }
  response.end(body);
}

class Answer {
  onHead: () => void = () => undefined;
  readonly #response: ServerResponse;
  readonly #write: ServerResponse["write"];
  readonly #end: ServerResponse["end"];
  #type = "";
  #encoded = false;
  #tail = "";
  #over = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
    this.#write = response.write.bind(response) as ServerResponse["write"];
    this.#end = response.end.bind(response) as ServerResponse["end"];
    response.writeHead = (...args: unknown[]) => {
      if (this.#over) {
        return response;
      }
      this.#type = String(given(args, "content-type") ?? response.getHeader("content-type") ?? "");
      const encoding = given(args, "content-encoding") ?? response.getHeader("content-encoding") ?? "identity";
      const length = given(args, "content-length") ?? response.getHeader("content-length");
      this.#encoded = encoding !== "identity" || length !== undefined;
      const written = writeHead(...args);
      this.onHead();
      return written;
    };
    response.write = ((chunk: unknown, ...rest: unknown[]) => {
      if (this.#over) {
        return told(rest);
      }
      this.#passed(chunk);
      return (this.#write as (...args: unknown[]) => boolean)(chunk, ...rest);
    }) as ServerResponse["write"];
    response.end = ((...args: unknown[]) => {
      if (this.#over) {
        told(args);
        return response;
      }
      return (this.#end as (...args: unknown[]) => ServerResponse)(...args);
    }) as ServerResponse["end"];
  }

  get isEvents(): boolean {
    return /^text\/event-stream[ \t]*(?:;|$)/i.test(this.#type);
  }

  /** Ends the answer here: for a denial, or because nothing is known. Whatever is written afterwards goes nowhere. */
  cut(denial: Decision | undefined): void {
    const response = this.#response;
    if (this.#over || response.writableEnded || response.destroyed) {
      return;
    }
    if (!response.headersSent) {
      for (const name of response.getHeaderNames()) {
        if (/^(?:content-|transfer-encoding$|etag$|last-modified$)/.test(name)) {
          response.removeHeader(name);
        }
      }
      sendAnswer(response, denial === undefined ? faultAnswer() : denialAnswer(denial));
      this.#over = true;
      // A handler that has yet to answer would be told that it is too late, and may not be prepared for that.
      response.setHeader = () => response;
      response.appendHeader = () => response;
      response.removeHeader = () => undefined;
      response.flushHeaders = () => undefined;
      return;
    }
    this.#over = true;
    if (!this.isEvents || this.#encoded) {
      response.destroy();
      return;
    }
    // An event that was begun is not to swallow this one.
    const begun = this.#tail === "" || this.#tail.endsWith("\n\n") ? "" : "\n\n";
    this.#write(begun + (denial === undefined ? sseFault() : sseDenial(denial)));
    this.#end();
    const timer = setTimeout(() => response.destroy(), LINGER);
    response.once("close", () => clearTimeout(timer));
  }

  #passed(chunk: unknown): void {
    const end =
      typeof chunk === "string" ? chunk.slice(-2) : chunk instanceof Uint8Array ? Buffer.from(chunk.slice(-2)).toString("latin1") : "";
    this.#tail = (this.#tail + end).slice(-2);
  }
}

/** The header of that name among the arguments of `writeHead`, which are a list of pairs, a flat list, or an object. */
function given(args: readonly unknown[], name: string): unknown {
  const headers = args.at(-1);
  if (Array.isArray(headers)) {
    const flat: unknown[] = headers.flat();
    const at = flat.findIndex((each, index) => index % 2 === 0 && String(each).toLowerCase() === name);
    return at < 0 ? undefined : flat[at + 1];
  }
  if (typeof headers === "object" && headers !== null) {
    return Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  }
  return undefined;
}

/** Answers a write that goes nowhere. */
function told(rest: readonly unknown[]): boolean {
  const callback = rest.at(-1);
  if (typeof callback === "function") {
    process.nextTick(callback);
  }
  return true;
}
