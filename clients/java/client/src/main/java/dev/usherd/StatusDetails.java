package dev.usherd;

import com.google.protobuf.Duration;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.regex.Pattern;

/** Reads the fault that a failed call ended with. The server's text is left behind: it may echo anything. */
final class StatusDetails {

  private static final String DOMAIN = "usher.v1";
  private static final long MAX_RETRY_AFTER = 3600;
  private static final Pattern REASON = Pattern.compile("[A-Z][A-Z0-9_]{0,63}");
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private StatusDetails() {}

  /** The fault. Details that cannot be read are none: it never throws. */
  static UsherFault fault(Status status, Metadata trailers) {
    String reason = "";
    java.time.Duration retryAfter = null;
    byte[] details = trailers == null ? null : trailers.get(DETAILS);
    if (details != null) {
      try {
        for (com.google.protobuf.Any each : com.google.rpc.Status.parseFrom(details).getDetailsList()) {
          if (each.is(ErrorInfo.class)) {
            ErrorInfo info = ErrorInfo.parseFrom(each.getValue());
            boolean ours = info.getDomain().equals(DOMAIN) && REASON.matcher(info.getReason()).matches();
            reason = ours ? info.getReason() : reason;
          } else if (each.is(RetryInfo.class)) {
            retryAfter = toWait(RetryInfo.parseFrom(each.getValue()).getRetryDelay());
          }
        }
      } catch (InvalidProtocolBufferException unreadable) {
        // The same status without details.
      }
    }
    return new UsherFault(Answers.kind(status.getCode().value()), reason, retryAfter);
  }

  /** A duration; null when it is outside of 0 to 3600 s. */
  static java.time.Duration toWait(Duration wire) {
    boolean sensible =
        wire.getSeconds() >= 0
            && wire.getNanos() >= 0
            && (wire.getSeconds() < MAX_RETRY_AFTER || (wire.getSeconds() == MAX_RETRY_AFTER && wire.getNanos() == 0));
    return sensible ? java.time.Duration.ofSeconds(wire.getSeconds(), wire.getNanos()) : null;
  }
}
