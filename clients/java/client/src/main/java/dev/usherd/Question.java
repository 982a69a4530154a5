package dev.usherd;

import java.util.List;

/**
 * One question: may the holder of this token call this route with this model?
 *
 * <p>{@code proto/usher/v1/question.proto} says what each field means. What an end user may have chosen is not checked
 * here: what is no text, or too long, is asked as something that the server denies. A question's text shows nothing
 * of it.
 */
public final class Question implements Comparable<Question> {

  /** Stands for what is no text, or no Unicode: no field of a question takes it, so that it is denied. */
  private static final String REFUSED = "\0";

  // What is cut is cut above what the server takes: it stays too long, and is denied. An oversized message would be an
  // error instead, and an error that an end user can cause is a way past a gateway that fails open.
  private static final int TOKEN = 64 * 1024;
  private static final int ROUTE = 16 * 1024;
  private static final int NAME = 1024;
  private static final int FALLBACKS = 16;
  private static final int HASHED = 48;

  private final String token;
  private final String route;
  private final String method;
  private final String model;
  private final List<String> fallbackModels;
  private final String teamId;
  private final String teamAlias;
  private final String endUserId;
  private final String organizationId;
  private final boolean modifiesGuardrails;
  private int hash;

  private Question(Builder builder) {
    token = builder.token;
    route = builder.route;
    method = builder.method;
    model = builder.model;
    // One more than the server takes is denied; nobody needs the rest.
    fallbackModels =
        builder.fallbackModels.isEmpty()
            ? List.of()
            : builder.fallbackModels.stream().limit(FALLBACKS + 2).map(each -> each == null ? REFUSED : each).toList();
    teamId = builder.teamId;
    teamAlias = builder.teamAlias;
    endUserId = builder.endUserId;
    organizationId = builder.organizationId;
    modifiesGuardrails = builder.modifiesGuardrails;
  }

  /**
   * Begins a question.
   *
   * @param token the bare compact JWS: a scheme in front of it ("Bearer ") is the gateway's to take off. Null: none.
   * @param route the path that the gateway will really dispatch
   * @return a builder of it
   */
  public static Builder builder(String token, String route) {
    return new Builder(token, route);
  }

  /**
   * Begins another question that is the same but for what is said of it then.
   *
   * @return a builder of it
   */
  public Builder toBuilder() {
    Builder same = new Builder(token, route).method(method).model(model).fallbackModels(fallbackModels);
    same.teamId = teamId;
    same.teamAlias = teamAlias;
    return same.endUserId(endUserId).organizationId(organizationId).modifiesGuardrails(modifiesGuardrails);
  }

  /**
   * The path that is asked about.
   *
   * @return the route
   */
  public String route() {
    return route;
  }

  /**
   * The model that is asked for.
   *
   * @return the model; null: none is asked for
   */
  public String model() {
    return model;
  }

  /**
   * The token, for a fake of tests.
   *
   * @return the token; empty: none
   */
  public String token() {
    return token;
  }

  /**
   * The question as it is sent.
   *
   * @param message what is sent
   * @param whole whether nothing had to be cut or replaced, so that equal questions are the same question
   */
  record Sent(dev.usherd.v1.Question message, boolean whole) {}

  dev.usherd.v1.Question message() {
    return sent().message();
  }

  Sent sent() {
    Texts texts = new Texts();
    dev.usherd.v1.Question.Builder message =
        dev.usherd.v1.Question.newBuilder()
            .setToken(texts.read(token, TOKEN))
            .setRoute(texts.read(route, ROUTE))
            .setMethod(texts.read(method, NAME))
            .setEndUserId(texts.read(endUserId, NAME))
            .setOrganizationId(texts.read(organizationId, NAME))
            .setModifiesGuardrails(modifiesGuardrails);
    texts.whole &= fallbackModels.size() <= FALLBACKS + 1;
    fallbackModels.stream().limit(FALLBACKS + 1).forEach(each -> message.addFallbackModels(texts.read(each, NAME)));
    if (model != null) {
      message.setModel(texts.read(model, NAME));
    }
    if (teamId != null) {
      message.setTeamId(texts.read(teamId, NAME));
    }
    if (teamAlias != null) {
      message.setTeamAlias(texts.read(teamAlias, NAME));
    }
    return new Sent(message.build(), texts.whole);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Question that && (this == that || compareTo(that) == 0);
  }

  @Override
  public int hashCode() {
    int known = hash;
    if (known == 0) {
      known = 31 * (31 * ending(token) + route.hashCode()) + (model == null ? 1 : model.hashCode());
      known = 31 * (31 * known + endUserId.hashCode()) + (teamId == null ? 1 : teamId.hashCode());
      hash = known;
    }
    return known;
  }

  /** The hash of a token's end, which is a part of its signature: a text that was just read has none that is known. */
  private static int ending(String token) {
    int hash = token.length();
    for (int at = Math.max(0, hash - HASHED); at < token.length(); at++) {
      hash = 31 * hash + token.charAt(at);
    }
    return hash;
  }

