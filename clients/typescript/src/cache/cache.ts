import { decisionOf, faultOf } from "../answers.js";
import type { Channel, Patience } from "../channel.js";
import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import { sizeOf, type Asked } from "../questions.js";
import { Addition, type Outcome } from "./addition.js";
import { Entries, type Entry } from "./entries.js";
import { Living, type Loss, type Told } from "./living.js";
import { Outbox } from "./outbox.js";
import { Reopening } from "./reopening.js";
import type { CacheStatistics } from "./statistics.js";

export type { CacheStatistics } from "./statistics.js";

/** Asks one question by itself. */
export type AskAlone = (asked: Asked, patience: Patience) => Promise<Decision>;

export const MAX_ENTRIES = 10_000;
const MAX_ADDITIONS = 256;
/** Bytes. A message of many such questions is one that a server takes. */
const MAX_QUESTION = 16 * 1024;
/** Milliseconds that an addition is waited for, while the stream speaks of others. */
const LONGEST_ADDITION = 60_000;

/**
 * Decisions that are answered from memory while they are true: each is subscribed to on one stream, and gone as soon as
 * the stream says so, or says nothing for too long.
 */
export class Cache {
  readonly #channel: Channel;
  readonly #alone: AskAlone;
  readonly #most: number;
  readonly #entries = new Entries();
  readonly #additions = new Map<string, Addition>();
  readonly #additionsById = new Map<number, Addition>();
  readonly #counts = {
    hits: 0,
    misses: 0,
    askedByItself: 0,
    evicted: 0,
    changed: 0,
    ended: 0,
    streamsLost: 0,
    silences: 0,
  };
  readonly #outbox = new Outbox((message) => this.#stream?.send(message));
  readonly #reopening = new Reopening();
  #stream: Living | undefined;
  #lastId = 0;
  #closed = false;

  constructor(channel: Channel, alone: AskAlone, most: number) {
    this.#channel = channel;
    this.#alone = alone;
    this.#most = most;
  }

  get statistics(): CacheStatistics {
    return { entries: this.#entries.size, ...this.#counts };
  }

  /** The decision that is held for this question, if it holds now. */
  find(key: string): Decision | undefined {
    const entry = this.#entries.byKey(key);
    if (entry === undefined || this.#stream === undefined || !this.#stream.holds()) {
      return undefined;
    }
    if (Date.now() >= entry.validUntil) {
      this.#drop(entry);
      return undefined;
    }
    this.#entries.used(entry);
    this.#counts.hits += 1;
    return entry.decision;
  }

  /** Asks a question that is not held. Rejects with UsherFault. */
  async ask(key: string, asked: Asked, patience: Patience): Promise<Decision> {
    this.#counts.misses += 1;
    const outcome = await this.#added(key, asked, patience);
    if (outcome === "alone") {
      this.#counts.askedByItself += 1;
      return this.#alone(asked, patience);
    }
    if (outcome instanceof UsherFault) {
      throw outcome;
    }
    return outcome;
  }

  close(): void {
    this.#closed = true;
    this.#reopening.cancel();
    this.#stream?.close();
    this.#forget(new UsherFault("closed"));
  }

  async #added(key: string, asked: Asked, { deadlineAt, signal }: Patience): Promise<Outcome> {
    const now = performance.now();
    this.#open();
    // A silence is noticed here, too, and not only when its timer comes to it.
    if (this.#stream?.holds() !== true) {
      // One addition brings it to life, but nobody waits for a stream that may never speak.
      if (this.#stream !== undefined && this.#additions.size === 0) {
        this.#add(key, asked);
      }
      return "alone";
    }
    const addition = this.#additions.get(key) ?? this.#add(key, asked);
    // Additions are answered one after the other: a slow one must not make faults of others.
    return addition === undefined ? "alone" : addition.wait((deadlineAt - now) / 2, signal);
  }

  #add(key: string, asked: Asked): Addition | undefined {
    if (this.#additions.size >= Math.min(MAX_ADDITIONS, this.#most) || sizeOf(asked) > MAX_QUESTION) {
      return undefined;
    }
    const oldest = this.#entries.size + this.#additions.size >= this.#most ? this.#entries.oldest : undefined;
    if (oldest !== undefined) {
      this.#counts.evicted += 1;
      this.#drop(oldest);
    }
    this.#lastId += 1;
    const addition = new Addition(key, this.#lastId, asked);
    this.#additions.set(key, addition);
    this.#additionsById.set(addition.id, addition);
    this.#outbox.add(addition);
    return addition;
  }

  #told(event: Told): void {
    const id = Number(event.id);
    if (id === 0) {
      if (event.event.case !== "checkpoint") {
        // A resync for all, or something that this client is too old for: all of it is unknown.
        this.#stream?.close();
        this.#gone("lost");
        return;
      }
      this.#letGo();
      return;
    }
    const addition = this.#additionsById.get(id);
    const entry = this.#entries.byId(id);
    if (addition !== undefined) {
      this.#answered(addition, event);
    } else if (entry !== undefined) {
      this.#news(entry, event);
    }
  }

  /** Additions that nobody ever answered make room for others. */
  #letGo(): void {
    for (const addition of [...this.#additions.values()].filter((each) => each.added.passed() > LONGEST_ADDITION)) {
      this.#additions.delete(addition.key);
      this.#additionsById.delete(addition.id);
      this.#outbox.remove(addition.id);
      addition.settle("alone");
    }
  }

  #answered(addition: Addition, { event, decisionId }: Told): void {
    this.#additions.delete(addition.key);
    this.#additionsById.delete(addition.id);
    if (event.case === "fault") {
      const fault = faultOf(event.value);
      addition.settle(fault.kind === "overloaded" ? "alone" : fault);
      return;
    }
    let outcome: Outcome = "alone";
    if (event.case === "decision") {
      outcome = attempt(() => decisionOf(event.value));
      if (event.value.decisionId !== decisionId) {
        outcome = new UsherFault("bad_answer");
      }
    }
    const until = keptUntil(outcome);
    if (until === undefined) {
      this.#outbox.remove(addition.id);
    } else {
      this.#entries.add(addition.key, addition.id, outcome as Decision, until);
    }
    addition.settle(outcome);
  }

  #news(entry: Entry, { event, decisionId }: Told): void {
    const same = decisionId === entry.decision.decisionId;
    if (same && (event.case === "checkpoint" || event.case === "expiring")) {
      return;
    }
    if (event.case === "changed" || event.case === "ended") {
      this.#counts[event.case] += 1;
    }
    const next = same && event.case === "changed" ? event.value.decision : undefined;
    const decision = next && attempt(() => decisionOf(next));
    const until = keptUntil(decision);
    if (until === undefined) {
      this.#drop(entry);
    } else {
      entry.decision = decision as Decision;
      entry.validUntil = until;
    }
  }

  #drop(entry: Entry): void {
    this.#entries.remove(entry);
    this.#outbox.remove(entry.id);
  }

  #open(): void {
    if (this.#stream === undefined && !this.#reopening.waits && !this.#closed && !this.#channel.closed) {
      this.#lastId = 0;
      this.#reopening.opened();
      try {
        this.#stream = new Living(this.#channel, {
          told: (event) => this.#told(event),
          gone: (loss) => this.#gone(loss),
        });
      } catch {
        // The gateway's own function for its credential has failed. Questions that are asked by themselves say how.
        this.#gone("lost");
      }
    }
  }

  #gone(loss: Loss): void {
    this.#counts.streamsLost += 1;
    this.#counts.silences += loss === "silent" ? 1 : 0;
    this.#stream = undefined;
    this.#forget("alone");
    if (this.#closed) {
      return;
    }
    this.#reopening.later(() => this.#open());
  }

  #forget(outcome: Outcome): void {
    this.#entries.clear();
    const waiting = [...this.#additions.values()];
    this.#additions.clear();
    this.#additionsById.clear();
    this.#outbox.clear();
    for (const each of waiting) {
      each.settle(outcome);
    }
  }
}

/** Until when that may be kept, in milliseconds since 1970; absent: not at all. */
function keptUntil(outcome: Outcome | undefined): number | undefined {
  if (outcome === undefined || outcome === "alone" || outcome instanceof UsherFault || !outcome.cacheable) {
    return undefined;
  }
  return outcome.validUntil !== undefined && outcome.validUntil > Date.now() ? outcome.validUntil : undefined;
}

function attempt(decision: () => Decision): Decision | UsherFault {
  try {
    return decision();
  } catch {
    return new UsherFault("bad_answer");
  }
}
