package dev.usherd.http;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The fields of a form that a question may be about. */
final class FormFields {

  static final Set<String> NAMES =
      Set.of(
          "model", "stream", "fallbacks", "user", "litellm_metadata", "metadata", "guardrails", "organization_id");

  private final Map<String, String> fields = new HashMap<>();
  private final Set<String> twice = new HashSet<>();

  void add(String name, String value) {
    String known = Names.meant(name, NAMES);
    if (NAMES.contains(known) && (fields.put(known, value) != null || !known.equals(name))) {
      twice.add(known);
    }
  }

  BodyContent content() {
    return new BodyContent(
        twice.contains("model") ? null : fields.get("model"),
        // A list of them is no text.
        fields.containsKey("fallbacks") ? BodyContent.REFUSED_FALLBACKS : List.of(),
        BodyContent.endUser(text("user"), ofSeveral("litellm_metadata"), ofSeveral("metadata")),
        text("organization_id"),
        !fields.getOrDefault("guardrails", "").isEmpty() || twice.contains("guardrails") || twice.contains("metadata"),
        false);
  }

  private String text(String name) {
    return twice.contains(name) ? BodyContent.REFUSED : fields.getOrDefault(name, "");
  }

  /** What is a text has no members; what is there twice may be anything. */
  private String ofSeveral(String name) {
    return twice.contains(name) ? BodyContent.REFUSED : "";
  }
}
