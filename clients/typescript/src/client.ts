import { create, toBinary } from "@bufbuild/protobuf";
import { decisionOf, faultOf, onlyDecision, parsed } from "./answers.js";
import { Cache, MAX_ENTRIES, type CacheStatistics } from "./cache/cache.js";
import { keyOf } from "./cache/key.js";
import { Channel, type ChannelOptions, type Patience } from "./channel.js";
import type { Decision, Model } from "./decision.js";
import { ListDenied, UsherFault } from "./faults.js";
import {
  AuthorizeRequestSchema,
  BatchCheckRequestSchema,
  BatchCheckResponseSchema,
  ListModelsRequestSchema,
  ListModelsResponseSchema,
  Mode,
  OptionsSchema,
  type Options,
} from "./gen/usher/v1/authorization_service_pb.js";
import { asked, checkedDeadline, questionMessage, type Asked, type Question } from "./questions.js";
import { watched, type WatchEvent } from "./watch.js";
import { WatchChannels } from "./watch_channels.js";

/** How a client is made. */
export interface UsherdOptions extends ChannelOptions {
  /**
   * Keeps decisions in memory while they are true, and is told when they no longer are. `true` for at most 10,000 of them,
   * or a number of entries, 1 to 10,000. Absent: every question is asked.
   */
  cache?: boolean | { entries: number } | undefined;
}

/** How long one call may take. */
export interface CallOptions {
  /** Milliseconds until the answer has to be there, more than 0 and at most 60,000; 1,000 unless given. */
  deadlineMs?: number | undefined;
  /** Gives the call up: it then throws a UsherFault of kind `cancelled`. */
  signal?: AbortSignal | undefined;
}

/** What one question may ask for besides the decision. */
export interface AuthorizeOptions extends CallOptions {
  /** Asks for the explanation, past the cache. */
  explain?: boolean | undefined;
  /** The gateway's own id of the request, for the server's logs: printable ASCII, at most 128 bytes. */
  requestId?: string | undefined;
  /** A `Decision.revision` that the answer must be at least as fresh as, past the cache. */
  atLeastAsFresh?: string | undefined;
}

/** What a gateway asks with: the client, or the fake of `usher-client/testing`. */
export interface Authorizer {
  authorize(question: Question, options?: AuthorizeOptions): Promise<Decision>;
  watch(question: Question, options?: CallOptions): AsyncGenerator<WatchEvent, void, undefined>;
}

const MAX_ITEMS = 1000;
const PAGE_SIZE = 1000;
const MAX_PAGES = 1000;

/**
 * Asks one usherd. Make one, share it, and close it at the end.
 *
 * ```ts
 * const usherd = new Usherd("localhost:50051", { cache: true });
 * const decision = await usherd.authorize({ token, route: "/v1/chat/completions", model: "gpt-4o" });
 * if (!decision.allowed) return answer(decision.httpStatus, decision.message);
 * ```
 *
 * Every method throws a {@link UsherFault} when there is no answer: refuse the request then, too. TypeError and RangeError
 * are for arguments that only a gateway controls.
 */
export class Usherd implements Authorizer {
  readonly #channel: Channel;
  readonly #watches: WatchChannels;
  readonly #cache: Cache | undefined;

  /**
   * `target` is a gRPC target: `localhost:50051`, `unix:/run/usherd.sock`, `dns:///usherd.example:443`. Throws TypeError for a
   * plaintext target that is not surely on this machine, unless `plaintext` is true.
   */
  constructor(target: string, options: UsherdOptions = {}) {
    const entries = cacheEntries(options.cache);
    this.#channel = new Channel(target, options);
    this.#watches = WatchChannels.to(target, options);
    if (entries !== undefined) {
      this.#cache = new Cache(this.#channel, (question, patience) => this.#ask(question, patience), entries);
    }
  }

