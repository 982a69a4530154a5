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

  /** Stands for what should be one text and is none, or several: no field of a question takes it. */
  static final String REFUSED = "\0";

  /** Fallbacks that are refused, where they cannot be read: no model has an empty name. */
  static final List<String> REFUSED_FALLBACKS = List.of("");

  /** The first that is a text that is not empty; where one before it was named twice, it may be anything. */
  static String endUser(String... candidates) {
    for (String each : candidates) {
      if (!each.isEmpty()) {
        return each;
      }
    }
    return "";
  }
}
