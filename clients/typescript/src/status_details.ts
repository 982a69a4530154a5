import { BinaryReader } from "@bufbuild/protobuf/wire";

/** The trailer that carries `google.rpc.Status`. */
export const STATUS_DETAILS = "grpc-status-details-bin";

const ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
const DOMAIN = "usher.v1";
const REASON = /^[A-Z][A-Z0-9_]{0,63}$/;
const MAX_RETRY_AFTER = 3600;

/** What usherd sends with an error. */
export interface Details {
  reason: string;
  retryAfter: number | undefined;
}

/**
 * Reads `google.rpc.ErrorInfo` and `RetryInfo` out of trailers. Only words of the form of a FaultReason and delays of 0 to
 * 3600 s are taken. It never throws: a status with details that cannot be read is the same status without them.
 */
export function readDetails(trailers: readonly unknown[]): Details {
  const found: Details = { reason: "", retryAfter: undefined };
  for (const trailer of trailers) {
    try {
      if (trailer instanceof Uint8Array) {
        readStatus(trailer, found);
      }
    } catch {
      // Not readable: there are no details.
    }
  }
  return found;
}

/** A duration in seconds; absent when it is outside of 0 to 3600. */
export function secondsToWait(seconds: bigint, nanos: number): number | undefined {
  const total = Number(seconds) + nanos / 1e9;
  return total >= 0 && total <= MAX_RETRY_AFTER ? total : undefined;
}

function readStatus(bytes: Uint8Array, found: Details): void {
  for (const detail of fieldsOf(bytes).get(3) ?? []) {
    const any = fieldsOf(detail);
    const type = text(any.get(1));
    const value = any.get(2)?.at(-1) ?? new Uint8Array();
    if (type === ERROR_INFO) {
      const info = fieldsOf(value);
      const reason = text(info.get(1));
      if (text(info.get(2)) === DOMAIN && REASON.test(reason)) {
        found.reason = reason;
      }
    } else if (type === RETRY_INFO) {
      const delay = fieldsOf(value).get(1)?.at(-1);
      found.retryAfter = delay === undefined ? undefined : readDelay(delay);
    }
  }
}

function readDelay(bytes: Uint8Array): number | undefined {
  const reader = new BinaryReader(bytes);
  let [seconds, nanos] = [0n, 0];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === 0) {
      seconds = BigInt(reader.int64());
    } else if (number === 2 && wireType === 0) {
      nanos = reader.int32();
    } else {
      reader.skip(wireType);
    }
  }
  return secondsToWait(seconds, nanos);
}

function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === 2) {
      fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
    } else {
      reader.skip(wireType);
    }
  }
  return fields;
}

function text(values: Uint8Array[] | undefined): string {
  return Buffer.from(values?.at(-1) ?? []).toString("latin1");
}
