package dev.usherd;

import java.util.List;

/**
 * Who holds the token. An empty string is an absent value; {@code proto/usher/v1/principal.proto} says what each is.
 *
 * @param kind USER, SERVICE, SESSION, ANONYMOUS, or UNKNOWN for a kind that this client is too old to know
 * @param issuer the token's issuer
 * @param subject the token's subject, unique within the issuer only
 * @param client the client application that the token was issued to
 * @param directoryRole the directory row's role for the holder
 * @param admin whether the holder is an administrator under the policy
 * @param userId the user's id in the directory, or the value of the user claim
 * @param email the user's e-mail address; never a reason to trust anyone
 * @param teamId the chosen team's id
 * @param teamAlias the chosen team's alias
 * @param organizationId the organization of the chosen team, or else of the token
 * @param endUserId the end user on whose behalf the request is made
 * @param scopes the token's scopes, sorted
 * @param roles the policy's roles that the token holds, sorted
 * @param claims claims that the policy passes on, sorted by name
 */
public record Principal(
    String kind,
    String issuer,
    String subject,
    String client,
    String directoryRole,
    boolean admin,
    String userId,
    String email,
    String teamId,
    String teamAlias,
    String organizationId,
    String endUserId,
    List<String> scopes,
    List<String> roles,
    List<Claim> claims) {

  /**
   * One claim that is passed on.
   *
   * @param name its name, a dot path
   * @param valueJson its value as JSON text
   */
  public record Claim(String name, String valueJson) {
    /**
     * The name alone.
     *
     * @return a text without the value
     */
    @Override
    public String toString() {
      return "Claim[" + name + "]";
    }
  }

  /**
   * The kind alone: no claim is shown.
   *
   * @return a text that may stand in a log
   */
  @Override
  public String toString() {
    return "Principal[" + kind + "]";
  }
}
