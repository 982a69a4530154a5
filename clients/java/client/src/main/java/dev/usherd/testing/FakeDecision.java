package dev.usherd.testing;

import dev.usherd.Decision;
import dev.usherd.v1.Effect;
import dev.usherd.v1.PrincipalKind;
import dev.usherd.v1.Reason;
import java.util.List;
import java.util.UUID;

/** Makes decisions for tests, of the form that the server's have. */
public final class FakeDecision {

  private final dev.usherd.v1.Decision.Builder wire = dev.usherd.v1.Decision.newBuilder();

  private FakeDecision() {
    wire.setDecisionId(UUID.randomUUID().toString().replace("-", "").substring(0, 26)).setRevision("fake:1");
  }

  /**
   * Begins an allowance for a user.
   *
   * @return a builder of it
   */
  public static FakeDecision allowed() {
    FakeDecision decision = new FakeDecision();
    decision.wire.setEffect(Effect.EFFECT_ALLOW).setReason(Reason.REASON_ALLOWED).setHttpStatus(200);
    decision.wire.getPrincipalBuilder().setKind(PrincipalKind.PRINCIPAL_KIND_USER);
    return decision;
  }

  /**
   * Begins a denial.
   *
   * @param reason the contract's Reason without its prefix, such as "TEAM_BLOCKED"
   * @return a builder of it, with the status that goes with the reason: 401, 403 or 429
   * @throws IllegalArgumentException for a word that is no reason to deny
   */
  public static FakeDecision denied(String reason) {
    FakeDecision decision = new FakeDecision();
    Reason named = Reason.valueOf("REASON_" + reason);
    if (named.getNumber() < 10) {
      throw new IllegalArgumentException("reason: expected one to deny");
    }
    // reason.proto: tokens are numbered up to 30, budgets from 80 on.
    int status = named.getNumber() <= 30 ? 401 : named.getNumber() >= 80 ? 429 : 403;
    decision.wire.setEffect(Effect.EFFECT_DENY).setReason(named).setHttpStatus(status);
    decision.wire.setMessage("Denied in a test.").setWwwAuthenticate(status == 401 ? "Bearer" : "");
    return decision;
  }

  /**
   * The model to call.
   *
   * @param resolvedModel its name
   * @return this
   */
  public FakeDecision model(String resolvedModel) {
    wire.setResolvedModel(resolvedModel);
    return this;
  }

  /**
   * The user's id.
   *
   * @param userId the id
   * @return this
   */
  public FakeDecision userId(String userId) {
    wire.getPrincipalBuilder().setUserId(userId).setSubject(userId);
    return this;
  }

  /**
   * The chosen team's id.
   *
   * @param teamId the id
   * @return this
   */
  public FakeDecision teamId(String teamId) {
    wire.getPrincipalBuilder().setTeamId(teamId);
    return this;
  }

  /**
   * The roles held.
   *
   * @param roles their names
   * @return this
   */
  public FakeDecision roles(List<String> roles) {
    wire.getPrincipalBuilder().clearRoles().addAllRoles(roles);
    return this;
  }

  /**
   * The decision.
   *
   * @return the decision, read as one of the server is
   */
  public Decision build() {
    return Decision.of(wire.build());
  }
}
