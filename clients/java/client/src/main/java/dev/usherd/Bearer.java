package dev.usherd;

import io.grpc.Metadata;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/** Shows what a gateway is known by: a credential, asked for anew for each call. */
final class Bearer {

  private static final Pattern CREDENTIAL = Pattern.compile("[A-Za-z0-9._~+/-]{1,4096}=*");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Supplier<String> credential;

  Bearer(Supplier<String> credential) {
    this.credential = credential;
  }

  /** Throws IllegalArgumentException for what cannot be sent; its text never has the credential. */
  static String checked(String credential) {
    if (credential == null || !CREDENTIAL.matcher(credential).matches()) {
      throw new IllegalArgumentException("bearer: expected ASCII letters, digits and -._~+/, = at the end only");
    }
    return credential;
  }

  /** What a call is sent with. Throws CALLER_UNKNOWN where there is no credential that can be sent. */
  Metadata metadata() {
    Metadata metadata = new Metadata();
    if (credential != null) {
      String shown;
      try {
        shown = checked(credential.get());
      } catch (RuntimeException withheld) {
        // Its text, or that of its cause, may be the credential.
        throw new UsherFault(UsherFault.Kind.CALLER_UNKNOWN);
      }
      metadata.put(AUTHORIZATION, "Bearer " + shown);
    }
    return metadata;
  }
}
