import { Channel, type ChannelOptions, type Stream, type StreamListener } from "./channel.js";
import { UsherFault } from "./faults.js";
import { Turns } from "./turns.js";

/** Calls on one connection at most. A server takes so many at least, and lets what is beyond wait without a word. */
export const WATCHES = 64;

/** Where streams about one question begin. */
export interface Streams {
  /** A stream of events about one question, without a deadline. Throws UsherFault. */
  stream(method: string, request: Uint8Array, listener: StreamListener): Stream;
}

/** What the connections are made of. */
export type Line = Streams & Pick<Channel, "close">;

interface Place {
  readonly line: Line;
  calls: number;
}

/**
 * The connections of what is watched, apart from that of all other calls: one more is opened where none has room, and of
 * those that nobody needs one is kept. Calls begin no faster than a server takes them up, which refuses what is beyond.
 */
export class WatchChannels implements Streams {
  readonly #open: () => Line;
  readonly #places: Place[] = [];
  readonly #turns = new Turns();
  #closed = false;

  constructor(open: () => Line) {
    this.#open = open;
  }

  /** Over connections of their own to the target of a client. */
  static to(target: string, options: ChannelOptions): WatchChannels {
    return new WatchChannels(() => new Channel(target, options, { alone: true }));
  }

  /** The calls on each connection, the oldest first. */
  get calls(): readonly number[] {
    return this.#places.map(({ calls }) => calls);
  }

  stream(method: string, request: Uint8Array, listener: StreamListener): Stream {
    const place = this.#take();
    const call = new Call(() => this.#leave(place), listener);
    try {
      call.waits(
        this.#turns.take((late) => {
          call.begin(late, () => {
            this.#check();
            return place.line.stream(method, request, call);
          });
        }),
      );
    } catch (fault) {
      call.cancel();
      throw fault;
    }
    return call;
  }

  /** Ends all calls with a fault, and lets none begin. */
  close(): void {
    this.#closed = true;
    for (const { line } of this.#places.splice(0)) {
      line.close();
    }
    this.#turns.hurry();
  }

  #check(): void {
    if (this.#closed) {
      throw new UsherFault("closed");
    }
  }

  #take(): Place {
    this.#check();
    let place = this.#places.find(({ calls }) => calls < WATCHES);
    if (place === undefined) {
      place = { line: this.#open(), calls: 0 };
      this.#places.push(place);
    }
    place.calls += 1;
    return place;
  }

  #leave(place: Place): void {
    place.calls -= 1;
    if (place.calls > 0 || !this.#places.some((each) => each !== place && each.calls === 0)) {
      return;
    }
    const at = this.#places.indexOf(place);
    if (at >= 0) {
      this.#places.splice(at, 1);
      place.line.close();
    }
  }
}

/** A call that may have yet to begin. */
class Call implements Stream, StreamListener {
  readonly #leave: () => void;
  readonly #listener: StreamListener;
  #stream: Stream | undefined;
  #giveUp: () => void = () => undefined;
  #over = false;

  constructor(leave: () => void, listener: StreamListener) {
    this.#leave = leave;
    this.#listener = listener;
  }

  /** `giveUp` gives its turn up. */
  waits(giveUp: () => void): void {
    this.#giveUp = giveUp;
  }

  /** A fault is that of whoever asked for the call, or `late` the end of it. */
  begin(late: boolean, stream: () => Stream): void {
    try {
      this.#stream = stream();
    } catch (fault) {
      if (!late) {
        throw fault;
      }
      this.ended(fault instanceof UsherFault ? fault : new UsherFault("internal"));
    }
  }

  heard(message: Uint8Array): void {
    this.#listener.heard(message);
  }

  ended(fault?: UsherFault): void {
    if (this.#finish()) {
      this.#listener.ended(fault);
    }
  }

  send(message: Uint8Array): void {
    this.#stream?.send(message);
  }

  cancel(): void {
    if (this.#finish()) {
      this.#stream?.cancel();
    }
  }

  #finish(): boolean {
    if (this.#over) {
      return false;
    }
    this.#over = true;
    this.#giveUp();
    this.#leave();
    return true;
  }
}
