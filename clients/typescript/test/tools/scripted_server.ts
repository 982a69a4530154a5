import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, Server, ServerCredentials, status, type ServerDuplexStream, type ServerUnaryCall, type ServerWritableStream } from "@grpc/grpc-js";
import {
  AuthorizeRequestSchema,
  AuthorizeResponseSchema,
  BatchCheckRequestSchema,
  BatchCheckResponseSchema,
  ListModelsRequestSchema,
  ListModelsResponseSchema,
  Mode,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
  type SubscribeRequest,
} from "../../src/gen/usher/v1/authorization_service_pb.js";
import { DecisionSchema, DependencyKind, Effect } from "../../src/gen/usher/v1/decision_pb.js";
import { PrincipalKind } from "../../src/gen/usher/v1/principal_pb.js";
import type { Question } from "../../src/gen/usher/v1/question_pb.js";
import { Reason } from "../../src/gen/usher/v1/reason_pb.js";

type Init<D extends DescMessage> = Exclude<MessageInitShape<D>, { $typeName: string }>;
export type DecisionInit = Init<typeof DecisionSchema>;
export type Event = Init<typeof SubscribeResponseSchema>;
export type Answer = Init<typeof AuthorizeResponseSchema>;

/** One call of Authorize, for a script to answer. */
export class Authorize {
  readonly question: Question;
  readonly mode: Mode;
  cancelled = false;

  constructor(readonly call: ServerWritableStream<MessageShape<typeof AuthorizeRequestSchema>, Buffer>) {
    this.question = call.request.question ?? fail("a question");
    this.mode = call.request.mode;
    call.on("cancelled", () => (this.cancelled = true));
  }

  write(answer: Answer): void {
    this.call.write(bytes(AuthorizeResponseSchema, answer));
  }

  end(): void {
    this.call.end();
  }

  fail(code: status, trailers = new Metadata()): void {
    this.call.emit("error", { code, details: "words of the server", metadata: trailers });
  }

  /** What MODE_ONCE is answered with. */
  once(decision: DecisionInit): void {
    this.write({ event: { case: "decision", value: decision }, terms: { mode: Mode.ONCE } });
    this.end();
  }

  /** How MODE_WATCH begins. */
  living(decision: DecisionInit, silenceMs: number): void {
    this.write({ event: { case: "decision", value: decision }, terms: terms(silenceMs) });
  }
}

/** One stream of subscriptions. */
export class Subscribe {
  readonly added: { id: bigint; question: Question }[] = [];
  readonly removed: bigint[] = [];
  readonly messages: SubscribeRequest[] = [];
  ended = false;
  #first = true;

  constructor(
    readonly call: ServerDuplexStream<SubscribeRequest, Buffer>,
    readonly silenceMs: number | undefined,
    script: (stream: Subscribe, id: bigint, question: Question) => void,
  ) {
    call.on("data", (message: SubscribeRequest) => {
      this.messages.push(message);
      for (const { id, question } of message.add) {
        this.added.push({ id, question: question ?? fail("a question") });
        script(this, id, question ?? fail("a question"));
      }
      this.removed.push(...message.remove);
    });
    call.on("cancelled", () => (this.ended = true));
    call.on("error", () => undefined);
  }

  tell(event: Event): void {
    const first = this.#first && this.silenceMs !== undefined ? { terms: terms(this.silenceMs) } : {};
    this.#first = false;
    this.raw(bytes(SubscribeResponseSchema, { ...first, ...event } as Event));
  }

  raw(message: Buffer): void {
    this.call.write(message);
  }

  decide(id: bigint, decision: DecisionInit): void {
    this.tell({ id, decisionId: decision.decisionId ?? "", event: { case: "decision", value: decision } });
  }

  checkpoint(): void {
    this.tell({ event: { case: "checkpoint", value: { revision: "r" } } });
  }

  end(): void {
    this.call.end();
  }

  fail(code: status): void {
    this.call.emit("error", { code, details: "words of the server" });
  }
}

