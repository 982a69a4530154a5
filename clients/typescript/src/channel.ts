import {
  Client,
  Metadata,
  credentials,
  type CallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  type StatusObject,
} from "@grpc/grpc-js";
import { UsherFault, faultKind } from "./faults.js";
import { STATUS_DETAILS, readDetails } from "./status_details.js";
import { checkTarget } from "./target.js";

// The one door to @grpc/grpc-js. Bytes on both sides: what cannot be parsed is this client's to judge.

/** How a gateway is encrypted and shows who it is: PEM, as `fs.readFileSync` gives it. */
export interface Tls {
  /** Certificates that the server's is trusted by. Absent: those of Node. */
  ca?: Buffer | undefined;
  /** This gateway's own certificate chain, for mTLS. */
  cert?: Buffer | undefined;
  /** The key of `cert`. */
  key?: Buffer | undefined;
}

/** Where usherd is, and how to talk to it. */
export interface ChannelOptions {
  /** Encrypts: `true` with the certificates that Node trusts. Absent: plaintext. */
  tls?: boolean | Tls | undefined;
  /** Allows plaintext to a target that is not on this machine. */
  plaintext?: boolean | undefined;
  /** The credential that the server knows this gateway by, or a function that gives the one of now. */
  bearer?: string | (() => string) | undefined;
}

/** What a stream tells. Nothing comes after `ended`. */
export interface StreamListener {
  heard(message: Uint8Array): void;
  /** Without a fault it ended with OK. */
  ended(fault?: UsherFault): void;
}

/** A stream that was begun. */
export interface Stream {
  /** Sends one message; only on a stream of subscriptions. */
  send(message: Uint8Array): void;
  /** Ends it. Its listener hears no more. */
  cancel(): void;
}

/** How long a call may take: until then by `performance.now()`, or until the signal. */
export interface Patience {
  deadlineAt: number;
  signal?: AbortSignal | undefined;
}

const SERVICE = "usher.v1.AuthorizationService";
/** Bytes that wait for a server to read them, before it is one that does not. */
const MAX_UNREAD = 8 * 1024 * 1024;
const CREDENTIAL = /^[A-Za-z0-9._~+/-]{1,4096}=*$/;

/** The retries of every client of usherd: all waits are inside the call's deadline. */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{ service: SERVICE }],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: "0.01s",
        maxBackoff: "0.05s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
  // When more than half of a channel's recent calls fail, it stops asking twice.
  retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
});

/** Milliseconds without a word on a connection with calls, after which it is pinged, and how long the answer may take. */
export interface KeepAlive {
  timeMs: number;
  timeoutMs: number;
}

/** The server takes a ping each 30 s, and ends connections that send more. */
export const KEEP_ALIVE: KeepAlive = { timeMs: 60_000, timeoutMs: 20_000 };

type Call = ClientReadableStream<Uint8Array> | ClientDuplexStream<Uint8Array, Uint8Array>;

/** One channel to one usherd. */
export class Channel {
  readonly #client: Client;
  readonly #shown: () => Metadata;
  readonly #open = new Set<Call>();
  #closed = false;