  /** Ends the channels. Calls that are still under way end with a fault. */
  close(): void {
    this.#cache?.close();
    this.#watches.close();
    this.#channel.close();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What the cache has done; absent when it is off. */
  get cacheStatistics(): CacheStatistics | undefined {
    return this.#cache?.statistics;
  }

  /** May the holder of this token call this route with this model? A denial is an answer. Throws UsherFault. */
  async authorize(question: Question, options: AuthorizeOptions = {}): Promise<Decision> {
    const whole = asked(question);
    const milliseconds = checkedDeadline(options.deadlineMs);
    this.#check(options.signal);
    if (this.#cache !== undefined && options.explain !== true && !options.atLeastAsFresh) {
      const key = keyOf(whole);
      return this.#cache.find(key) ?? this.#cache.ask(key, whole, until(milliseconds, options.signal));
    }
    return this.#ask(whole, until(milliseconds, options.signal), optionsMessage(options));
  }

  /**
   * What becomes of the answer to one question, for what lasts: a streamed completion, the run of an agent. Stop at the first
   * event that is not `allowed`. `deadlineMs` is that of the first decision; without one, it throws UsherFault.
   */
  async *watch(question: Question, options: CallOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const whole = asked(question);
    const milliseconds = checkedDeadline(options.deadlineMs);
    this.#check(options.signal);
    yield* watched(this.#watches, whole, milliseconds, options.signal);
  }

  /**
   * Answers 1 to 1,000 questions in their order; `token` is for those whose own is empty. A question without a decision has a
   * fault in its place, whose `allowed` is false.
   */
  async batchCheck(
    questions: readonly Question[],
    options: AuthorizeOptions & { token?: string } = {},
  ): Promise<(Decision | UsherFault)[]> {
    if (questions.length < 1 || questions.length > MAX_ITEMS) {
      throw new RangeError(`questions: expected 1 to ${MAX_ITEMS}`);
    }
    const items = questions.map((each, at) => ({ id: String(at), question: questionMessage(asked(each)) }));
    const { token } = asked({ token: options.token ?? "", route: "" });
    const patience = until(checkedDeadline(options.deadlineMs), options.signal);
    this.#check(options.signal);
    const request = create(BatchCheckRequestSchema, { token, items, ...optionsMessage(options) });
    const answer = await this.#channel.one("BatchCheck", toBinary(BatchCheckRequestSchema, request), patience);
    const { results } = parsed(BatchCheckResponseSchema, answer);
    if (results.length !== items.length || results.some((each, at) => each.id !== String(at))) {
      throw new UsherFault("bad_answer");
    }
    return results.map(({ result }) => {
      if (result.case === "fault") {
        return faultOf(result.value);
      }
      try {
        return decisionOf(result.case === "decision" ? result.value : missing());
      } catch (fault) {
        return fault as UsherFault;
      }
    });
  }

  /**
   * The models that this token may call on this route, sorted by name; the deadline is that of each page. Throws
   * {@link ListDenied} when the question is denied whatever the model.
   */
  async *listModels(
    question: Omit<Question, "model" | "fallbackModels">,
    options: Omit<AuthorizeOptions, "explain"> = {},
  ): AsyncGenerator<Model, void, undefined> {
    const whole = questionMessage(asked(question));
    const milliseconds = checkedDeadline(options.deadlineMs);
    let pageToken = "";
    for (let page = 0; page < MAX_PAGES; page += 1) {
      this.#check(options.signal);
      const request = create(ListModelsRequestSchema, {
        question: whole,
        pageSize: PAGE_SIZE,
        pageToken,
        ...optionsMessage(options),
      });
      const bytes = toBinary(ListModelsRequestSchema, request);
      const answer = await this.#channel.one("ListModels", bytes, until(milliseconds, options.signal));
      const { models, denial, nextPageToken } = parsed(ListModelsResponseSchema, answer);
      if (denial !== undefined) {
        const decision = decisionOf(denial);
        throw decision.allowed || models.length > 0 ? new UsherFault("bad_answer") : new ListDenied(decision);
      }
      if (models.length > PAGE_SIZE || (nextPageToken !== "" && nextPageToken === pageToken)) {
        throw new UsherFault("bad_answer");
      }
      for (const { name, resolvedModel } of models) {
        yield { name, resolvedModel };
      }
      if (nextPageToken === "") {
        return;
      }
      pageToken = nextPageToken;
    }
    throw new UsherFault("bad_answer");
  }

  async #ask(question: Asked, patience: Patience, options: { options?: Options } = {}): Promise<Decision> {
    const request = create(AuthorizeRequestSchema, {
      question: questionMessage(question),
      mode: Mode.ONCE,
      ...options,
    });
    return onlyDecision(await this.#channel.one("Authorize", toBinary(AuthorizeRequestSchema, request), patience));
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#channel.closed) {
      throw new UsherFault("closed");
    }
    if (signal?.aborted === true) {
      throw new UsherFault("cancelled");
    }
  }
}

function until(milliseconds: number, signal: AbortSignal | undefined): Patience {
  return { deadlineAt: performance.now() + milliseconds, signal };
}

function optionsMessage(options: AuthorizeOptions): { options?: Options } {
  const { explain, requestId, atLeastAsFresh } = options;
  if (explain !== true && !requestId && !atLeastAsFresh) {
    return {};
  }
  return {
    options: create(OptionsSchema, {
      explain: explain === true,
      requestId: requestId ?? "",
      atLeastAsFresh: atLeastAsFresh ?? "",
    }),
  };
}

function cacheEntries(cache: UsherdOptions["cache"]): number | undefined {
  if (cache === undefined || cache === false) {
    return undefined;
  }
  const entries = cache === true ? MAX_ENTRIES : cache.entries;
  if (!Number.isInteger(entries) || entries < 1 || entries > MAX_ENTRIES) {
    throw new RangeError(`cache: expected true, or entries of 1 to ${MAX_ENTRIES}`);
  }
  return entries;
}

function missing(): never {
  throw new UsherFault("bad_answer");
}
