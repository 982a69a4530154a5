package dev.usherd.http;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** Reads what a request shows and asks for, as {@code docs/clients.md} says. */
public final class RequestReader {

  private static final Pattern UTF8 =
      Pattern.compile(";[ \\t]*charset=(\"?)(?:utf-?8|us-ascii)\\1[ \\t]*(?:;|$)", Pattern.CASE_INSENSITIVE);

  private final CredentialReader credentials;
  private final String basePath;
  private final String modelHeader;
  private final String teamHeader;
  private final String teamAliasHeader;
  private final int maxBody;

  private RequestReader(Builder builder) {
    credentials = new CredentialReader(builder.credentialHeader, Set.copyOf(builder.origins));
    basePath = builder.basePath;
    modelHeader = builder.modelHeader;
    teamHeader = builder.teamHeader;
    teamAliasHeader = builder.teamAliasHeader;
    maxBody = builder.maxBody;
  }

  /**
   * Begins a reader.
   *
   * @return a builder of it
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * A reader that nothing is configured of.
   *
   * @return the reader
   */
  public static RequestReader defaults() {
    return builder().build();
  }

  /**
   * The credential of a request.
   *
   * @param method its HTTP method
   * @param headers its headers
   * @return the credential, with an empty token where there is none
   * @throws RefusedException where there are several, or a cookie may not act
   */
  public Credential credential(String method, Headers headers) {
    return credentials.read(method, headers);
  }

  /**
   * What a request asks for.
   *
   * @param method its HTTP method
   * @param target its path, with or without a query
   * @param headers its headers
   * @param body its body; empty: none
   * @return what it asks for
   * @throws RefusedException for a body that is too large
   */
  public ReadRequest read(String method, String target, Headers headers, byte[] body) {
    if (body.length > maxBody) {
      throw new RefusedException(Refusal.BODY_TOO_LARGE);
    }
    String route = route(target);
    // A handshake is a GET without a body: its query names the model. Whatever else says that it is one is read as it is,
    // and so is what has the headers of a body that is left unread.
    boolean handshake =
        method.equals("GET") && body.length == 0 && readsBody(headers) && CredentialReader.isWebsocket(headers);
    BodyContent content = handshake ? handshake(target) : content(headers, body, query(target));
    String teamId = teamHeader == null ? null : wish(headers.values(teamHeader));
    String teamAlias = teamAliasHeader == null ? null : wish(headers.values(teamAliasHeader));
    if (teamAlias != null && (teamId != null || teamAlias.isEmpty())) {
      // Two wishes are one that is refused, and so are two values of one.
      teamId = "";
      teamAlias = null;
    }
    return new ReadRequest(
        route,
        method,
        modelHeader == null ? content.model() : only(headers.values(modelHeader)),
        content.fallbacks(),
        teamId,
        teamAlias,
        content.endUser(),
        content.organization(),
        content.guardrails(),
        content.stream() || route.endsWith(":streamGenerateContent"));
  }

  /**
   * Whether the body has to be read at all.
   *
   * @param headers the request's headers
   * @return false for a body that {@link #read} would find nothing in
   */
  public boolean readsBody(Headers headers) {
    return !mediaType(headers).equals("none");
  }

  /**
   * The largest body that is read.
   *
   * @return bytes
   */
  public int maxBody() {
    return maxBody;
  }

  private String route(String target) {
    int query = target.indexOf('?');
    String path = query < 0 ? target : target.substring(0, query);
    if (!basePath.isEmpty() && path.startsWith(basePath)) {
      String rest = path.substring(basePath.length());
      if (rest.isEmpty() || rest.startsWith("/")) {
        return rest.isEmpty() ? "/" : rest;
      }
    }
    return path;
  }

  private static byte[] query(String target) {
    int query = target.indexOf('?');
    return (query < 0 ? "" : target.substring(query + 1)).getBytes(StandardCharsets.UTF_8);
  }

  private static BodyContent handshake(String target) {
    String named = FormBody.read(new byte[0], query(target)).model();
    return new BodyContent(named, List.of(), "", "", false, false);
  }

  /** The fields of the query are read with those of a form: `getParameter` gives both as one. */
  private static BodyContent content(Headers headers, byte[] body, byte[] query) {
    if (body.length == 0) {
      return BodyContent.NOTHING;
    }
    return switch (mediaType(headers)) {
      case "json" -> JsonBody.read(body);
      case "form" -> FormBody.read(body, query);
      case "multipart" -> MultipartBody.read(body, only(headers.values("content-type")), query);
      default -> BodyContent.NOTHING;
    };
  }

