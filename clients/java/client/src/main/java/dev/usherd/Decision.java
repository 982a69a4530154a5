package dev.usherd;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * One complete decision: allowed, or denied for a reason.
 *
 * <p>Only {@link #allowed()} says whether the request may pass. Where there is no decision there is a {@link
 * UsherFault}.
 */
public final class Decision {

  private final dev.usherd.v1.Decision wire;
  private final boolean allowed;
  private final String reason;
  private final Principal principal;
  private final Instant validUntil;
  private final boolean cacheable;

  Decision(
      dev.usherd.v1.Decision wire,
      boolean allowed,
      String reason,
      Principal principal,
      Instant validUntil,
      boolean cacheable) {
    this.wire = wire;
    this.allowed = allowed;
    this.reason = reason;
    this.principal = principal;
    this.validUntil = validUntil;
    this.cacheable = cacheable;
  }

  /**
   * The view of a message, for those who call the stubs themselves.
   *
   * @param wire what the server answered
   * @return the decision
   * @throws UsherFault of kind {@link UsherFault.Kind#BAD_ANSWER} unless it is a decision by the contract
   */
  public static Decision of(dev.usherd.v1.Decision wire) {
    return Answers.decision(wire);
  }

  /**
   * Whether the request may pass.
   *
   * @return true only for effect ALLOW with a reason that goes with it
   */
  public boolean allowed() {
    return allowed;
  }

  /**
   * Why.
   *
   * @return the contract's Reason without its prefix, such as "TOKEN_EXPIRED"; UNKNOWN when this client is too old
   */
  public String reason() {
    return reason;
  }

  /**
   * One English sentence per reason.
   *
   * @return a text that is safe to show to the end user
   */
  public String message() {
    return wire.getMessage();
  }

  /**
   * What to answer the end user with.
   *
   * @return 200 when allowed, else 400 to 499
   */
  public int httpStatus() {
    int status = wire.getHttpStatus();
    if (allowed) {
      return 200;
    }
    // A gateway that passes this on must never tell the end user "200" about a denial.
    return status >= 400 && status <= 499 ? status : 403;
  }

  /**
   * The header of that name to send with a 401 or 403 (RFC 6750, section 3).
   *
   * @return its value; empty: none
   */
  public String wwwAuthenticate() {
    return wire.getWwwAuthenticate();
  }

  /**
   * Who asks, as far as it is known.
   *
   * @return the holder; empty when the token is not genuine
   */
  public Optional<Principal> principal() {
    return Optional.ofNullable(principal);
  }

  /**
   * The model to call, after aliases.
   *
   * @return its name; empty: no model was asked for, or not allowed
   */
  public String resolvedModel() {
    return allowed ? wire.getResolvedModel() : "";
  }

  /**
   * Until when the decision may be kept, if cacheable.
   *
   * @return the instant; empty: it may not be kept
   */
  public Optional<Instant> validUntil() {
    return Optional.ofNullable(validUntil);
  }

  /**
   * Whether it may be kept until then.
   *
   * @return false, too, when it depends on a kind of thing that this client does not know
   */
  public boolean cacheable() {
    return cacheable;
  }

  /**
   * Identifies the decision in the server's logs.
   *
   * @return 26 characters, unique per answer
   */
  public String decisionId() {
    return wire.getDecisionId();
  }

  /**
   * The directory's revision that was read.
   *
   * @return an opaque text for {@link AskOptions#atLeastAsFresh(String)}
   */
  public String revision() {
    return wire.getRevision();
  }

  /**
   * The checks in their order.
   *
   * @return nothing unless asked for with {@link AskOptions#explain(boolean)}
   */
  public List<CheckNote> explanation() {
    return Answers.notes(wire.getExplanation());
  }

  /**
   * The message itself, for what stands only there: {@code limits}, {@code depends_on}, {@code explanation.shadow}.
   *
   * @return the message, whose effect is not {@link #allowed()}, and whose text shows claims
   */
  public dev.usherd.v1.Decision wire() {
    return wire;
  }

  /**
   * What a log may have: no claim, no question.
   *
   * @return effect, reason and id
   */
  @Override
  public String toString() {
    return "Decision[" + (allowed ? "allowed" : "denied") + ", " + reason + ", " + decisionId() + "]";
  }
}