  /**
   * An order of questions, by which a table finds one even where somebody made all of their hashes the same.
   *
   * @param that another question
   * @return below, equal to, or above 0
   */
  @Override
  public int compareTo(Question that) {
    int order = token.compareTo(that.token);
    order = order != 0 ? order : route.compareTo(that.route);
    order = order != 0 ? order : compared(model, that.model);
    order = order != 0 ? order : method.compareTo(that.method);
    order = order != 0 ? order : compared(teamId, that.teamId);
    order = order != 0 ? order : compared(teamAlias, that.teamAlias);
    order = order != 0 ? order : endUserId.compareTo(that.endUserId);
    order = order != 0 ? order : organizationId.compareTo(that.organizationId);
    order = order != 0 ? order : Boolean.compare(modifiesGuardrails, that.modifiesGuardrails);
    order = order != 0 ? order : Integer.compare(fallbackModels.size(), that.fallbackModels.size());
    for (int each = 0; order == 0 && each < fallbackModels.size(); each++) {
      order = fallbackModels.get(each).compareTo(that.fallbackModels.get(each));
    }
    return order;
  }

  private static int compared(String one, String other) {
    if (one == null || other == null) {
      return Boolean.compare(one != null, other != null);
    }
    return one.compareTo(other);
  }

  /**
   * A constant: whatever is asked is nobody's to read in a log.
   *
   * @return the same for every question
   */
  @Override
  public String toString() {
    return "Question";
  }

  /** Makes texts of what may be none, and notes where that was so. */
  private static final class Texts {
    boolean whole = true;

    String read(String value, int limit) {
      // Up to four bytes a character: what is cut here has more bytes than any field takes all the same.
      int most = limit > NAME ? limit / 4 : limit;
      for (int at = 0; at < value.length(); at++) {
        char each = value.charAt(at);
        if (each < 0x80) {
          if (at > limit) {
            return cut(value, at);
          }
          continue;
        }
        if (Character.isSurrogate(each)) {
          if (!Character.isHighSurrogate(each)
              || at + 1 == value.length()
              || !Character.isLowSurrogate(value.charAt(at + 1))) {
            whole = false;
            return REFUSED;
          }
          at++;
        }
        if (at > most) {
          return cut(value, at + 1);
        }
      }
      return value;
    }

    private String cut(String value, int end) {
      whole = false;
      return value.substring(0, end);
    }
  }

  /** Makes one question. */
  public static final class Builder {
    private String token;
    private final String route;
    private String method = "";
    private String model;
    private List<String> fallbackModels = List.of();
    private String teamId;
    private String teamAlias;
    private String endUserId = "";
    private String organizationId = "";
    private boolean modifiesGuardrails;

    private Builder(String token, String route) {
      this.token = token == null ? "" : token;
      this.route = route == null ? REFUSED : route;
    }

    /**
     * Another token.
     *
     * @param token the bare compact JWS; null: none
     * @return this
     */
    public Builder token(String token) {
      this.token = token == null ? "" : token;
      return this;
    }

    /**
     * The HTTP method of the request.
     *
     * @param method upper case; null: none
     * @return this
     */
    public Builder method(String method) {
      this.method = method == null ? "" : method;
      return this;
    }

    /**
     * The model that the request asks for.
     *
     * @param model its name; null: the request asks for no model
     * @return this
     */
    public Builder model(String model) {
      this.model = model;
      return this;
    }

    /**
     * Models that the gateway would fall back to: each must be allowed, or the answer is a denial.
     *
     * @param models their names, at most 16
     * @return this
     */
    public Builder fallbackModels(List<String> models) {
      this.fallbackModels = models == null ? List.of() : models;
      return this;
    }

    /**
     * The team that the user wants to act for, by its id.
     *
     * @param teamId the id; null: the policy chooses
     * @return this
     */
    public Builder teamId(String teamId) {
      this.teamId = teamId;
      return this;
    }

    /**
     * The team that the user wants to act for, by its alias.
     *
     * @param teamAlias the alias; null: the policy chooses
     * @return this
     */
    public Builder teamAlias(String teamAlias) {
      this.teamAlias = teamAlias;
      return this;
    }

    /**
     * The end user (customer) on whose behalf the request is made.
     *
     * @param endUserId the id; null or empty: none
     * @return this
     */
    public Builder endUserId(String endUserId) {
      this.endUserId = endUserId == null ? "" : endUserId;
      return this;
    }

    /**
     * The organization that the request acts on.
     *
     * @param organizationId the id; null or empty: none
     * @return this
     */
    public Builder organizationId(String organizationId) {
      this.organizationId = organizationId == null ? "" : organizationId;
      return this;
    }

    /**
     * Whether the request asks for guardrails of its own.
     *
     * @param modifies true: it does
     * @return this
     */
    public Builder modifiesGuardrails(boolean modifies) {
      this.modifiesGuardrails = modifies;
      return this;
    }

    /**
     * The question.
     *
     * @return a question that does not change any more
     * @throws IllegalArgumentException for two team wishes
     */
    public Question build() {
      if (teamId != null && teamAlias != null) {
        throw new IllegalArgumentException("teamId, teamAlias: expected at most one of them");
      }
      return new Question(this);
    }
  }
}
