package dev.usherd.http;

import dev.usherd.Question;
import java.util.List;

/**
 * What a request asks for.
 *
 * @param route the path, as it came
 * @param method the HTTP method
 * @param model the model; null: it names none with certainty
 * @param fallbackModels models to fall back to
 * @param teamId the wished team's id; null: none
 * @param teamAlias the wished team's alias; null: none
 * @param endUserId the end user; empty: none
 * @param organizationId the organization that is acted on; empty: none
 * @param modifiesGuardrails whether it asks for guardrails of its own
 * @param stream whether it asks for a streamed answer
 */
public record ReadRequest(
    String route,
    String method,
    String model,
    List<String> fallbackModels,
    String teamId,
    String teamAlias,
    String endUserId,
    String organizationId,
    boolean modifiesGuardrails,
    boolean stream) {

  /**
   * The question about it.
   *
   * @param credential what the request shows
   * @return the question
   */
  public Question question(Credential credential) {
    return Question.builder(credential.token(), route)
        .method(method)
        .model(model)
        .fallbackModels(fallbackModels)
        .teamId(teamId)
        .teamAlias(teamAlias)
        .endUserId(endUserId)
        .organizationId(organizationId)
        .modifiesGuardrails(modifiesGuardrails)
        .build();
  }

  /**
   * A constant: what was asked is nobody's to read in a log.
   *
   * @return the same for every request
   */
  @Override
  public String toString() {
    return "ReadRequest";
  }
}
