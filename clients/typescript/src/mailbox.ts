/**
 * Hands events to one reader, who may be slow: of each kind only the newest waits, so that it never holds more than there
 * are kinds.
 */
export class Mailbox<E> {
  #waiting: { kind: string; event: E }[] = [];
  #failure: { error: Error } | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  /** Puts an event behind all others; one of its kind that nobody has read is gone. */
  put(kind: string, event: E): void {
    if (!this.#closed) {
      this.#waiting = [...this.#waiting.filter((each) => each.kind !== kind), { kind, event }];
      this.#wake?.();
    }
  }

  /** Nothing comes any more. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Nothing comes any more but this error, which comes before everything that waits. */
  fail(error: Error): void {
    this.#failure ??= { error };
    this.close();
  }

  /** The next event; undefined at the end. */
  async next(): Promise<E | undefined> {
    for (;;) {
      if (this.#failure !== undefined) {
        throw this.#failure.error;
      }
      const next = this.#waiting.shift();
      if (next !== undefined || this.#closed) {
        return next?.event;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