  private static String mediaType(Headers headers) {
    for (String each : headers.values("content-encoding")) {
      String coding = CredentialReader.trimmed(each);
      if (!coding.isEmpty() && !coding.equalsIgnoreCase("identity")) {
        return "none";
      }
    }
    String type = agreed(headers.values("content-type"), "unknown");
    if (type == null) {
      return "json";
    }
    if (!isUtf8(type)) {
      return "none";
    }
    String media = CredentialReader.trimmed(type.split(";", 2)[0]).toLowerCase(Locale.ROOT);
    if (media.equals("application/json") || (media.startsWith("application/") && media.endsWith("+json"))) {
      return "json";
    }
    if (media.equals("application/x-www-form-urlencoded")) {
      return "form";
    }
    return media.equals("multipart/form-data") ? "multipart" : "none";
  }

  /** Whether nothing says that it is in another charset: who goes by that reads other text in the same bytes. */
  private static boolean isUtf8(String type) {
    int said = type.toLowerCase(Locale.ROOT).split("charset", -1).length - 1;
    return said == 0 || (said == 1 && UTF8.matcher(type).find());
  }

  /**
   * The one value that all of them have; null: there is none, or they differ. An empty header is none: who clears one
   * writes that. Beside another of its name it is one that differs.
   */
  private static String only(List<String> values) {
    return agreed(values, null);
  }

  private static String wish(List<String> values) {
    return agreed(values, "");
  }

  private static String agreed(List<String> values, String otherwise) {
    String agreed = null;
    for (String each : values) {
      String value = CredentialReader.trimmed(each);
      if (agreed != null && !agreed.equals(value)) {
        return otherwise;
      }
      agreed = value;
    }
    return agreed == null || agreed.isEmpty() ? null : agreed;
  }

  /** Makes a reader. */
  public static final class Builder {
    private String credentialHeader;
    private final Set<String> origins = new LinkedHashSet<>();
    private String basePath = "";
    private String modelHeader;
    private String teamHeader;
    private String teamAliasHeader;
    private int maxBody = 32 * 1024 * 1024;

    private Builder() {}

    /**
     * The one header that carries the credential; all others, and cookies, carry none then.
     *
     * @param name its name
     * @return this
     */
    public Builder credentialHeader(String name) {
      this.credentialHeader = name;
      return this;
    }

    /**
     * An origin from which a session cookie acts on methods other than GET, HEAD and OPTIONS.
     *
     * @param origin such as "https://ui.example", compared whole
     * @return this
     */
    public Builder origin(String origin) {
      if (origin.equals("null")) {
        throw new IllegalArgumentException("origin: expected a scheme and a host");
      }
      this.origins.add(origin);
      return this;
    }

    /**
     * What stands in front of the route in each path.
     *
     * @param path such as "/gateway"; empty: nothing
     * @return this
     */
    public Builder basePath(String path) {
      this.basePath = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
      return this;
    }

    /**
     * The one header that names the model, which the body does not then: only one that this gateway itself goes by.
     *
     * @param name its name
     * @return this
     */
    public Builder modelHeader(String name) {
      this.modelHeader = name.toLowerCase(Locale.ROOT);
      return this;
    }

    /**
     * The header that names the wished team by its id.
     *
     * @param name its name
     * @return this
     */
    public Builder teamHeader(String name) {
      this.teamHeader = name.toLowerCase(Locale.ROOT);
      return this;
    }

    /**
     * The header that names the wished team by its alias.
     *
     * @param name its name
     * @return this
     */
    public Builder teamAliasHeader(String name) {
      this.teamAliasHeader = name.toLowerCase(Locale.ROOT);
      return this;
    }

    /**
     * The largest body that is read; a larger one is refused.
     *
     * @param bytes 32 MiB unless given
     * @return this
     */
    public Builder maxBody(int bytes) {
      if (bytes < 0) {
        throw new IllegalArgumentException("maxBody: expected 0 or more");
      }
      this.maxBody = bytes;
      return this;
    }

    /**
     * The reader.
     *
     * @return a reader that does not change any more
     */
    public RequestReader build() {
      return new RequestReader(this);
    }
  }
}
