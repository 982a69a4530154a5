package dev.usherd.http;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Reads a JSON object, once and from the front, for the few names that matter. */
final class JsonBody {

  private static final int MOST_FALLBACKS = 16;
  private static final Set<String> IN_METADATA = Set.of("user", "user_id", "guardrails");
  private static final Set<String> MODEL = Set.of("model");

  private final JsonReader json;
  private final Set<String> seen = new HashSet<>();
  private int models;
  private String model;
  private String user = "";
  private String litellmUser = "";
  private String metadataUser = "";
  private String organization = "";
  private List<String> fallbacks = List.of();
  private boolean fallbacksInDoubt;
  private boolean guardrails;
  private boolean stream;

  private JsonBody(JsonReader json) {
    this.json = json;
  }

  /** What it says. Bytes that are not one JSON object, of RFC 8259 and in UTF-8, say nothing. */
  static BodyContent read(byte[] body) {
    if (body.length >= 3 && body[0] == (byte) 0xEF && body[1] == (byte) 0xBB && body[2] == (byte) 0xBF) {
      // The reader would pass over a byte order mark.
      return BodyContent.NOTHING;
    }
    if (hasControlInText(body)) {
      return BodyContent.NOTHING;
    }
    InputStreamReader text = new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8.newDecoder());
    try (JsonReader json = new JsonReader(text)) {
      json.setStrictness(Strictness.STRICT);
      JsonBody read = new JsonBody(json);
      read.object();
      return json.peek() == JsonToken.END_DOCUMENT ? read.content() : BodyContent.NOTHING;
    } catch (IOException | IllegalStateException | NumberFormatException none) {
      return BodyContent.NOTHING;
    }
  }

  /** Whether a text has a control character, which the reader does not notice in texts that it skips. */
  private static boolean hasControlInText(byte[] body) {
    boolean inText = false;
    for (int at = 0; at < body.length; at++) {
      byte each = body[at];
      if (inText && each == '\\') {
        at++;
      } else if (each == '"') {
        inText = !inText;
      } else if (inText && each >= 0 && each < ' ') {
        return true;
      }
    }
    return false;
  }

  private BodyContent content() {
    return new BodyContent(
        models == 1 ? model : null,
        fallbacksInDoubt ? BodyContent.REFUSED_FALLBACKS : fallbacks,
        BodyContent.endUser(user, litellmUser, metadataUser),
        organization,
        guardrails,
        stream);
  }

  private void object() throws IOException {
    json.beginObject();
    while (json.hasNext()) {
      String written = json.nextName();
      String name = Names.meant(written, FormFields.NAMES);
      if (!name.equals(written)) {
        seen.add(name);
      }
      switch (name) {
        case "model" -> {
          models += name.equals(written) ? 1 : 2;
          model = text(null);
        }
        case "user" -> user = only(name, text(""));
        case "organization_id" -> {
          String none = json.peek() == JsonToken.NULL ? "" : BodyContent.REFUSED;
          organization = only(name, text(none));
        }
        case "litellm_metadata" -> {
          boolean twice = !seen.add(name);
          members("litellm_metadata.");
          litellmUser = twice ? BodyContent.REFUSED : litellmUser;
        }
        case "metadata" -> {
          boolean twice = !seen.add(name);
          members("metadata.");
          // What is named twice may be anything.
          metadataUser = twice ? BodyContent.REFUSED : metadataUser;
          guardrails |= twice;
        }
        case "guardrails" -> guardrails |= counts(name);
        case "fallbacks" -> {
          fallbacksInDoubt |= !seen.add(name);
          fallbacks();
        }
        case "stream" -> stream |= isTrue();
        default -> json.skipValue();
      }
    }
    json.endObject();
  }

  /** The value; of what is named twice, one that is refused. */
  private String only(String name, String value) {
    return seen.add(name) ? value : BodyContent.REFUSED;
  }

  private String text(String otherwise) throws IOException {
    if (json.peek() == JsonToken.STRING) {
      return json.nextString();
    }
    json.skipValue();
    return otherwise;
  }

  private void members(String prefix) throws IOException {
    if (json.peek() != JsonToken.BEGIN_OBJECT) {
      json.skipValue();
      return;
    }
    json.beginObject();
    while (json.hasNext()) {
      String written = json.nextName();
      String name = prefix + Names.meant(written, IN_METADATA);
      if (!name.equals(prefix + written)) {
        seen.add(name);
      }
      switch (name) {
        case "litellm_metadata.user" -> litellmUser = only(name, text(""));
        case "metadata.user_id" -> metadataUser = only(name, text(""));
        case "metadata.guardrails" -> guardrails |= counts(name);
        default -> json.skipValue();
      }
    }
    json.endObject();
  }

  private boolean isTrue() throws IOException {
    if (json.peek() == JsonToken.BOOLEAN) {
      return json.nextBoolean();
    }
    json.skipValue();
    return false;
  }

  /** Whether it is not empty, null, false or 0. */
  private boolean counts(String name) throws IOException {
    boolean twice = !seen.add(name);
    return twice | switch (json.peek()) {
      case BOOLEAN -> json.nextBoolean();
      case STRING -> !json.nextString().isEmpty();
      // Of a 0 every digit is one, whatever its exponent.
      case NUMBER -> json.nextString().split("[eE]", 2)[0].chars().anyMatch(each -> each >= '1' && each <= '9');
      case BEGIN_ARRAY -> {
        json.beginArray();
        boolean some = json.hasNext();
        while (json.hasNext()) {
          json.skipValue();
        }
        json.endArray();
        yield some;
      }
      case BEGIN_OBJECT -> {
        json.beginObject();
        boolean some = json.hasNext();
        while (json.hasNext()) {
          json.nextName();
          json.skipValue();
        }
        json.endObject();
        yield some;
      }
      default -> {
        json.skipValue();
        yield false;
      }
    };
  }

  private void fallbacks() throws IOException {
    if (json.peek() == JsonToken.NULL) {
      json.nextNull();
      return;
    }
    if (json.peek() != JsonToken.BEGIN_ARRAY) {
      json.skipValue();
      fallbacksInDoubt = true;
      return;
    }
    List<String> names = new ArrayList<>();
    json.beginArray();
    while (json.hasNext()) {
      String name = json.peek() == JsonToken.BEGIN_OBJECT ? modelOfObject() : text(null);
      if (name == null) {
        fallbacksInDoubt = true;
      } else if (names.size() <= MOST_FALLBACKS) {
        // One more than the server takes, which it denies; the rest only has to be JSON.
        names.add(name);
      }
    }
    json.endArray();
    fallbacks = List.copyOf(names);
  }

  private String modelOfObject() throws IOException {
    String named = null;
    boolean twice = false;
    json.beginObject();
    while (json.hasNext()) {
      String written = json.nextName();
      if (Names.meant(written, MODEL).equals("model")) {
        twice |= named != null || !written.equals("model");
        named = text(null);
        twice |= named == null;
      } else {
        json.skipValue();
      }
    }
    json.endObject();
    return twice ? null : named;
  }
}
