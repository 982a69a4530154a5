package dev.usherd;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Opens channels that retry a little, follow no foreign configuration, and are never plaintext by accident. */
final class Channels {

  static final String SERVICE = "usher.v1.AuthorizationService";

  /** The retries of every client of usherd: all waits are inside of the call's deadline. */
  static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(Map.of("service", SERVICE)),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts", 3.0,
                      "initialBackoff", "0.01s",
                      "maxBackoff", "0.05s",
                      "backoffMultiplier", 2.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE")))),
          // When more than half of a channel's recent calls fail, it stops asking twice.
          "retryThrottling",
          Map.of("maxTokens", 10.0, "tokenRatio", 0.1));

  private static final Pattern IPV4 = Pattern.compile("127(\\.(0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])){3}");
  private static final Pattern PORT = Pattern.compile("\\d{1,5}");

  private Channels() {}

  /** A channel. Throws IllegalArgumentException for a plaintext target that is not on this machine. */
  static ManagedChannel open(String target, ChannelCredentials credentials, boolean plaintext, KeepAlive keepAlive) {
    if (credentials != null && plaintext) {
      throw new IllegalArgumentException("plaintext: expected false where credentials are given");
    }
    if (credentials == null && !plaintext && !staysHere(target)) {
      throw new IllegalArgumentException(
          "credentials: required for a target that is not loopback or unix (or plaintext: true)");
    }
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilder(target, credentials == null ? InsecureChannelCredentials.create() : credentials)
            .defaultServiceConfig(SERVICE_CONFIG)
            .enableRetry()
            .keepAliveTime(keepAlive.time().toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(keepAlive.timeout().toMillis(), TimeUnit.MILLISECONDS)
            // A TXT record of the target's zone would replace the configuration above.
            .disableServiceConfigLookUp();
    if (credentials == null) {
      // Whoever sets a proxy for other programs must not be handed tokens in plaintext.
      builder.proxyDetector(address -> null);
    }
    return builder.build();
  }

  /** Whether every address of the target is surely on this machine: unix sockets, loopback, localhost. */
  static boolean staysHere(String target) {
    if (target.startsWith("unix:")) {
      return true;
    }
    return isLoopback(target.startsWith("dns:///") ? target.substring("dns:///".length()) : target);
  }

  private static boolean isLoopback(String address) {
    String host = address;
    if (address.startsWith("[")) {
      int end = address.indexOf(']');
      if (end < 0 || !isPort(address.substring(end + 1))) {
        return false;
      }
      host = address.substring(1, end);
      return host.equals("::1") || host.equals("0:0:0:0:0:0:0:1");
    }
    int colon = address.indexOf(':');
    if (colon >= 0) {
      if (!isPort(address.substring(colon))) {
        return false;
      }
      host = address.substring(0, colon);
    }
    return host.equalsIgnoreCase("localhost") || IPV4.matcher(host).matches();
  }

  private static boolean isPort(String rest) {
    return rest.isEmpty() || (rest.startsWith(":") && PORT.matcher(rest.substring(1)).matches());
  }
}
