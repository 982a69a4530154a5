import { create, toBinary } from "@bufbuild/protobuf";
import { causeOf, decisionOf, maxSilence, milliseconds, onlyDecision, parsed, servedOnce } from "./answers.js";
import type { Stream } from "./channel.js";
import type { Decision } from "./decision.js";
import { UsherFault } from "./faults.js";
import {
  AuthorizeRequestSchema,
  AuthorizeResponseSchema,
  Mode,
  type AuthorizeResponse,
} from "./gen/usher/v1/authorization_service_pb.js";
import { Mailbox } from "./mailbox.js";
import { Moment } from "./moment.js";
import { questionMessage, type Asked } from "./questions.js";
import type { Streams } from "./watch_channels.js";

/** What has become of a decision that is watched. `allowed`: whether the request may go on after this event. */
export type WatchEvent =
  /** The first decision; and again after a break, if the question had to be asked anew and the answer differs. */
  | { readonly kind: "decided"; readonly allowed: boolean; readonly decision: Decision }
  /** Another decision, allowed or denied, and its cause; a block can be lifted, so it goes on. */
  | { readonly kind: "changed"; readonly allowed: boolean; readonly decision: Decision; readonly cause: string }
  /** It ends soon, and when. */
  | { readonly kind: "expiring"; readonly allowed: boolean; readonly endsAt: Date; readonly cause: string }
  /** It ended for good. The last event. */
  | { readonly kind: "ended"; readonly allowed: false; readonly decision: Decision; readonly cause: string }
  /** Nothing could be learned in time. The last event. */
  | { readonly kind: "unknown"; readonly allowed: false };

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;
const ONCE_PAUSE = 5000;
/** How long an answer that was given once may be relied on without another, at most. */
const ONCE_SILENCE = 15_000;
/** How soon it is noticed that the machine has slept. */
const LOOKS_EVERY = 1000;
const LONGEST_TIMER = 2 ** 31 - 1;