  /**
   * `alone`: shares its connection with no other channel; `keepAlive`: for tests. Throws TypeError for a plaintext target that is not on this machine,
   * and for what cannot be sent.
   */
  constructor(target: string, options: ChannelOptions, { alone = false, keepAlive = KEEP_ALIVE } = {}) {
    const encrypted = options.tls !== undefined && options.tls !== false;
    checkTarget(target, encrypted, options.plaintext === true);
    this.#shown = shown(options.bearer);
    this.#client = new Client(target, encrypted ? encryption(options.tls) : credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": alone ? 1 : 0,
      "grpc.enable_retries": 1,
      // A server that is back is found within seconds, however long it was away: gRPC's own way is up to two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 5_000,
      // A connection whose other end is gone without a word is given up, so that streams are not opened anew on it for ever.
      "grpc.keepalive_time_ms": keepAlive.timeMs,
      "grpc.keepalive_timeout_ms": keepAlive.timeoutMs,
      "grpc.service_config": SERVICE_CONFIG,
      // A TXT record of the target's zone would replace the configuration above.
      "grpc.service_config_disable_resolution": 1,
      // Whoever sets http_proxy for other programs must not be handed tokens in plaintext.
      "grpc.enable_http_proxy": encrypted ? 1 : 0,
    });
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends the channel, and all calls with a fault. */
  close(): void {
    this.#closed = true;
    for (const call of this.#open) {
      call.cancel();
    }
    this.#client.close();
  }

  /** The only message of a call that ends with OK. Rejects with UsherFault. */
  one(method: string, request: Uint8Array, { deadlineAt, signal }: Patience): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        throw new UsherFault("cancelled");
      }
      let only: Uint8Array | undefined;
      let messages = 0;
      const abort = (): void => call.cancel();
      const ended = (fault?: UsherFault): void => {
        signal?.removeEventListener("abort", abort);
        if (fault !== undefined) {
          reject(signal?.aborted === true ? new UsherFault("cancelled") : fault);
        } else if (only === undefined || messages !== 1) {
          reject(new UsherFault("bad_answer"));
        } else {
          // An ALLOW counts only now, when the call has ended with OK.
          resolve(only);
        }
      };
      const heard = (message: Uint8Array): void => {
        only = message;
        messages += 1;
      };
      const deadline = new Date(Date.now() + Math.max(deadlineAt - performance.now(), 0));
      const call = this.#begin(method, request, { deadline }, { heard, ended });
      signal?.addEventListener("abort", abort);
    });
  }

  /** A stream of events about one question, without a deadline. */
  stream(method: string, request: Uint8Array, listener: StreamListener): Stream {
    return controlled(listener, (guarded) => this.#begin(method, request, {}, guarded));
  }

  /** A stream of subscriptions, without a deadline. */
  duplex(method: string, listener: StreamListener): Stream {
    return controlled(listener, (guarded) => this.#begin(method, undefined, {}, guarded));
  }

  #begin(method: string, request: Uint8Array | undefined, options: CallOptions, listener: StreamListener): Call {
    if (this.#closed) {
      throw new UsherFault("closed");
    }
    const path = `/${SERVICE}/${method}`;
    const call: Call =
      request === undefined
        ? this.#client.makeBidiStreamRequest(path, asBuffer, asIs, this.#shown(), options)
        : this.#client.makeServerStreamRequest(path, asBuffer, asIs, request, this.#shown(), options);
    this.#open.add(call);
    let status: StatusObject | undefined;
    let drained = false;
    const settle = (): void => {
      // After an error there may be no end of the messages; before OK, all of them have to be there.
      if (status === undefined || (status.code === 0 && !drained)) {
        return;
      }
      call.removeAllListeners("data");
      this.#open.delete(call);
      listener.ended(status.code === 0 ? undefined : this.#fault(status));
    };
    call.on("data", (message: Uint8Array) => listener.heard(message));
    call.on("end", () => {
      drained = true;
      settle();
    });
    call.on("status", (received: StatusObject) => {
      status = received;
      settle();
    });
    // It is told by its status.
    call.on("error", () => undefined);
    return call;
  }

  #fault(status: StatusObject): UsherFault {
    if (this.#closed) {
      return new UsherFault("closed");
    }
    const { reason, retryAfter } = readDetails(status.metadata.get(STATUS_DETAILS));
    return new UsherFault(faultKind(status.code), reason, retryAfter);
  }
}

function controlled(listener: StreamListener, begin: (guarded: StreamListener) => Call): Stream {
  let over = false;
  let unread = 0;
  const call = begin({
    heard: (message) => {
      if (!over) {
        listener.heard(message);
      }
    },
    ended: (fault) => {
      if (!over) {
        over = true;
        listener.ended(fault);
      }
    },
  });
  return {
    send: (message) => {
      if (over || !("write" in call)) {
        return;
      }
      unread += message.length;
      call.write(message, () => {
        unread -= message.length;
      });
      if (unread > MAX_UNREAD) {
        over = true;
        call.cancel();
        listener.ended(new UsherFault("overloaded"));
      }
    },
    cancel: () => {
      over = true;
      call.cancel();
    },
  };
}

function encryption(tls: boolean | Tls | undefined): ChannelCredentials {
  const { ca, cert, key } = typeof tls === "object" ? tls : {};
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("tls: expected cert and key together");
  }
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
}

function shown(bearer: string | (() => string) | undefined): () => Metadata {
  if (bearer === undefined) {
    return () => new Metadata();
  }
  if (typeof bearer === "function") {
    return () => metadataOf(bearer());
  }
  metadataOf(bearer);
  return () => metadataOf(bearer);
}

function metadataOf(credential: string): Metadata {
  if (typeof credential !== "string" || !CREDENTIAL.test(credential)) {
    throw new TypeError("bearer: expected ASCII letters, digits and -._~+/, = at the end only");
  }
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${credential}`);
  return metadata;
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

function asIs(message: Buffer): Uint8Array {
  return message;
}
