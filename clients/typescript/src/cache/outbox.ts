import type { Addition } from "./addition.js";
import { changes } from "./messages.js";

/** What a stream has yet to be told. All that comes up in one turn of the event loop is told together. */
export class Outbox {
  readonly #send: (message: Uint8Array) => void;
  #added: Addition[] = [];
  #removed: number[] = [];
  #flushing = false;

  constructor(send: (message: Uint8Array) => void) {
    this.#send = send;
  }

  add(addition: Addition): void {
    this.#added.push(addition);
    this.#flushSoon();
  }

  remove(id: number): void {
    this.#removed.push(id);
    this.#flushSoon();
  }

  /** For a stream that is no more. */
  clear(): void {
    [this.#removed, this.#added] = [[], []];
  }

  #flushSoon(): void {
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    }
  }

  #flush(): void {
    this.#flushing = false;
    const messages = changes(this.#removed, this.#added);
    this.clear();
    for (const message of messages) {
      this.#send(message);
    }
  }
}
