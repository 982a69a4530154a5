import type { IncomingMessage } from "node:http";
import { RequestRefused } from "./reading.js";

/** The request went away before its body was there: there is nobody to answer. */
export class RequestGone extends Error {}

/** Whether a request says that a body comes with it. */
export function hasBody(headers: IncomingMessage["headers"]): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Reads a body and leaves it where it was, so that parsers and proxies behind read it as if nobody had. Rejects with
 * RequestRefused for more than `limit` bytes, and with RequestGone.
 */
export function peekBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limit) {
    return Promise.reject(new RequestRefused("body_too_large"));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let settled = false;
    const stop = (): void => {
      settled = true;
      request.off("readable", look);
      request.off("close", gone);
      request.off("error", gone);
    };
    const gone = (): void => {
      stop();
      reject(new RequestGone());
    };
    const look = (): void => {
      // Once the last byte is read the stream would end behind our back: it is put back before that.
      while (!(request.complete && request.readableLength === 0)) {
        const chunk = request.read() as Buffer | null;
        if (chunk === null) {
          return;
        }
        chunks.push(chunk);
        size += chunk.length;
        if (size > limit) {
          stop();
          reject(new RequestRefused("body_too_large"));
          return;
        }
      }
      stop();
      const body = Buffer.concat(chunks);
      if (size > 0) {
        request.unshift(body);
      }
      resolve(body);
    };
    request.on("close", gone);
    request.on("error", gone);
    // Not before all is parsed that came with the head: listening for more than an empty rest would end the stream.
    setImmediate(() => {
      if (!settled) {
        look();
      }
      if (!settled) {
        request.on("readable", look);
      }
    });
  });
}