/** A real gRPC server whose answers a test writes. */
export class ScriptedServer {
  readonly asked: Authorize[] = [];
  readonly streams: Subscribe[] = [];
  /** Answers Authorize. */
  authorize: (asked: Authorize) => void = (asked) => asked.once(allow());
  /** Answers an addition. */
  add: (stream: Subscribe, id: bigint, question: Question) => void = (stream, id) => stream.decide(id, allow());
  /** Refuses streams of subscriptions with that status. */
  refuseStreams: status | undefined;
  silenceMs: number | undefined = 60_000;
  batch: (request: MessageShape<typeof BatchCheckRequestSchema>) => MessageInitShape<typeof BatchCheckResponseSchema> = () => ({});
  models: (request: MessageShape<typeof ListModelsRequestSchema>) => MessageInitShape<typeof ListModelsResponseSchema> = () => ({});
  /** Metadata of the calls. */
  readonly metadata: Metadata[] = [];
  readonly #server = new Server();
  #port = 0;

  static async start(address = "127.0.0.1:0", credentials = ServerCredentials.createInsecure()): Promise<ScriptedServer> {
    const scripted = new ScriptedServer();
    await scripted.#listen(address, credentials);
    return scripted;
  }

  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get stream(): Subscribe {
    return this.streams.at(-1) ?? fail("a stream");
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #listen(address: string, credentials: ServerCredentials): Promise<void> {
    const path = (method: string): string => `/usher.v1.AuthorizationService/${method}`;
    const asIs = (message: Buffer): Buffer => message;
    const reads = <D extends DescMessage>(schema: D) => (message: Buffer): MessageShape<D> => fromBinary(schema, message);
    const method = <D extends DescMessage>(name: string, schema: D, requestStream: boolean, responseStream: boolean) => ({
      path: path(name),
      requestStream,
      responseStream,
      requestSerialize: (message: MessageShape<D>) => Buffer.from(toBinary(schema, message)),
      requestDeserialize: reads(schema),
      responseSerialize: asIs,
      responseDeserialize: asIs,
    });
    this.#server.addService(
      {
        Authorize: method("Authorize", AuthorizeRequestSchema, false, true),
        Subscribe: method("Subscribe", SubscribeRequestSchema, true, true),
        BatchCheck: method("BatchCheck", BatchCheckRequestSchema, false, false),
        ListModels: method("ListModels", ListModelsRequestSchema, false, false),
      },
      {
        Authorize: (call: ServerWritableStream<MessageShape<typeof AuthorizeRequestSchema>, Buffer>) => {
          this.metadata.push(call.metadata);
          const asked = new Authorize(call);
          this.asked.push(asked);
          this.authorize(asked);
        },
        Subscribe: (call: ServerDuplexStream<SubscribeRequest, Buffer>) => {
          if (this.refuseStreams !== undefined) {
            call.emit("error", { code: this.refuseStreams, details: "words of the server" });
            return;
          }
          this.streams.push(new Subscribe(call, this.silenceMs, (stream, id, question) => this.add(stream, id, question)));
        },
        BatchCheck: (call: ServerUnaryCall<any, Buffer>, answer: (error: null, message: Buffer) => void) =>
          answer(null, bytes(BatchCheckResponseSchema, this.batch(call.request))),
        ListModels: (call: ServerUnaryCall<any, Buffer>, answer: (error: null, message: Buffer) => void) =>
          answer(null, bytes(ListModelsResponseSchema, this.models(call.request))),
      },
    );
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, port) => {
        this.#port = port;
        return error === null ? resolve() : reject(error);
      });
    });
  }
}

let decisions = 0;

/** An allowance that may be kept for a minute. */
export function allow(more: DecisionInit = {}): DecisionInit {
  decisions += 1;
  return {
    effect: Effect.ALLOW,
    reason: Reason.ALLOWED,
    httpStatus: 200,
    principal: { kind: PrincipalKind.USER, issuer: "https://issuer.example", subject: "secret-subject" },
    decisionId: `decision-${decisions}`,
    revision: "r",
    validUntil: timestampFromMs(Date.now() + 60_000),
    cacheable: true,
    dependsOn: [{ kind: DependencyKind.TEAM, id: "red", revision: "1" }],
    ...more,
  };
}

/** A denial that may be kept for a minute. */
export function deny(more: DecisionInit = {}): DecisionInit {
  return allow({
    effect: Effect.DENY,
    reason: Reason.TEAM_BLOCKED,
    message: "The team is blocked.",
    httpStatus: 403,
    ...more,
  });
}

export function terms(silenceMs: number): { mode: Mode; maxSilence: ReturnType<typeof durationFromMs> } {
  return { mode: Mode.WATCH, maxSilence: durationFromMs(silenceMs) };
}

function bytes<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, message)));
}

function fail(what: string): never {
  throw new Error(`expected ${what}`);
}
