/**
 * A plugin for Fastify 5.
 *
 * ```ts
 * await app.register(usherdPlugin, { usherd });
 * ```
 *
 * @module
 */
import { Readable } from "node:stream";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Authorizer } from "./client.js";
import { guarded } from "./http/cut.js";
import { judge, type Admission, type AskingOptions } from "./http/gate.js";
import { hasBody } from "./http/peek.js";
import { Reading, RequestRefused, headersOf, type ReadingOptions } from "./http/reading.js";

export type { Admission } from "./http/gate.js";
export type { ReadingOptions } from "./http/reading.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The decision that let this request pass. */
    usher?: Admission;
  }
}

/** How requests are read and asked about. */
export interface UsherdPluginOptions extends ReadingOptions, AskingOptions {
  /** The client. */
  usherd: Authorizer;
  /** Requests that are not asked about, such as those for health. Absent: none is left out. */
  skip?: ((request: FastifyRequest) => boolean) | undefined;
}

/**
 * Lets only those requests pass that usherd allows, and answers all others as OpenAI's clients expect it: of the scope that it
 * is registered in, and of all scopes in that. In handlers, `request.usher` has the decision, and a signal that is aborted
 * when a streamed answer is cut.
 */
export const usherdPlugin: FastifyPluginAsync<UsherdPluginOptions> = async (app, options) => {
  const reading = new Reading(options);
  app.decorateRequest("usher");
  app.addHook("preParsing", async (request, reply, payload) => {
    if (options.skip?.(request) === true) {
      return payload;
    }
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    let body: Buffer | undefined;
    const arrived = {
      method: request.method,
      target: request.raw.url ?? "",
      headers: headersOf(request.raw.rawHeaders),
      body: async () => {
        // In HTTP/2 a body needs no header.
        const mayHaveBody = hasBody(request.headers) || request.raw.httpVersionMajor > 1;
        body = mayHaveBody ? await whole(payload, reading.maxBody) : undefined;
        return body ?? Buffer.alloc(0);
      },
    };
    const verdict = await judge(options.usherd, arrived, reading, options, gone.signal);
    if ("status" in verdict) {
      if (!request.raw.complete) {
        reply.header("connection", "close");
      }
      return reply.code(verdict.status).headers(Object.fromEntries(verdict.headers)).send(verdict.body);
    }
    request.usher = guarded(reply.raw, options.usherd, verdict, options, gone.signal);
    return body === undefined ? payload : again(body, payload);
  });
};
// Its hook is for the scope that it is registered in, not for one of its own.
Object.assign(usherdPlugin, { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "usherd" });

async function whole(payload: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) {
      throw new RequestRefused("body_too_large");
    }
  }
  return Buffer.concat(chunks);
}

/** The body once more, for the parsers of Fastify. */
function again(body: Buffer, payload: { receivedEncodedLength?: number }): Readable {
  return Object.assign(Readable.from([body], { objectMode: false }), {
    receivedEncodedLength: payload.receivedEncodedLength ?? body.length,
  });
}
