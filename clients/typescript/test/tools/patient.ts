import { Usherd, type AuthorizeOptions, type CallOptions, type Decision, type Question, type WatchEvent } from "../../src/index.js";

/** A client that waits longer than usual, unless it is told how long: the machine may have other things to do. */
export class Patient extends Usherd {
  override authorize(question: Question, options: AuthorizeOptions = {}): Promise<Decision> {
    return super.authorize(question, { deadlineMs: 20_000, ...options });
  }

  override watch(question: Question, options: CallOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    return super.watch(question, { deadlineMs: 20_000, ...options });
  }
}
