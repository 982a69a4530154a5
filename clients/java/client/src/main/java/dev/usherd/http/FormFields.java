package dev.usherd.http;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The fields of a form that a question may be about. */
final class FormFields {

  static final Set<String> NAMES =
      Set.of(
          "model", "stream", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id");

  private final Map<String, String> fields = new HashMap<>();
  private boolean modelTwice;
  private boolean inDoubt;

  void add(String name, String value) {
    if (NAMES.contains(name) && fields.put(name, value) != null) {
      modelTwice |= name.equals("model");
      inDoubt |= !name.equals("model");
    }
  }

  BodyContent content() {
    return new BodyContent(
        modelTwice ? null : fields.get("model"),
        // A list of them is no text.
        inDoubt || fields.containsKey("fallbacks") ? BodyContent.IN_DOUBT : List.of(),
        fields.getOrDefault("user", ""),
        fields.getOrDefault("organization_id", ""),
        !fields.getOrDefault("guardrails", "").isEmpty(),
        false);
  }
}
