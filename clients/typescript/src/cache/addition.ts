import type { Decision } from "../decision.js";
import { UsherFault } from "../faults.js";
import { Moment } from "../moment.js";
import type { Asked } from "../questions.js";

/** What came of an addition: its decision, its fault, or that the question has to be asked by itself. */
export type Outcome = Decision | UsherFault | "alone";

/** A question that was added to the stream and has no answer yet. Whoever asks the same waits for the same. */
export class Addition {
  readonly added = new Moment();
  readonly #waiting = new Set<(outcome: Outcome) => void>();

  constructor(
    readonly key: string,
    readonly id: number,
    readonly asked: Asked,
  ) {}

  /** Everybody who waits has it. */
  settle(outcome: Outcome): void {
    for (const tell of this.#waiting) {
      tell(outcome);
    }
    this.#waiting.clear();
  }

  /** Waits for at most so many milliseconds, then it is "alone". Whoever gives up takes nothing from the others. */
  wait(milliseconds: number, signal: AbortSignal | undefined): Promise<Outcome> {
    return new Promise((resolve) => {
      const done = (outcome: Outcome): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(done);
        resolve(outcome);
      };
      const abort = (): void => done(new UsherFault("cancelled"));
      const timer = setTimeout(done, Math.max(milliseconds, 0), "alone");
      signal?.addEventListener("abort", abort);
      this.#waiting.add(done);
    });
  }
}