/** What becomes of one question. `deadlineMs` is that of the first decision. Ends with UsherFault if there is none. */
export async function* watched(
  streams: Streams,
  asked: Asked,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent, void, undefined> {
  const watch = new Watch(streams, asked, deadlineMs);
  const abort = (): void => watch.mailbox.fail(new UsherFault("cancelled"));
  signal?.addEventListener("abort", abort);
  try {
    if (signal?.aborted === true) {
      throw new UsherFault("cancelled");
    }
    watch.begin();
    for (;;) {
      const event = await watch.mailbox.next();
      if (event === undefined) {
        return;
      }
      yield event;
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    watch.stop();
  }
}

class Watch {
  readonly mailbox = new Mailbox<WatchEvent>();
  readonly #streams: Streams;
  readonly #request: Uint8Array;
  readonly #deadlineMs: number;
  #stream: Stream | undefined;
  #held: Decision | undefined;
  /** How long the stream that is open may be silent; absent: none is that lives. */
  #silence: number | undefined;
  #heardAt = new Moment();
  /** For how many milliseconds from then on what is held may be relied on. */
  #lasts = 0;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(streams: Streams, asked: Asked, deadlineMs: number) {
    this.#streams = streams;
    this.#deadlineMs = deadlineMs;
    this.#request = toBinary(
      AuthorizeRequestSchema,
      create(AuthorizeRequestSchema, { question: questionMessage(asked), mode: Mode.WATCH }),
    );
  }

  begin(): void {
    this.#endTimer = setTimeout(() => this.#finish(new UsherFault("out_of_time")), this.#deadlineMs);
    this.#ask();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#endTimer);
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  #ask(): void {
    this.#silence = undefined;
    let first: Uint8Array | undefined;
    try {
      const stream = this.#streams.stream("Authorize", this.#request, {
        heard: (message) => {
          if (first === undefined) {
            first = message;
            this.#first(message);
          } else if (this.#silence === undefined) {
            // Served once, and yet it goes on.
            this.#broken(new UsherFault("bad_answer"));
          } else {
            this.#later(message);
          }
        },
        ended: (fault) => {
          this.#stream = undefined;
          // Only with OK at its end is the only decision of a stream one.
          if (fault === undefined && first !== undefined && this.#silence === undefined) {
            this.#once(first);
          } else {
            this.#broken(fault ?? new UsherFault("bad_answer"));
          }
        },
      });
      this.#stream = stream;
    } catch (fault) {
      this.#finish(fault instanceof UsherFault ? fault : new UsherFault("internal"));
    }
  }

  #first(message: Uint8Array): void {
    try {
      const { event, terms } = parsed(AuthorizeResponseSchema, message);
      const silence = maxSilence(terms);
      if (event.case !== "decision" || (silence === undefined && !servedOnce(terms))) {
        throw new UsherFault("bad_answer");
      }
      const decision = decisionOf(event.value);
      if (silence === undefined) {
        return; // it counts when the stream has ended
      }
      this.#silence = silence;
      this.#learned(decision, silence);
    } catch (fault) {
      this.#broken(fault as UsherFault);
    }
  }

  #once(message: Uint8Array): void {
    try {
      const decision = onlyDecision(message);
      this.#learned(decision, undefined);
      const left = decision.validUntil === undefined ? Infinity : decision.validUntil - Date.now();
      this.#askLater(Math.max(Math.min(left / 2, ONCE_PAUSE), FIRST_PAUSE * 10));
    } catch (fault) {
      this.#broken(fault as UsherFault);
    }
  }

  #later(message: Uint8Array): void {
    const silence = this.#silence ?? 0;
    // What comes after a silence may be as old as the silence.
    if (this.#heardAt.passed() > silence) {
      this.#broken();
      return;
    }
    try {
      this.#event(parsed(AuthorizeResponseSchema, message), silence);
    } catch {
      this.#broken();
    }
  }

  #event({ event }: AuthorizeResponse, silence: number): void {
    switch (event.case) {
      case "checkpoint":
        this.#hold(this.#held, silence);
        return;
      case "changed": {
        const decision = decisionOf(event.value.decision ?? unreadable());
        this.#hold(decision, silence);
        this.#tell({ kind: "changed", allowed: decision.allowed, decision, cause: causeOf(event.value.cause) });
        return;
      }
      case "expiring": {
        this.#hold(this.#held, silence);
        const endsAt = new Date(milliseconds(event.value.endsAt ?? unreadable()));
        this.#tell({ kind: "expiring", allowed: this.#held?.allowed === true, endsAt, cause: causeOf(event.value.cause) });
        return;
      }
      case "ended": {
        const decision = decisionOf(event.value.decision ?? unreadable());
        if (decision.allowed) {
          unreadable();
        }
        this.#finish({ kind: "ended", allowed: false, decision, cause: causeOf(event.value.cause) });
        return;
      }
      default:
        // A resync, or what this client is too old for: it has to be asked again.
        this.#broken();
    }
  }

  /** A decision in answer to the question, asked for the first time or again. */
  #learned(decision: Decision, silence: number | undefined): void {
    const held = this.#held;
    this.#pause = FIRST_PAUSE;
    this.#hold(decision, silence);
    if (held !== undefined && held.allowed === decision.allowed && held.reason === decision.reason) {
      return;
    }
    if (held !== undefined && !decision.allowed) {
      this.#tell({ kind: "changed", allowed: false, decision, cause: "UNSPECIFIED" });
    } else {
      this.#tell({ kind: "decided", allowed: decision.allowed, decision });
    }
  }

  /** That holds now, and until when nobody would know whether it does. */
  #hold(decision: Decision | undefined, silence: number | undefined): void {
    this.#held = decision;
    this.#heardAt = new Moment();
    clearTimeout(this.#endTimer);
    this.#lasts = silence ?? ONCE_SILENCE;
    if (silence !== undefined) {
      this.#listen();
    } else {
      // Whoever is asked again may say nothing at all.
      this.#endIn(this.#left());
    }
  }

  /** The stream is broken when it is silent for too long. Timers do not know of a machine's sleep, and are looked at meanwhile. */
  #listen(): void {
    const left = this.#lasts + 1 - this.#heardAt.passed();
    if (left <= 0) {
      this.#broken();
    } else {
      this.#endTimer = setTimeout(() => this.#listen(), Math.min(left, LOOKS_EVERY));
    }
  }

  /** For how many milliseconds what is held may be relied on without another word. */
  #left(): number {
    const { allowed, validUntil } = this.#held ?? { allowed: false, validUntil: undefined };
    // A denial is not relied on.
    const valid = allowed && validUntil !== undefined ? validUntil - Date.now() : Infinity;
    return Math.min(this.#lasts - this.#heardAt.passed(), valid);
  }

  #endIn(milliseconds: number): void {
    clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(
      () => this.#finish({ kind: "unknown", allowed: false }),
      Math.min(milliseconds, LONGEST_TIMER),
    );
  }

  /** The stream is no more, and did not say why. */
  #broken(fault?: UsherFault): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#silence = undefined;
    if (this.#held === undefined) {
      this.#finish(fault ?? new UsherFault("bad_answer"));
      return;
    }
    if (fault?.kind === "closed") {
      this.#finish(fault);
      return;
    }
    const left = this.#left();
    if (left <= 0) {
      this.#finish({ kind: "unknown", allowed: false });
      return;
    }
    this.#endIn(left);
    this.#askLater(this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #askLater(pause: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), pause);
  }

  #tell(event: WatchEvent): void {
    this.mailbox.put(event.kind, event);
  }

  #finish(last: WatchEvent | UsherFault): void {
    this.stop();
    if (last instanceof UsherFault) {
      this.mailbox.fail(last);
    } else {
      this.#tell(last);
      this.mailbox.close();
    }
  }
}

function unreadable(): never {
  throw new UsherFault("bad_answer");
}
