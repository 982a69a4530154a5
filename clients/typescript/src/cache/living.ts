import type { MessageShape } from "@bufbuild/protobuf";
import { maxSilence, parsed } from "../answers.js";
import type { Channel, Stream } from "../channel.js";
import { SubscribeResponseSchema } from "../gen/usher/v1/authorization_service_pb.js";
import { Moment } from "../moment.js";

/** One event of a stream of subscriptions. */
export type Told = MessageShape<typeof SubscribeResponseSchema>;

/** Why a stream is no more. */
export type Loss = "lost" | "silent";

/** Who hears of a stream. Nothing comes after `gone`. */
export interface LivingListener {
  told(event: Told): void;
  gone(loss: Loss): void;
}

const LONGEST_TIMER = 2 ** 31 - 1;
/** Milliseconds that a server has to say how it serves, once something was added. */
const OPENING = 5_000;

/**
 * One stream of subscriptions, from its opening to the first moment at which what was told on it counts no longer: its
 * end, an error, a message that cannot be read, a first message that does not say how it is served, or a silence.
 */
export class Living {
  readonly #stream: Stream;
  readonly #listener: LivingListener;
  #silence: number | undefined;
  #heardAt = new Moment();
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  /** Throws UsherFault where the channel is closed. */
  constructor(channel: Channel, listener: LivingListener) {
    this.#listener = listener;
    this.#stream = channel.duplex("Subscribe", {
      heard: (message) => this.#heard(message),
      ended: () => this.#end("lost"),
    });
  }

  /** Whether what it told holds now. A stream that was silent for too long is over by this. */
  holds(): boolean {
    if (this.#silence === undefined || this.#over) {
      return false;
    }
    if (this.#heardAt.passed() > this.#silence) {
      this.#end("silent");
      return false;
    }
    return true;
  }

  send(message: Uint8Array): void {
    this.#stream.send(message);
    if (this.#timer === undefined && !this.#over) {
      this.#arm(OPENING);
    }
  }

  /** Ends it without telling anybody. */
  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#stream.cancel();
  }

  #heard(message: Uint8Array): void {
    const now = new Moment();
    // Also for a stream that speaks again: this process may have stood still, and what was in a buffer be old.
    if (this.#silence !== undefined && this.#heardAt.passed() > this.#silence) {
      this.#end("silent");
      return;
    }
    let event: Told;
    try {
      event = parsed(SubscribeResponseSchema, message);
    } catch {
      this.#end("lost");
      return;
    }
    if (this.#silence === undefined) {
      const silence = maxSilence(event.terms);
      if (silence === undefined) {
        this.#end("lost");
        return;
      }
      this.#silence = silence;
      clearTimeout(this.#timer);
      this.#arm(silence);
    }
    this.#heardAt = now;
    this.#listener.told(event);
  }

  #arm(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.min(milliseconds + 1, LONGEST_TIMER));
    // A stream alone keeps no process from ending.
    this.#timer.unref();
  }

  #look(): void {
    if (this.#silence === undefined) {
      this.#end("lost");
    } else if (this.holds()) {
      this.#arm(this.#silence - this.#heardAt.passed());
    }
  }

  #end(loss: Loss): void {
    if (!this.#over) {
      this.close();
      this.#listener.gone(loss);
    }
  }
}
