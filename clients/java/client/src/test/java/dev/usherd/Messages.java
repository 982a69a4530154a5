package dev.usherd;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Cause;
import dev.usherd.v1.Changed;
import dev.usherd.v1.Checkpoint;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Ended;
import dev.usherd.v1.Mode;
import dev.usherd.v1.PrincipalKind;
import dev.usherd.v1.Reason;
import dev.usherd.v1.StreamTerms;
import dev.usherd.v1.SubscribeResponse;
import java.time.Instant;

/** What a server says. */
final class Messages {

  private Messages() {}

  static dev.usherd.v1.Decision allow(String id) {
    return dev.usherd.v1.Decision.newBuilder()
        .setEffect(Effect.EFFECT_ALLOW)
        .setReason(Reason.REASON_ALLOWED)
        .setHttpStatus(200)
        .setPrincipal(dev.usherd.v1.Principal.newBuilder().setKind(PrincipalKind.PRINCIPAL_KIND_USER))
        .setDecisionId(id)
        .setCacheable(true)
        .setValidUntil(Timestamp.newBuilder().setSeconds(Instant.now().getEpochSecond() + 3600))
        .build();
  }

  static dev.usherd.v1.Decision deny(String id) {
    return allow(id).toBuilder()
        .setEffect(Effect.EFFECT_DENY)
        .setReason(Reason.REASON_TEAM_BLOCKED)
        .setHttpStatus(403)
        .setMessage("The team is blocked.")
        .build();
  }

  static StreamTerms terms(long millis) {
    return StreamTerms.newBuilder()
        .setMode(Mode.MODE_WATCH)
        .setMaxSilence(
            Duration.newBuilder().setSeconds(millis / 1000).setNanos((int) (millis % 1000) * 1_000_000))
        .build();
  }

  static SubscribeResponse checkpoint() {
    return SubscribeResponse.newBuilder().setCheckpoint(Checkpoint.getDefaultInstance()).build();
  }

  static SubscribeResponse told(long id, dev.usherd.v1.Decision decision) {
    return SubscribeResponse.newBuilder().setId(id).setDecisionId(decision.getDecisionId()).setDecision(decision).build();
  }

  static SubscribeResponse changed(long id, String before, dev.usherd.v1.Decision decision) {
    return SubscribeResponse.newBuilder()
        .setId(id)
        .setDecisionId(before)
        .setChanged(Changed.newBuilder().setDecision(decision).setCause(Cause.CAUSE_DIRECTORY))
        .build();
  }

  static SubscribeResponse ended(long id, String before) {
    return SubscribeResponse.newBuilder()
        .setId(id)
        .setDecisionId(before)
        .setEnded(Ended.newBuilder().setDecision(deny("end")).setCause(Cause.CAUSE_TOKEN_REVOKED))
        .build();
  }

  static AuthorizeResponse once(dev.usherd.v1.Decision decision) {
    return AuthorizeResponse.newBuilder()
        .setDecision(decision)
        .setTerms(StreamTerms.newBuilder().setMode(Mode.MODE_ONCE))
        .build();
  }

  static AuthorizeResponse living(dev.usherd.v1.Decision decision, long silence) {
    return AuthorizeResponse.newBuilder().setDecision(decision).setTerms(terms(silence)).build();
  }
}
