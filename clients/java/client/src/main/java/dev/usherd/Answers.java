package dev.usherd;

import com.google.protobuf.Timestamp;
import dev.usherd.v1.CheckOutcome;
import dev.usherd.v1.Code;
import dev.usherd.v1.DependencyKind;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Explanation;
import dev.usherd.v1.Fault;
import dev.usherd.v1.FaultReason;
import dev.usherd.v1.PrincipalKind;
import dev.usherd.v1.Reason;
import java.time.Instant;
import java.util.List;

/** Turns messages into decisions. What is no decision by the contract becomes a fault, never an allowance. */
final class Answers {

  private static final long FIRST_SECOND = -62_135_596_800L;
  private static final long LAST_SECOND = 253_402_300_799L;

  private Answers() {}

  /** The view of one message. Throws BAD_ANSWER unless effect, reason and principal go together by the contract. */
  static Decision decision(dev.usherd.v1.Decision wire) {
    boolean allowed = wire.getEffect() == Effect.EFFECT_ALLOW;
    if (!allowed && wire.getEffect() != Effect.EFFECT_DENY) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    int reason = wire.getReasonValue();
    // reason.proto: numbers 1 to 9 go with ALLOW, all others with DENY; 0 is never sent. An unknown one never allows.
    boolean allowing = wire.getReason() == Reason.REASON_ALLOWED || wire.getReason() == Reason.REASON_PUBLIC_ROUTE;
    if (reason == 0 || (reason >= 1 && reason <= 9) != allowed || (allowed && !allowing)) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    // principal.proto: the unspecified kind is never sent with ALLOW.
    if (allowed && wire.getPrincipal().getKindValue() == PrincipalKind.PRINCIPAL_KIND_UNSPECIFIED_VALUE) {
      throw new UsherFault(UsherFault.Kind.BAD_ANSWER);
    }
    Instant validUntil = wire.hasValidUntil() ? instant(wire.getValidUntil()) : null;
    return new Decision(
        wire,
        allowed,
        word(wire.getReason(), Reason.UNRECOGNIZED, "REASON_"),
        wire.hasPrincipal() ? principal(wire.getPrincipal()) : null,
        validUntil,
        wire.getCacheable() && validUntil != null && allKindsKnown(wire));
  }

  /** The fault that stands in the place of a decision. */
  static UsherFault fault(Fault wire) {
    return new UsherFault(
        kind(wire.getCodeValue()),
        wire.getReasonValue() == 0 ? "" : word(wire.getReason(), FaultReason.UNRECOGNIZED, "FAULT_REASON_"),
        wire.hasRetryAfter() ? StatusDetails.toWait(wire.getRetryAfter()) : null);
  }

  /** The fault that goes with a gRPC status code; INTERNAL for any that usherd does not answer with. */
  static UsherFault.Kind kind(int code) {
    return switch (code) {
      case Code.CODE_INVALID_ARGUMENT_VALUE -> UsherFault.Kind.INVALID_REQUEST;
      case Code.CODE_DEADLINE_EXCEEDED_VALUE -> UsherFault.Kind.OUT_OF_TIME;
      case Code.CODE_PERMISSION_DENIED_VALUE -> UsherFault.Kind.CALLER_NOT_ALLOWED;
      case Code.CODE_RESOURCE_EXHAUSTED_VALUE -> UsherFault.Kind.OVERLOADED;
      case Code.CODE_FAILED_PRECONDITION_VALUE -> UsherFault.Kind.PRECONDITION;
      case Code.CODE_UNAVAILABLE_VALUE -> UsherFault.Kind.UNAVAILABLE;
      case Code.CODE_UNAUTHENTICATED_VALUE -> UsherFault.Kind.CALLER_UNKNOWN;
      default -> UsherFault.Kind.INTERNAL;
    };
  }

  static List<CheckNote> notes(Explanation wire) {
    return wire.getChecksList().stream()
        .map(
            each ->
                new CheckNote(
                    each.getCheck(),
                    word(each.getOutcome(), CheckOutcome.UNRECOGNIZED, "CHECK_OUTCOME_"),
                    each.getReasonValue() == 0 ? "" : word(each.getReason(), Reason.UNRECOGNIZED, "REASON_"),
                    each.getNote()))
        .toList();
  }

  /** A name of the contract without its prefix; UNKNOWN for a number that has none here. */
  static String word(Enum<?> value, Enum<?> unrecognized, String prefix) {
    return value == unrecognized ? "UNKNOWN" : value.name().substring(prefix.length());
  }

  /** The instant; null for one outside of the years 1 to 9999, which no Timestamp may be. */
  static Instant instant(Timestamp wire) {
    boolean sensible =
        wire.getSeconds() >= FIRST_SECOND
            && wire.getSeconds() <= LAST_SECOND
            && wire.getNanos() >= 0
            && wire.getNanos() <= 999_999_999;
    return sensible ? Instant.ofEpochSecond(wire.getSeconds(), wire.getNanos()) : null;
  }

  private static boolean allKindsKnown(dev.usherd.v1.Decision wire) {
    return wire.getDependsOnList().stream()
        .allMatch(
            each ->
                each.getKind() != DependencyKind.UNRECOGNIZED
                    && each.getKind() != DependencyKind.DEPENDENCY_KIND_UNSPECIFIED);
  }

  private static Principal principal(dev.usherd.v1.Principal wire) {
    return new Principal(
        word(wire.getKind(), PrincipalKind.UNRECOGNIZED, "PRINCIPAL_KIND_"),
        wire.getIssuer(),
        wire.getSubject(),
        wire.getClient(),
        wire.getDirectoryRole(),
        wire.getIsAdmin(),
        wire.getUserId(),
        wire.getEmail(),
        wire.getTeamId(),
        wire.getTeamAlias(),
        wire.getOrganizationId(),
        wire.getEndUserId(),
        List.copyOf(wire.getScopesList()),
        List.copyOf(wire.getRolesList()),
        wire.getClaimsList().stream().map(each -> new Principal.Claim(each.getName(), each.getValueJson())).toList());
  }
}
