package dev.usherd.http;

import java.util.List;

/**
 * What a body says about the question.
 *
 * @param model the model; null: it names none with certainty
 * @param fallbacks the models to fall back to; one that is empty stands for what cannot be read
 * @param endUser the end user; empty: none
 * @param organization the organization that is acted on; empty: none
 * @param guardrails whether it asks for guardrails of its own
 * @param stream whether it asks for a streamed answer
 */
record BodyContent(
    String model, List<String> fallbacks, String endUser, String organization, boolean guardrails, boolean stream) {

  static final BodyContent NOTHING = new BodyContent(null, List.of(), "", "", false, false);

  /** What is no text, or said twice, is asked as something that the server denies. */
  static final String REFUSED = "\0";

  static BodyContent ofModel(String model) {
    return new BodyContent(model, List.of(), "", "", false, false);
  }
}
