import type { Decision as WireDecision } from "./gen/usher/v1/decision_pb.js";
import type { Principal as WirePrincipal } from "./gen/usher/v1/principal_pb.js";

/** What kind of holder a token has; `UNKNOWN` for a kind that this client is too old to know. */
export type PrincipalKind = "UNSPECIFIED" | "USER" | "SERVICE" | "SESSION" | "ANONYMOUS" | "UNKNOWN";

/**
 * Who holds the token. An empty string is an absent value; `principal.proto` of the contract says what each is.
 *
 * Its values are getters, so that neither `util.inspect` nor `JSON.stringify` writes claims into a log.
 */
export class Principal {
  readonly #kind: PrincipalKind;
  readonly #wire: WirePrincipal;

  /** @internal */
  constructor(kind: PrincipalKind, wire: WirePrincipal) {
    this.#kind = kind;
    this.#wire = wire;
  }

  /** What kind of holder. */
  get kind(): PrincipalKind {
    return this.#kind;
  }
  /** The token's issuer (`iss`). */
  get issuer(): string {
    return this.#wire.issuer;
  }
  /** The token's subject (`sub`), unique within the issuer only. */
  get subject(): string {
    return this.#wire.subject;
  }
  /** The client application that the token was issued to. */
  get client(): string {
    return this.#wire.client;
  }
  /** The directory's role for the holder, such as `internal_user`. */
  get directoryRole(): string {
    return this.#wire.directoryRole;
  }
  /** Whether the holder is an administrator under the policy. */
  get isAdmin(): boolean {
    return this.#wire.isAdmin;
  }
  /** The user's id in the directory, or the user claim where the directory does not know the user. */
  get userId(): string {
    return this.#wire.userId;
  }
  /** The user's e-mail address. Never a reason to trust anyone. */
  get email(): string {
    return this.#wire.email;
  }
  /** The chosen team's id. */
  get teamId(): string {
    return this.#wire.teamId;
  }
  /** The chosen team's alias. */
  get teamAlias(): string {
    return this.#wire.teamAlias;
  }
  /** The organization of the chosen team, or else of the token. */
  get organizationId(): string {
    return this.#wire.organizationId;
  }
  /** The end user (customer) on whose behalf the request is made. */
  get endUserId(): string {
    return this.#wire.endUserId;
  }
  /** The token's scopes, sorted. */
  get scopes(): readonly string[] {
    return this.#wire.scopes;
  }
  /** The policy's roles that the token holds, sorted. */
  get roles(): readonly string[] {
    return this.#wire.roles;
  }
  /** Names and JSON texts of the claims that the policy passes on, sorted by name. */
  get claims(): ReadonlyArray<{ readonly name: string; readonly valueJson: string }> {
    return this.#wire.claims;
  }
}

/** How one check went, for an operator. */
export interface CheckNote {
  readonly check: string;
  /** PASSED, DENIED, NOT_APPLICABLE, FAULT, or UNKNOWN. */
  readonly outcome: string;
  readonly reason: string;
  readonly note: string;
}

/** A model that may be called, and the model that a call would be resolved to. */
export interface Model {
  readonly name: string;
  readonly resolvedModel: string;
}

/** @internal What a decision is made of. */
export interface DecisionParts {
  allowed: boolean;
  reason: string;
  message: string;
  httpStatus: number;
  wwwAuthenticate: string;
  resolvedModel: string;
  validUntil: number | undefined;
  cacheable: boolean;
  decisionId: string;
  revision: string;
  principal: Principal | undefined;
  explanation: readonly CheckNote[];
  wire: WireDecision;
}

/**
 * One complete decision. Look at {@link Decision.allowed}: the object itself is truthy even when it is a denial.
 *
 * It is frozen. Its principal, explanation and message are getters, so that nothing of a claim is written into a log.
 */
export class Decision {
  /** Whether the request may pass. True only for effect ALLOW with a reason that allows. */
  readonly allowed: boolean;
  /** The contract's Reason without its prefix, such as `TOKEN_EXPIRED`; UNKNOWN when this client is too old. */
  readonly reason: string;
  /** One English sentence per reason, safe to show to the end user. */
  readonly message: string;
  /** What to answer the end user with: 200 when allowed, else 400 to 499. */
  readonly httpStatus: number;
  /** The header of that name to send with a 401 or 403 (RFC 6750, section 3). Empty: none. */
  readonly wwwAuthenticate: string;
  /** The model to call, after aliases. Empty: no model was asked for, or not allowed. */
  readonly resolvedModel: string;
  /** Until when the decision may be kept, if cacheable, in milliseconds since 1970. Absent: it may not be kept. */
  readonly validUntil: number | undefined;
  /** Whether it may be kept until `validUntil`; false when it depends on a kind of thing that is unknown here. */
  readonly cacheable: boolean;
  /** Identifies the decision in the server's logs. */
  readonly decisionId: string;
  /** The directory's revision that was read; opaque. Pass it on as `atLeastAsFresh`. */
  readonly revision: string;
  readonly #parts: DecisionParts;

  /** @internal */
  constructor(parts: DecisionParts) {
    this.allowed = parts.allowed;
    this.reason = parts.reason;
    this.message = parts.message;
    this.httpStatus = parts.httpStatus;
    this.wwwAuthenticate = parts.wwwAuthenticate;
    this.resolvedModel = parts.resolvedModel;
    this.validUntil = parts.validUntil;
    this.cacheable = parts.cacheable;
    this.decisionId = parts.decisionId;
    this.revision = parts.revision;
    this.#parts = parts;
    Object.freeze(this);
  }

  /** Who asks, as far as it is known; absent when the token is not genuine. */
  get principal(): Principal | undefined {
    return this.#parts.principal;
  }

  /** The checks in their order; empty unless asked for. */
  get explanation(): readonly CheckNote[] {
    return this.#parts.explanation;
  }

  /**
   * The message itself, for what stands only there (`limits`, `dependsOn`, `explanation.shadow`).
   *
   * Its `effect` is not `allowed`, and still less is that of the shadow.
   */
  get wire(): WireDecision {
    return this.#parts.wire;
  }
}
