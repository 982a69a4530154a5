package dev.usherd.http;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads a JSON object, once and from the front, for the few names that matter. */
final class JsonBody {

  /** A value of a name: text, or what else it is. */
  private static final class Field {
    int times;
    String text;
    boolean isNull = true;

    /** The text; else what stands for none. */
    String orElse(String none) {
      return times == 1 && text != null ? text : none;
    }
  }

  private final JsonReader json;
  private final Field model = new Field();
  private final Field user = new Field();
  private final Field litellmUser = new Field();
  private final Field metadataUser = new Field();
  private final Field organization = new Field();
  private List<String> fallbacks = List.of();
  private boolean fallbacksTwice;
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

  private BodyContent content() {
    return new BodyContent(
        model.orElse(null), fallbacks, endUser(), organizationId(), guardrails, stream);
  }

  private String endUser() {
    for (Field each : List.of(user, litellmUser, metadataUser)) {
      if (each.times > 1) {
        return BodyContent.REFUSED;
      }
      if (!each.orElse("").isEmpty()) {
        return each.text;
      }
    }
    return "";
  }

  private String organizationId() {
    boolean none = organization.times == 0 || (organization.times == 1 && organization.isNull);
    return none ? "" : organization.orElse(BodyContent.REFUSED);
  }

  private void object() throws IOException {
    json.beginObject();
    while (json.hasNext()) {
      switch (json.nextName()) {
        case "model" -> text(model);
        case "user" -> text(user);
        case "organization_id" -> text(organization);
        case "litellm_metadata" -> members("user", litellmUser, false);
        case "metadata" -> members("user_id", metadataUser, true);
        case "guardrails" -> guardrails |= counts();
        case "fallbacks" -> fallbacks();
        case "stream" -> stream |= isTrue();
        default -> json.skipValue();
      }
    }
    json.endObject();
  }

  private void text(Field field) throws IOException {
    field.times++;
    field.isNull = json.peek() == JsonToken.NULL;
    if (json.peek() == JsonToken.STRING) {
      field.text = json.nextString();
    } else {
      json.skipValue();
    }
  }

  private void members(String name, Field field, boolean mayHaveGuardrails) throws IOException {
    if (json.peek() != JsonToken.BEGIN_OBJECT) {
      json.skipValue();
      return;
    }
    json.beginObject();
    while (json.hasNext()) {
      String each = json.nextName();
      if (each.equals(name)) {
        text(field);
      } else if (mayHaveGuardrails && each.equals("guardrails")) {
        guardrails |= counts();
      } else {
        json.skipValue();
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
  private boolean counts() throws IOException {
    switch (json.peek()) {
      case NULL -> {
        json.nextNull();
        return false;
      }
      case BOOLEAN -> {
        return json.nextBoolean();
      }
      case STRING -> {
        return !json.nextString().isEmpty();
      }
      case NUMBER -> {
        // Of a 0 every digit is one, whatever its exponent.
        return json.nextString().split("[eE]", 2)[0].chars().anyMatch(each -> each >= '1' && each <= '9');
      }
      case BEGIN_ARRAY -> {
        json.beginArray();
        boolean some = json.hasNext();
        while (json.hasNext()) {
          json.skipValue();
        }
        json.endArray();
        return some;
      }
      case BEGIN_OBJECT -> {
        json.beginObject();
        boolean some = json.hasNext();
        while (json.hasNext()) {
          json.nextName();
          json.skipValue();
        }
        json.endObject();
        return some;
      }
      default -> throw new MalformedJsonException("no value");
    }
  }

  private void fallbacks() throws IOException {
    boolean again = fallbacksTwice;
    fallbacksTwice = true;
    if (json.peek() == JsonToken.NULL && !again) {
      json.nextNull();
      return;
    }
    List<String> names = new ArrayList<>();
    boolean readable = !again && json.peek() == JsonToken.BEGIN_ARRAY;
    if (json.peek() != JsonToken.BEGIN_ARRAY) {
      json.skipValue();
    } else {
      json.beginArray();
      while (json.hasNext()) {
        String name = fallback();
        readable &= name != null;
        // More than this many are denied; the rest only has to be JSON.
        if (names.size() <= 16) {
          names.add(name);
        }
      }
      json.endArray();
    }
    fallbacks = readable ? List.copyOf(names) : List.of("");
  }

  /** The model of one fallback; null where that is not certain. */
  private String fallback() throws IOException {
    Field name = new Field();
    if (json.peek() == JsonToken.BEGIN_OBJECT) {
      members("model", name, false);
    } else {
      text(name);
    }
    return name.orElse(null);
  }
}
