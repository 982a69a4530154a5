import { create, toBinary } from "@bufbuild/protobuf";
import { SubscribeRequestSchema } from "../gen/usher/v1/authorization_service_pb.js";
import { questionMessage } from "../questions.js";
import type { Addition } from "./addition.js";

const MAX_CHANGES = 256;
const MAX_BYTES = 128 * 1024;

/**
 * The messages that remove these subscriptions and then add those. A message's additions come before its removals, and a
 * full stream takes none, so that both are never in one.
 */
export function* changes(removed: readonly number[], added: readonly Addition[]): Iterable<Uint8Array> {
  for (let at = 0; at < removed.length; at += MAX_CHANGES) {
    const remove = removed.slice(at, at + MAX_CHANGES).map(BigInt);
    yield toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { remove }));
  }
  // No more than so many are under way at all.
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (const { id, asked } of added) {
    const add = [{ id: BigInt(id), question: questionMessage(asked) }];
    const part = toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { add }));
    if (bytes > 0 && bytes + part.length > MAX_BYTES) {
      yield Buffer.concat(parts);
      [parts, bytes] = [[], 0];
    }
    // Messages one behind the other are one message with the lists of all.
    parts.push(part);
    bytes += part.length;
  }
  if (parts.length > 0) {
    yield Buffer.concat(parts);
  }
}
